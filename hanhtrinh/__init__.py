"""hanhtrinh: the product as one command.

Belongs here: the command line, settings, the embedded servers, the demo, and the one place where
all parts are wired together. Does not belong here: anything that a part could know by itself.
"""
