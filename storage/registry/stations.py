"""Weigh stations."""

from collections.abc import Mapping
from dataclasses import replace

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from geofence.registry import StationRule
from storage.arrays import Instant, cursor
from storage.queries import queries
from storage.registry.refusals import change

SQL = queries("registry")


async def add_station(
    conn: AsyncConnection, station: StationRule, column_map: Mapping[str, str] | None = None
) -> StationRule:
    """Add a weigh station; its `id` is made here. Returns it as it is now.

    column_map: for a station that sends CSV, our column -> its header (docs/codecs.md).
    """
    params = {
        "code": station.code,
        "name": station.name,
        "lon": station.lon,
        "lat": station.lat,
        "kind": station.kind,
        "tolerance": station.tolerance,
        "calibrated_until": Instant(station.calibrated_until),
        "column_map": None if column_map is None else Jsonb(dict(column_map)),
    }
    cur = cursor(conn)
    async with change(conn, f"weigh station {station.code!r}"):
        await cur.execute(SQL["add_station"], params)
        row = await cur.fetchone()
    assert row is not None
    return replace(station, id=row[0])
