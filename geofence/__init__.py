"""The judging core: where fixes lie, and which rules they break.

Belongs here: spatial indexes, cleaning, and the rules, each as a vectorized kernel over arrays.
Does not belong here: I/O of any kind, clocks, the database, wire formats.
"""
