"""The first schema: registry, measurements, judgements, quarantine, access."""

from alembic import op

from storage.flavour import Flavour
from storage.migrations.statements import available_flavour, run_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table, on whichever flavour the server offers."""
    flavour = available_flavour()
    if flavour is Flavour.TIMESCALE:
        op.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    run_file("0001_first_schema.sql", flavour)
    if flavour is Flavour.TIMESCALE:
        run_file("0001_timescale.sql", flavour)
    run_file("0001_functions.sql", flavour)
    run_file("0001_security.sql", flavour)
