"""No caller passes for the owner; who sends no place is heard of; what is retired is shut out."""

from storage.migrations.statements import available_flavour, run_file

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Replace what says who the owner is and how devices are; end secrets with what is retired."""
    flavour = available_flavour()
    run_file("0024_owner.sql", flavour)
    run_file("0024_health.sql", flavour)
    run_file("0024_retired.sql", flavour)
