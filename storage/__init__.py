"""The database: schema, migrations, the COPY writer, and every SQL query.

Belongs here: whatever speaks SQL, and the one module that knows TimescaleDB from plain PostgreSQL.
Does not belong here: wire formats, MQTT, HTTP, and what a violation is.
"""
