"""Trips on fixed routes, and the timetables that they are compared with."""

from storage.migrations.statements import available_flavour, run_file

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables, who may read them, and what moves the registry's version."""
    run_file("0003_route_trips.sql", available_flavour())
