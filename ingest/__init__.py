"""From the broker to the database: sources, decoding, identities, judging, commit, acknowledgement.

Belongs here: everything between a message's arrival and its commit, and the quarantine of what
could not be used; and the gateway in front of the broker. Does not belong here: the API, wire
formats, rules, SQL.
"""
