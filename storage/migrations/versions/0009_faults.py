"""Late fixes that wait to be judged, and the messages that a worker has in hand."""

from storage.migrations.statements import available_flavour, run_file

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the tables."""
    run_file("0009_faults.sql", available_flavour())
