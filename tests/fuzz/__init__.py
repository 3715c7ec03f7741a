"""Looking for payloads that break a codec: `make fuzz`."""
