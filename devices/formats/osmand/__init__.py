"""Codec "osmand": OsmAnd and the phone clients of its kind (docs/codecs/osmand.md)."""
