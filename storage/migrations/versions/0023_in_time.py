"""Roads and hours of weigh stations in time; erased drivers in messages that nobody could read."""

from storage.migrations.statements import available_flavour, run_file

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Make it, the same on either flavour."""
    flavour = available_flavour()
    run_file("0023_stations.sql", flavour)
    run_file("0023_quarantine.sql", flavour)
