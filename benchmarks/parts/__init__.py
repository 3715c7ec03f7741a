"""What several benchmarks need: servers, a fleet, zones, processor time. Nothing here measures."""
