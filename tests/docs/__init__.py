"""The documents are true: links lead somewhere, commands run, and nothing is missing."""
