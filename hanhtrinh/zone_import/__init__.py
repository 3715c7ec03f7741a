"""Zones of GeoJSON and GeoParquet files, ours or somebody else's, for the registry.

Belongs here: what the properties of a file's features are called, and everything that is wrong with
them. What each property means is `hanhtrinh.offline.zones`', which judges by the same files.
"""
