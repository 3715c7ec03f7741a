"""What a vehicle did, from its fixes: stops, trips, distances. Knows nothing of storage or HTTP."""
