"""How many bytes does a fix take in the columnstore, and which of its columns takes them?

Feeds are kept as the worker keeps them, compressed and measured: vehicles that report every ten
seconds, as a national feed asks for; the same with everything that trackers add to it, in whole
metres and tenths, and in tenths and hundredths; and taxis that report about once a minute at
irregular seconds. For comparison each is kept once more as it was sent. Needs a server with
TimescaleDB.
"""

import argparse
import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from psycopg import AsyncConnection, sql

from benchmarks.parts.rows import arrived
from benchmarks.parts.taxis import DAY_US, Taxis
from benchmarks.report import machine
from devices.batch import FixBatch
from simulators.fleet import Fleet, FleetOptions
from simulators.world import load_world
from storage import fixes as fix_table
from storage import flavour
from storage.copying import Layout
from storage.database import connect
from storage.migrations import upgrade

HOUR_US: Final = 3_600_000_000
MONDAY_US: Final = 1_763_337_600_000_000  # 2025-11-17
INTERVAL_S: Final = 10
ROWS: Final = 100_000
"""Rows of one COPY."""

ADDED: Final = ("altitude", "hdop", "odometer")
"""What the national message does not carry, and `satellites`."""

PLACES: Final = {
    "every 10 s": None,
    "every 10 s, all columns": 0,
    "every 10 s, all columns, a decimal more": 1,
}
"""Feeds in a rhythm: to how many decimals they say altitudes (HDOP: one more), None: they do not.
Odometers are whole metres."""

CHUNKS: Final = """
SELECT c.oid::regclass::text FROM pg_class c
WHERE c.relkind = 'r' AND pg_relation_size(c.oid) > 0 AND EXISTS (
    SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = '_ts_meta_count')
"""
"""The tables that chunks are compressed into."""

NAMES: Final = """
SELECT attname::text FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""
COPY_AS_SENT: Final = b"""
COPY fixes (vehicle_id, time, received, lon, lat, speed_kmh, heading, altitude, hdop, satellites,
            odometer, driver_id, inputs, quality) FROM STDIN (FORMAT binary)
"""


def rhythm(vehicles: int, hours: int, places: int | None) -> FixBatch:
    """Simulated vehicles with a fix every ten seconds: whole km/h and degrees, six decimals.

    Half of them stand at any time. Positions are off by 2 m, anew at every fix, and altitudes and
    HDOP differ as well; a fix arrives 0.3 s after it was taken, and 0.4 s more on average.
    places: as in PLACES.
    """
    rng = np.random.default_rng(1)
    fleet = Fleet(load_world(), FleetOptions(vehicles, 1, "json", MONDAY_US))
    sent = fleet.due(MONDAY_US, MONDAY_US + hours * HOUR_US, INTERVAL_S)
    sent = sent.with_columns(
        vehicle=sent.vehicle + np.int32(1),
        received=sent.time + 300_000 + (rng.exponential(400_000, len(sent))).astype(np.int64),
        lon=np.round(sent.lon, 6),
        lat=np.round(sent.lat, 6),
        speed_kmh=np.round(sent.speed_kmh),
        heading=np.round(sent.heading) % 360,
    )
    if places is None:
        return sent.with_columns(
            satellites=np.full(len(sent), 255, np.uint8),
            **{name: np.full_like(getattr(sent, name), np.nan) for name in ADDED},
        )
    return sent.with_columns(
        altitude=np.round(sent.altitude, places), hdop=np.round(sent.hdop, places + 1)
    )


async def store(conn: AsyncConnection, fixes: FixBatch, *, as_sent: bool) -> None:
    """Write fixes as they are kept, or as they were sent."""
    kept = arrived(fixes)
    plain = Layout(fix_table.LAYOUT.columns)
    for start in range(0, len(fixes), ROWS):
        part = np.arange(start, min(start + ROWS, len(fixes)))
        async with conn.transaction():
            if as_sent:
                columns = fix_table.table_columns(fixes.take(part))
                async with conn.cursor().copy(COPY_AS_SENT) as copy:
                    await copy.write(plain.encode(columns))
            else:
                await fix_table.insert_fixes(conn, kept.take(part))


async def measured(conn: AsyncConnection, rows: int) -> dict[str, float]:
    """Bytes a fix: of each column, of what describes a thousand, and of everything there is."""
    bytes_of: dict[str, int] = {}
    for (table,) in await (await conn.execute(CHUNKS)).fetchall():
        names = [name for (name,) in await (await conn.execute(NAMES, [table])).fetchall()]
        size = sql.SQL("coalesce(sum(pg_column_size({})), 0)")
        query = sql.SQL("SELECT {} FROM {}").format(
            sql.SQL(", ").join(size.format(sql.Identifier(name)) for name in names),
            sql.Identifier(*table.split(".")),
        )
        found = await (await conn.execute(query)).fetchone()
        assert found is not None
        for name, size_of in zip(names, found, strict=True):
            column = "described" if name.startswith("_ts_meta") else name
            bytes_of[column] = bytes_of.get(column, 0) + int(size_of)
    whole = await (await conn.execute("SELECT hypertable_size('fixes')")).fetchone()
    assert whole is not None
    return {
        **{name: round(size / rows, 2) for name, size in bytes_of.items()},
        "everything": round(int(whole[0]) / rows, 2),
    }


async def measure(
    dsn: str, feeds: dict[str, FixBatch], say: Callable[[str], None]
) -> dict[str, Any]:
    """Keep each feed in an empty table, twice."""
    report: dict[str, Any] = {}
    async with await connect(dsn, name="benchmark") as conn:
        if await flavour.detect(conn) is not flavour.Flavour.TIMESCALE:
            raise SystemExit("expected a server with TimescaleDB: plain PostgreSQL has no columns")
        for name, fixes in feeds.items():
            for way in ("as kept", "as sent"):
                say(f"{name}, {way}")
                await conn.execute("TRUNCATE fixes")
                await store(conn, fixes, as_sent=way == "as sent")
                rows = await measured(conn, len(fixes))
                await flavour.compress_before(conn, MONDAY_US + 40 * DAY_US)
                await conn.execute("VACUUM fixes")
                report[f"{name}, {way}"] = {
                    "fixes": len(fixes), "as_rows": rows["everything"],
                    "as_columns": await measured(conn, len(fixes)),
                }  # fmt: skip
    return {**report, "machine": machine()}


def main() -> None:
    """Parse the arguments, measure, print; the last line is one JSON object with --json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn", required=True, help="an empty database, TimescaleDB preloaded")
    parser.add_argument("--vehicles", type=int, default=500, help="that report in a rhythm")
    parser.add_argument("--copies", type=int, default=2, help="of the taxis' day, on one day")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()

    def say(what: str) -> None:
        if not arguments.json:
            print(f"  {what}", flush=True)

    upgrade(arguments.dsn)
    taxis = Taxis.load()
    feeds = {
        **{name: rhythm(arguments.vehicles, 6, places) for name, places in PLACES.items()},
        "taxis": FixBatch.concat(
            [taxis.copy(city, MONDAY_US, city) for city in range(arguments.copies)]
        ),
    }
    report = asyncio.run(measure(arguments.dsn, feeds, say))
    print(json.dumps(report, indent=None if arguments.json else 2))


if __name__ == "__main__":
    main()
