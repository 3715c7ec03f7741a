"""The registry is changed by its users: validity, versions, badges, calibrations, history."""

from storage.migrations.statements import available_flavour, run_file

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Make it, the same on either flavour."""
    flavour = available_flavour()
    run_file("0016_registering.sql", flavour)
    run_file("0016_history.sql", flavour)
    run_file("0016_rights.sql", flavour)
