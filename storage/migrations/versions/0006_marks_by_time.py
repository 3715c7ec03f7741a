"""Marks are found by time, too: old ones are thinned out."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """A small index: marks are written nearly in order of time."""
    op.execute("CREATE INDEX judge_marks_time ON judge_marks USING brin (time)")
