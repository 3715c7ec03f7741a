"""Spans of driving, and the way from a driver to what was judged."""

from storage.migrations.statements import available_flavour, run_file

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table, the same on either flavour."""
    run_file("0002_driving_spans.sql", available_flavour())
