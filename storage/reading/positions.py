"""Latest positions: one row for each vehicle that was ever heard."""

from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from numpy.typing import NDArray
from psycopg import AsyncConnection

from storage import wire
from storage.arrays import cursor as binary_cursor
from storage.arrays import read_columns
from storage.reading.blocks import load_blocks
from storage.reading.fixes import input_states, quality_names
from storage.reading.loading import all_rows, rows_of
from storage.reading.paging import Page

SQL = load_blocks("positions.sql")

COLUMNS: Final = {
    "vehicle": wire.INT4,
    "time": wire.TIMESTAMPTZ,
    "lon": wire.FLOAT8,
    "lat": wire.FLOAT8,
    "speed_kmh": wire.FLOAT4,
    "heading": wire.FLOAT4,
    "inputs": wire.INT4,
    "quality": wire.INT4,
}


class Box(NamedTuple):
    """An area between meridians and parallels, degrees; its edges belong to it."""

    west: float
    south: float
    east: float
    north: float


class Position(msgspec.Struct, frozen=True, gc=False):
    vehicle_id: int
    plate: str
    operator: str
    time: str
    received: str
    lon: float
    lat: float
    speed_kmh: float
    heading: float
    driver: str | None
    inputs: dict[str, bool]
    quality: tuple[str, ...]


def _position(*columns: Any) -> Position:
    *plain, inputs, quality = columns
    return Position(*[*plain, input_states(inputs), quality_names(quality)])


async def positions(
    conn: AsyncConnection[Any],
    *,
    limit: int,
    operator: str | None = None,
    vehicle: int | None = None,
    box: Box | None = None,
    since: datetime | None = None,
    after: int | None = None,
) -> Page[Position, int]:
    """Latest positions in order of vehicle id, of ids greater than `after`."""
    area = dict.fromkeys(Box._fields) if box is None else box._asdict()
    values = {
        "operator": operator,
        "vehicle": vehicle,
        "since": since,
        "after": after,
        "rows": limit + 1,
        **area,
    }
    cursor = await rows_of(conn, _position).execute(SQL["positions"], values)
    rows = await all_rows(cursor)
    kept = rows[:limit]
    return Page(kept, kept[-1].vehicle_id if len(rows) > limit else None)


async def all_positions(conn: AsyncConnection[Any]) -> dict[str, NDArray[Any]]:
    """Every latest position as columns, shape (n,) each, in order of vehicle; names as in FixBatch.

    `inputs` keeps the 32 bits in a signed integer.
    """
    return await read_columns(binary_cursor(conn), SQL["all_positions"], {}, COLUMNS)
