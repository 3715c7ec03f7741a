"""Who may publish what: the answers given to brokers, live (NATS) or as files (others).

Belongs here: what a login may do, and how each broker is told. Does not: how secrets are kept and
changed (`storage.credentials`).
"""
