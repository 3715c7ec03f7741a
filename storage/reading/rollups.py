"""What vehicles did by hour, day and month: read from roll-ups, with the same numbers as the fixes.

Days are sums of hours, kept or made when they are read, and months are sums of days: in zones whose
offset is a whole number of hours they are exact.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

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


NOTHING: Final = Activity(0, 0, 0.0, 0.0, 0.0, None)
"""What a vehicle did that sent nothing."""

AT_ONCE: Final = 250
"""Vehicles of one statement: where no days are stored, a month of them is 180,000 hours."""


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
    conn: AsyncConnection[Any], vehicle: int, first: date, until: date, zone: str
) -> dict[str, Activity]:
    """By date, the local days [first, until) in which the vehicle sent anything.

    zone: a name of the tz database.
    """
    values = {"vehicle": vehicle, "first": first, "until": until, "zone": zone}
    found = await rows_of(conn, _keyed).execute(SQL["days"], values)
    return dict(await found.fetchall())


async def fleet(conn: AsyncConnection[Any], operator: str) -> list[int]:
    """The ids of an operator's vehicles, ascending; empty where there is none that may be seen."""
    found = await conn.execute(SQL["fleet"], {"operator": operator})
    return [number for (number,) in await found.fetchall()]


async def vehicles_done(
    conn: AsyncConnection[Any], vehicles: Sequence[int], first: date, until: date, zone: str
) -> dict[int, Activity]:
    """By id, what each of some vehicles did in the local days [first, until): those that did."""
    done: dict[int, Activity] = {}
    span = {"first": first, "until": until, "zone": zone}
    for n in range(0, len(vehicles), AT_ONCE):
        values = {"vehicles": list(vehicles[n : n + AT_ONCE]), **span}
        found = await rows_of(conn, _keyed).execute(SQL["vehicles_done"], values)
        done.update(await found.fetchall())
    return done


def total(activities: Iterable[Activity]) -> Activity:
    """Sums over vehicles or over time, and the fastest."""
    added = list(activities)
    speeds = [one.max_speed_kmh for one in added if one.max_speed_kmh is not None]
    return Activity(
        sum(one.fixes for one in added),
        sum(one.clean_fixes for one in added),
        math.fsum(one.distance_m for one in added),
        math.fsum(one.driving_s for one in added),
        math.fsum(one.silent_s for one in added),
        max(speeds, default=None),
    )
