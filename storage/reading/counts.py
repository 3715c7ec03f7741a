"""How many violations began in an hour, a day or a month, by kind and band.

They are counted as they stand when somebody asks: late data revise and withdraw them. What was
withdrawn does not count, nor do warnings, which are no violations; reviews make no difference.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, Final, Literal

import msgspec
from psycopg import AsyncConnection

from storage.reading.blocks import load_blocks
from storage.reading.loading import rows_of

SQL = load_blocks("counts.sql")

LAST_HOUR: Final = datetime(9999, 12, 31, 23, tzinfo=UTC)
"""The calendar of Python ends with it."""


class ViolationCount(msgspec.Struct, frozen=True):
    """band: of kinds that have bands (speeding, overloads), else ""."""

    kind: str
    band: str
    violations: int


async def together(
    conn: AsyncConnection[Any], vehicles: Sequence[int], start: datetime, end: datetime
) -> list[ViolationCount]:
    """Violations of some vehicles that began in [start, end), by kind and band."""
    return (await _counts(conn, "all", vehicles, start, end)).get(None, [])


async def by_vehicle(
    conn: AsyncConnection[Any], vehicles: Sequence[int], start: datetime, end: datetime
) -> dict[int, list[ViolationCount]]:
    """The same of each of them, by id: those that have any."""
    return await _counts(conn, "vehicle", vehicles, start, end)


async def by_hour(
    conn: AsyncConnection[Any], vehicle: int, start: datetime, end: datetime
) -> dict[str, list[ViolationCount]]:
    """By the hour's beginning, of the hours (UTC) that begin in [start, end): those with any."""
    return await _counts(conn, "hour", [vehicle], _hour_from(start), _hour_from(end))


async def by_day(
    conn: AsyncConnection[Any], vehicle: int, start: datetime, end: datetime, zone: str
) -> dict[str, list[ViolationCount]]:
    """By local date, what began in [start, end). zone: a name of the tz database."""
    return await _counts(conn, "day", [vehicle], start, end, zone)


def added(lists: Iterable[Iterable[ViolationCount]]) -> list[ViolationCount]:
    """What several lists come to together, by kind and band."""
    sums: Counter[tuple[str, str]] = Counter()
    for one in chain.from_iterable(lists):
        sums[one.kind, one.band] += one.violations
    return [ViolationCount(*which, number) for which, number in sorted(sums.items())]


async def _counts(
    conn: AsyncConnection[Any], of: Literal["all", "vehicle", "hour", "day"],
    vehicles: Sequence[int], start: datetime, end: datetime, zone: str = "UTC",
) -> dict[Any, list[ViolationCount]]:  # fmt: skip
    """By what they are counted of, in its order; each list by kind and band."""
    values = {"of": of, "vehicles": list(vehicles), "from": start, "to": end, "zone": zone}
    rows = await rows_of(conn, _keyed).execute(SQL["counts"], values)
    found: dict[Any, list[ViolationCount]] = {}
    for key, count in await rows.fetchall():
        found.setdefault(key, []).append(count)
    return found


def _keyed(
    vehicle: int | None, hour: str | None, day: str | None, *count: Any
) -> tuple[int | str | None, ViolationCount]:
    return vehicle or hour or day, ViolationCount(*count)


def _hour_from(at: datetime) -> datetime:
    """The first beginning of an hour (UTC) at an instant or after it."""
    begun = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return begun if begun in {at, LAST_HOUR} else begun + timedelta(hours=1)
