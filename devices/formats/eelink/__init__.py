"""Eelink: packages of its trackers, over TCP or UDP."""
