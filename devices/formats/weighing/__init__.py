"""Weigh stations: our JSON, CSV through a column map."""
