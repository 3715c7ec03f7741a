"""Logins and secrets of devices; the quarantine counts by sender what it does not keep."""

from storage.migrations.statements import available_flavour, run_file

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables, and count what waits already."""
    run_file("0007_identity.sql", available_flavour())
