"""Weigh stations."""

from collections.abc import Mapping
from dataclasses import replace

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from geofence.registry import StationRule
from geofence.station_table import checked_station
from storage.arrays import Instant, cursor
from storage.queries import queries
from storage.registry.refusals import in_turn

SQL = queries("registry")


async def add_station(
    conn: AsyncConnection, station: StationRule, column_map: Mapping[str, str] | None = None
) -> StationRule:
    """Add a weigh station; its `id` is made here. Returns it as it is now.

    column_map: for a station that sends CSV, our column -> its header (docs/codecs.md).
    Raises geofence.errors.RegistryError for an approach that nothing could be judged by.
    """
    checked_station(station)
    params = {
        "code": station.code,
        "name": station.name,
        "lon": station.lon,
        "lat": station.lat,
        "kind": station.kind,
        "tolerance": station.tolerance,
        "calibrated_until": Instant(station.calibrated_until),
        "approach": None if station.approach is None else Jsonb(station.approach),
        "corridor_m": station.corridor_m,
        "is_two_way": station.is_two_way,
        "weekly_hours": None if station.weekly_hours is None else Jsonb(station.weekly_hours),
        "column_map": None if column_map is None else Jsonb(dict(column_map)),
    }
    cur = cursor(conn)
    async with in_turn(conn, f"weigh station {station.code!r}"):
        await cur.execute(SQL["add_station"], params)
        row = await cur.fetchone()
    assert row is not None
    return replace(station, id=row[0])
