"""Which judge a vehicle's state is in the memory of: two may be given fixes of one vehicle."""

from storage.migrations.statements import available_flavour, run_file

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table; rows come as vehicles are judged."""
    run_file("0008_judging.sql", available_flavour())
