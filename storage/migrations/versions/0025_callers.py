"""No caller passes for the owner of the registry; a device without a place is not silent."""

from storage.migrations.statements import available_flavour, run_file

revision = "0025"
down_revision = "0022"


def upgrade() -> None:
    """Replace the function that says who the owner is, and the view of devices' health."""
    flavour = available_flavour()
    run_file("0025_owner.sql", flavour)
    run_file("0025_health.sql", flavour)
