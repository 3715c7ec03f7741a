"""Galileosky: packets of tags."""
