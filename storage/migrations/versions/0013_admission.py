"""Doors that are not the broker's know who is registered, and hear of every change."""

from storage.migrations.statements import available_flavour, run_file

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make the view and what tells of changes."""
    run_file("0013_admission.sql", available_flavour())
