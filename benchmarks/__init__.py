"""Benchmarks: one runnable file per question, `python -m benchmarks.NAME [--quick] [--json]`.

Each measures ours and a baseline in the same run and gives their ratio: machines differ, ratios
less so. Nothing here is a test; nothing fails because it was slow.
"""
