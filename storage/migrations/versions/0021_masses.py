"""A vehicle's kerb mass and permitted cargo are together no more than its permitted gross mass."""

from storage.migrations.statements import available_flavour, run_file

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Have the database refuse other masses, for registrations that are made from now on."""
    run_file("0021_masses.sql", available_flavour())
