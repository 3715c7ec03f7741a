"""Chassis numbers are one vehicle's; drivers in tables and forgotten whole; stations in time."""

from storage.migrations.statements import available_flavour, run_file

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Make it, the same on either flavour."""
    flavour = available_flavour()
    run_file("0022_registering.sql", flavour)
    run_file("0022_personal.sql", flavour)
    run_file("0022_factor.sql", flavour)
    run_file("0022_repeats.sql", flavour)
    run_file("0022_stations.sql", flavour)
