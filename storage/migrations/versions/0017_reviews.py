"""Reviews of violations: each step a row, and files that they lean on."""

from storage.migrations.statements import available_flavour, run_file

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make it, the same on either flavour."""
    run_file("0017_reviews.sql", available_flavour())
