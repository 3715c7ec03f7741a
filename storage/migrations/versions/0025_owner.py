"""No caller of the API passes for the owner of the registry."""

from storage.migrations.statements import available_flavour, run_file

revision = "0025"
down_revision = "0022"


def upgrade() -> None:
    """Replace the function that says who the owner is."""
    run_file("0025_owner.sql", available_flavour())
