"""Hours are summed by vehicle and local day."""

from storage.flavour import Flavour
from storage.migrations.statements import available_flavour, run_file

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Make the table of days, what keeps it, and the way of the API's role to it."""
    flavour = available_flavour()
    run_file("0020_days.sql", flavour)
    run_file("0020_timescale.sql" if flavour is Flavour.TIMESCALE else "0020_plain.sql", flavour)
    run_file("0020_reading.sql", flavour)
