"""Meitrack: frames of `$$`, reports as text and both binary batches."""
