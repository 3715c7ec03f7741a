"""Approaches and opening hours of weigh stations."""

from storage.migrations.statements import available_flavour, run_file

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns."""
    run_file("0004_station_approaches.sql", available_flavour())
