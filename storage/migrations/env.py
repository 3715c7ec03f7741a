"""Alembic's entry point: it runs in the transaction that `run` opened.

Not imported by anything: Alembic executes this file.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
