"""Wialon IPS: lines of text between number signs."""
