"""Fixes are found by time; whole chunks of them can be kept as columns."""

from storage.flavour import Flavour
from storage.migrations.statements import available_flavour, run_file

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the index; say on TimescaleDB how chunks are to be compressed."""
    flavour = available_flavour()
    run_file("0014_columnstore.sql", flavour)
    if flavour is Flavour.TIMESCALE:
        run_file("0014_timescale.sql", flavour)
