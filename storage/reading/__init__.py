"""What the API reads: every query of it, one `.sql` file and one module for each resource.

Belongs here: SQL in named blocks, the rows they give, and the changes of zones and routes that the
API makes. Rows are structs whose fields carry the names that the API documents, ready to encode:
instants are RFC 3339 texts (UTC, milliseconds), unknown values NaN or None. Every query runs as the
caller's role in a transaction opened by `session.begin`, so the database decides what a
caller sees; no WHERE clause here scopes anything.
"""
