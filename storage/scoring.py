"""What was found of some vehicles, for comparison with what is known to have happened.

Instants are microseconds since 1970 UTC.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from psycopg import AsyncConnection

from geofence.registry import END_US
from storage.arrays import Instant, cursor
from storage.queries import queries

SQL: Final = queries("scoring")


class FoundViolation(NamedTuple):
    """A violation as it stands. first_seen: when the transaction that first wrote it began."""

    kind: str
    plate: str
    subject: str
    started: int
    ended: int
    first_seen: int


async def violations_of(
    conn: AsyncConnection, plates: Sequence[str], since_us: int, until_us: int = END_US
) -> list[FoundViolation]:
    """The violations and warnings, not withdrawn, of these plates that meet the span; by time."""
    params = {"plate": [*plates], "since": Instant(since_us), "until": Instant(until_us)}
    async with cursor(conn) as cur:
        await cur.execute(SQL["of_plates"], params)
        return [FoundViolation(*row) for row in await cur.fetchall()]
