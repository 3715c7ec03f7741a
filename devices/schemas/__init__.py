"""Published JSON Schemas of our own formats; tests hold them to the decoders."""
