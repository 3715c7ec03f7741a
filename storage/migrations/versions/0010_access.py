"""People, their sessions, keys of programs, and what each role may do."""

from storage.migrations.statements import available_flavour, run_file

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make it, the same on either flavour."""
    flavour = available_flavour()
    run_file("0010_roles.sql", flavour)
    run_file("0010_access.sql", flavour)
