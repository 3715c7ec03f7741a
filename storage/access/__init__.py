"""Who may see what: people and their sessions, keys of programs, the audit, personal data.

Belongs here: what the tables of migrations 0012 to 0014 hold, and the one-way forms of secrets.
Which page asks for which ability is the API's business (`api/access.py`).
"""
