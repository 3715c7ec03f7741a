"""What vehicles did by hour, day and month: read from roll-ups, with the same numbers as the fixes.

Days and months are sums of hours: in zones whose offset is a whole number of hours they are exact,
and there is nothing else to keep up to date.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from storage.reading.blocks import load_blocks
from storage.reading.loading import rows_of

SQL = load_blocks("rollups.sql")


class Activity(msgspec.Struct, frozen=True):
    """Sums over an hour, a day or a span; max_speed_kmh: None where no fix knew one.

    clean_fixes: those that rules see. silent_s: of steps over 900 s; driving_s: of the others that
    led on at over 3 km/h. A step counts where it ends.
    """

    fixes: int
    clean_fixes: int
    distance_m: float
    driving_s: float
    silent_s: float
    max_speed_kmh: float | None


class ViolationCount(msgspec.Struct, frozen=True):
    """band: of speeding, "" for other kinds."""

    kind: str
    band: str
    violations: int


@dataclass(frozen=True, slots=True)
class OperatorMonth:
    """What an operator's vehicles did, by vehicle id, and what was found of them."""

    vehicles: dict[int, Activity]
    violations: list[ViolationCount]


def _keyed(key: Any, *columns: Any) -> tuple[Any, Activity]:
    return key, Activity(*columns)


async def vehicle_hours(
    conn: AsyncConnection[Any], vehicle: int, start: datetime, end: datetime
) -> dict[str, Activity]:
    """By the hour's beginning, the hours in [start, end) in which the vehicle sent anything."""
    values = {"vehicle": vehicle, "from": start, "to": end}
    found = await rows_of(conn, _keyed).execute(SQL["hours"], values)
    return dict(await found.fetchall())


async def vehicle_days(
    conn: AsyncConnection[Any], vehicle: int, start: datetime, end: datetime, zone: str
) -> dict[str, Activity]:
    """By local date, the days in [start, end); zone: a name of the tz database."""
    values = {"vehicle": vehicle, "from": start, "to": end, "zone": zone}
    found = await rows_of(conn, _keyed).execute(SQL["days"], values)
    return dict(await found.fetchall())


async def operator_month(
    conn: AsyncConnection[Any], operator: str, start: datetime, end: datetime
) -> OperatorMonth:
    """What an operator's vehicles did in [start, end), and the violations that began in it."""
    values = {"operator": operator, "from": start, "to": end}
    vehicles = await rows_of(conn, _keyed).execute(SQL["operator_vehicles"], values)
    done = dict(await vehicles.fetchall())
    counts = await rows_of(conn, ViolationCount).execute(SQL["violation_counts"], values)
    return OperatorMonth(done, await counts.fetchall())
