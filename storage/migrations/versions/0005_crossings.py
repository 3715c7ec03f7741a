"""Zones may ask for the steps that pass them between two fixes."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column; zones that are there do not ask."""
    op.execute("ALTER TABLE zones ADD COLUMN crossings boolean NOT NULL DEFAULT false")
