"""Tests of api/ and storage/reading/: a real PostgreSQL, a real server on loopback."""
