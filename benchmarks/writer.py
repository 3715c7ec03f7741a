"""How fast are fixes written? Baseline: INSERT row by row with executemany, in the same table."""

import asyncio
import time

from psycopg import AsyncConnection

from benchmarks.parts.rows import BATCH, batches, insert_row_by_row, made_fixes
from benchmarks.parts.servers import new_database, new_folder
from benchmarks.report import Rate, Result, run
from devices.batch import FixBatch
from storage import fixes as fix_table
from storage.database import connect

START_US = 1_760_000_000_000_000 // 86_400_000_000 * 86_400_000_000
HOUR_US = 3_600_000_000


async def insert_by_copy(conn: AsyncConnection, fixes: FixBatch) -> float:
    """Rows/s: binary COPY of whole batches, a transaction for each."""
    await fix_table.ensure_days(conn, fixes.time)
    parts = batches(fixes)
    started = time.perf_counter()
    for part in parts:
        async with conn.transaction():
            await fix_table.insert_fixes(conn, part)
    return len(fixes) / (time.perf_counter() - started)


async def compare(dsn: str, rows: int, repeats: int) -> tuple[Rate, Rate]:
    """Both ways in turn, each into hours of its own of one table."""
    ours, baseline = [], []
    async with await connect(dsn, name="benchmark") as conn:
        for turn in range(repeats):
            ours.append(await insert_by_copy(conn, made_fixes(rows, START_US + 2 * turn * HOUR_US)))
            fewer = made_fixes(rows // 5, START_US + (2 * turn + 1) * HOUR_US)
            baseline.append(await insert_row_by_row(conn, fewer))
    return Rate.of(ours), Rate.of(baseline)


def measure(quick: bool) -> Result:
    """Write fixes into the daily partition of a PostgreSQL server on this machine."""
    rows, repeats = (20 * BATCH, 1) if quick else (60 * BATCH, 5)
    with new_folder() as folder, new_database(folder) as postgres:
        ours, baseline = asyncio.run(compare(postgres.dsn, rows, repeats))
    return Result(
        "fixes into the table, committed", "rows/s", ours, baseline,
        "executemany, one INSERT a row, transactions of the same size",
        {"rows of one transaction": BATCH},
    )  # fmt: skip


if __name__ == "__main__":
    run(measure)
