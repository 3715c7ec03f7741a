"""Late fixes that wait to be judged: written by binary COPY, taken away as arrays.

They are no fixes of anybody's yet: whoever takes some away stores and judges them in the same
transaction. Functions work in the caller's transaction.
"""

from typing import Final

import numpy as np
from psycopg import AsyncConnection

from devices.batch import I32, I64, FixBatch
from storage import wire
from storage.arrays import Instants, Int4s, cursor, read_columns
from storage.copying import Layout
from storage.extras import encode_extras
from storage.fixes import LAYOUT as FIX_LAYOUT
from storage.fixes import table_columns
from storage.queries import queries

SQL = queries("late")

LAYOUT: Final = Layout({"shard": wire.INT4, **FIX_LAYOUT.columns})
"""The columns of table late_fixes in order, by their names in FixBatch."""


async def put(conn: AsyncConnection, shard: int, fixes: FixBatch) -> None:
    """Have fixes wait. The same one may wait twice."""
    if not len(fixes):
        return
    columns = table_columns(fixes) | {"shard": np.full(len(fixes), shard, np.int32)}
    async with conn.cursor().copy(SQL["copy_late"]) as copy:
        await copy.write(LAYOUT.encode(columns))
    if fixes.extra:
        async with conn.cursor().copy(SQL["copy_extras"]) as copy:
            await copy.write(encode_extras(fixes))


async def waiting(conn: AsyncConnection, shards: list[int]) -> tuple[I32, I64]:
    """The vehicles of which fixes wait in some shards, and how many; shape (k,) each."""
    found = await read_columns(
        cursor(conn), SQL["waiting"], {"shards": shards},
        {"vehicle": wire.INT4, "fixes": wire.INT8},
    )  # fmt: skip
    return found["vehicle"], found["fixes"]


async def take(conn: AsyncConnection, shards: list[int], vehicles: I32, most: int) -> FixBatch:
    """Take away the oldest waiting fixes of some vehicles: `most` at most, sorted."""
    params = {"shards": shards, "vehicle": Int4s(vehicles), "most": most}
    columns = await read_columns(cursor(conn), SQL["take"], params, FIX_LAYOUT.columns)
    columns["inputs"] = columns["inputs"].view(np.uint32)
    fixes = FixBatch.blank(len(columns["time"]), **columns)
    fixes = fixes.take(fixes.order())
    return fixes.with_columns(extra=await _take_extras(conn, fixes))


async def _take_extras(conn: AsyncConnection, fixes: FixBatch) -> dict[int, bytes]:
    """By row, what else came with the fixes."""
    if not len(fixes):
        return {}
    cur = cursor(conn)
    keys = {"vehicle": Int4s(fixes.vehicle), "time": Instants(fixes.time)}
    await cur.execute(SQL["take_extras"], keys)
    found = {(vehicle, time): text.encode() for vehicle, time, text in await cur.fetchall()}
    if not found:
        return {}
    rows = enumerate(zip(fixes.vehicle.tolist(), fixes.time.tolist(), strict=True))
    return {row: found[key] for row, key in rows if key in found}
