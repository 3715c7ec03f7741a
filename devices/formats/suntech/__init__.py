"""Suntech: reports of the ST, SA and universal families, as text and zipped."""
