"""Drivers are seen as the caller's role needs them, exported, and erased."""

from storage.migrations.statements import available_flavour, run_file

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make it, the same on either flavour."""
    run_file("0012_personal.sql", available_flavour())
