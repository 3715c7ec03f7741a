"""The audit: who did what, when and from where, chained by digests."""

from storage.migrations.statements import available_flavour, run_file

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make it, the same on either flavour."""
    run_file("0011_audit.sql", available_flavour())
