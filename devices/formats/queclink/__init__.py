"""Queclink @Track: reports as text, and the two binary forms of the same."""
