"""People, their sessions, keys of programs, and what each role may do."""

from storage.migrations.statements import available_flavour, run_file

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make it, the same on either flavour."""
    run_file("0010_access.sql", available_flavour())
