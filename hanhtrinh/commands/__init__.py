"""The verbs of the command line: each parses its arguments and calls one function elsewhere."""
