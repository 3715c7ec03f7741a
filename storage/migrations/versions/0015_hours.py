"""Fixes are rolled up by vehicle and hour."""

from storage.flavour import Flavour
from storage.migrations.statements import available_flavour, run_file

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Make the roll-up: a continuous aggregate, or the same columns by hand."""
    flavour = available_flavour()
    run_file("0015_hours.sql", flavour)
    run_file("0015_timescale.sql" if flavour is Flavour.TIMESCALE else "0015_plain.sql", flavour)
    run_file("0015_reading.sql", flavour)
