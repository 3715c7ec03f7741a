"""Wire formats: one module per codec, and the array types that everything above is built on.

Belongs here: bytes in, arrays out, and back. Does not belong here: sockets, clocks, the registry,
the database, and any judgement about what a position means.
"""
