"""Rows for table fixes, and the baseline way to write them: INSERT row by row with executemany."""

import time
from datetime import UTC, datetime, timedelta

import numpy as np
from psycopg import AsyncConnection

from devices.batch import COLUMNS, FixBatch
from geofence.profile import shipped_profile
from geofence.quality import Delays, Region, mark_arrival
from storage import fixes as fix_table

BATCH = 4096
"""Rows of one transaction: the worker's default."""

VEHICLES = 5000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

INSERT = """
INSERT INTO fixes (vehicle_id, time, received, lon, lat, speed_kmh, heading, altitude, hdop,
                   satellites, odometer, driver_id, inputs, quality)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def made_fixes(n: int, start_us: int) -> FixBatch:
    """N fixes of a fleet in turn, one a second of each vehicle, in order of arrival."""
    rng = np.random.default_rng(1)
    row = np.arange(n)
    when = start_us + row // VEHICLES * 1_000_000
    return FixBatch.blank(
        n,
        vehicle=1 + row % VEHICLES,
        time=when,
        received=when + 1_500_000,
        lon=102 + 8 * rng.random(n),
        lat=8 + 15 * rng.random(n),
        speed_kmh=rng.integers(0, 90, n),
        heading=rng.integers(0, 360, n),
        odometer=1000.0 * row,
        inputs=np.full(n, 0x1_0001),
    )


def arrived(fixes: FixBatch) -> FixBatch:
    """The fixes as the worker keeps them: places and delays rounded, arrival bits set."""
    return mark_arrival(fixes, Region(), Delays.of(shipped_profile()))


def batches(fixes: FixBatch) -> list[FixBatch]:
    """The fixes as transactions of BATCH rows."""
    starts = range(0, len(fixes), BATCH)
    return [fixes.take(np.arange(start, min(start + BATCH, len(fixes)))) for start in starts]


async def insert_row_by_row(conn: AsyncConnection, fixes: FixBatch) -> float:
    """Rows/s: as many INSERTs as rows, sent by executemany, a transaction for each batch.

    The rows are made into Python's values beforehand: whoever writes so has them already.
    """
    await fix_table.ensure_days(conn, fixes.time)
    parts = [_rows(part) for part in batches(fixes)]
    started = time.perf_counter()
    for part in parts:
        async with conn.transaction(), conn.cursor() as cursor:
            await cursor.executemany(INSERT, part)
    return len(fixes) / (time.perf_counter() - started)


def _rows(fixes: FixBatch) -> list[tuple[object, ...]]:
    columns = {name: getattr(fixes, name).tolist() for name in COLUMNS}
    for name in ("time", "received"):
        columns[name] = [EPOCH + timedelta(microseconds=at) for at in columns[name]]
    return list(zip(*columns.values(), strict=True))
