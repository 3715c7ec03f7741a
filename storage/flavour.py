"""The one module that knows TimescaleDB from plain PostgreSQL.

Belongs here: what differs between the two, as data and small functions that the rest calls without
asking which it is.
"""

from enum import StrEnum

from psycopg import AsyncConnection


class Flavour(StrEnum):
    """What kind of database holds the fixes."""

    TIMESCALE = "timescale"
    PLAIN = "plain"


async def detect(conn: AsyncConnection) -> Flavour:
    """The flavour that the migrated database has: whether its fixes are a hypertable."""
    found = await conn.execute(
        "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')"
    )
    row = await found.fetchone()
    return Flavour.TIMESCALE if row is not None and row[0] else Flavour.PLAIN
