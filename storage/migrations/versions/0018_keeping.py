"""Hours that changed are rolled up by the index; evidence outlives the fixes it was found in."""

from storage.flavour import Flavour
from storage.migrations.statements import available_flavour, run_file

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Replace the functions of the roll-up; make room for evidence; let the audit begin later."""
    flavour = available_flavour()
    if flavour is Flavour.PLAIN:
        run_file("0018_plain.sql", flavour)
    run_file("0018_reading.sql", flavour)
    run_file("0018_evidence.sql", flavour)
    run_file("0018_audit.sql", flavour)
