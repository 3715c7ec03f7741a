"""Fixes say how long they took to arrive; who reads them learns when they did."""

from storage.migrations.statements import available_flavour, run_file

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Add the column, and the views that read it. No row and no compressed chunk is rewritten."""
    run_file("0019_delays.sql", available_flavour())
