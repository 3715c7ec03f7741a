"""How are fixes kept, and how soon are questions about them answered?

Real motion is loaded by COPY as the worker does, rolled up, compressed where the server can, asked
the API's questions, and added to late. The obvious schema (one wide row, btree on device and time,
a PostGIS point with GiST where there is PostGIS) takes one copy of the same day in the same run.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from psycopg import AsyncConnection
from shapely import box

from benchmarks.parts.rows import arrived, batches
from benchmarks.parts.servers import new_database, new_folder
from benchmarks.parts.taxis import DAY_US, Taxis, square
from benchmarks.report import machine
from storage import days, flavour, hours, upkeep
from storage import fixes as fix_table
from storage.access import keys
from storage.copying import Layout
from storage.database import connect
from storage.migrations import upgrade
from storage.reading import areas, counts, journeys, positions, rollups, violations

MONDAY_US: Final = 1_763_337_600_000_000  # 2025-11-17
ZONE: Final = "Asia/Ho_Chi_Minh"
CITIES: Final = 100
FURTHER_DAYS: Final = 29
LATE_ROWS: Final = 8192
ASKED: Final = 30
"""Times that each question is asked, of another vehicle, city or page each time."""

OBVIOUS = """
CREATE TABLE obvious (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, device_id integer,
    ts timestamptz, received timestamptz, lon float8, lat float8, speed real, heading real,
    altitude real, hdop real, satellites smallint, odometer float8, driver_id integer,
    inputs integer,    quality integer{point});
CREATE INDEX ON obvious (device_id, ts);
"""
POINT = (
    ", place geometry(Point, 4326)"
    " GENERATED ALWAYS AS (ST_SetSRID(ST_Point(lon, lat), 4326)) STORED"
)
HYPERTABLE_SIZE = "SELECT hypertable_size(%(table)s::regclass)"
TABLE_SIZE = """
SELECT pg_total_relation_size(%(table)s::regclass)
     + coalesce((SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits
                 WHERE inhparent = %(table)s::regclass), 0)
"""
COPY_OBVIOUS = b"""
COPY obvious (device_id, ts, received, lon, lat, speed, heading, altitude, hdop, satellites,
              odometer, driver_id, inputs, quality) FROM STDIN (FORMAT binary)
"""
REGISTER = """
INSERT INTO operators (code, name) SELECT 'op-' || n, '' FROM generate_series(1, 100) n;
INSERT INTO vehicles (plate, operator_id)
    SELECT 'BENCH' || n, 1 + (n - 1) / 500 FROM generate_series(1, 50000) n;
INSERT INTO latest SELECT n, now(), 102 + n / 1e4, 10 + n / 1e4, n % 90, n % 360, -1, 1, 0, now(),
    now(), now(), now() FROM generate_series(1, 50000) n;
INSERT INTO violations (kind, subject, rule_profile, vehicle_id, started_at, ended_at, duration_s,
    distance_m, fixes, start_lon, start_lat, end_lon, end_lat, details, status)
    SELECT CASE WHEN n % 3 = 0 THEN 'zone_dwell' ELSE 'speeding' END, '', 'qcvn31', 1 + n % 50000,
        timestamptz '2025-11-01 UTC' + n * interval '12 seconds',
        timestamptz '2025-11-01 UTC' + n * interval '12 seconds' + interval '1 minute', 60, 900, 6,
        105, 21, 105, 21, '{"band": "5_10", "max_speed_kmh": 88, "limit_kmh": 80}', 'final'
    FROM generate_series(1, 200000) n;
ANALYZE operators, vehicles, latest, violations;
"""


async def load(conn: AsyncConnection, taxis: Taxis, copies: int) -> dict[str, Any]:
    """Two thirds of the copies are cities on one day, the rest further days: first of one city."""
    cities = max(1, min(CITIES, round(copies * 2 / 3)))
    plan = [(city, 0) for city in range(cities)]
    others = max(1, cities - 1)
    plan += [
        (1 + n % others if n >= FURTHER_DAYS else 0, 1 + n % FURTHER_DAYS)
        for n in range(copies - cities)
    ]
    busy, rows = 0.0, 0
    for seed, (city, day) in enumerate(plan):
        fixes = arrived(taxis.copy(city, MONDAY_US + day * DAY_US, seed))
        await fix_table.ensure_days(conn, fixes.time)
        started = time.perf_counter()
        for part in batches(fixes):
            async with conn.transaction():
                await fix_table.insert_fixes(conn, part)
        busy += time.perf_counter() - started
        rows += len(fixes)
    return {
        "rows": rows,
        "cities": cities,
        "days": len({d for _, d in plan}),
        "rows_per_s": rows / busy,
    }


async def size(conn: AsyncConnection, table: str) -> int:
    """Bytes of a table with its indexes and everything, partitions or chunks included."""
    is_hyper = table == "fixes" and await flavour.detect(conn) is flavour.Flavour.TIMESCALE
    found = await conn.execute(HYPERTABLE_SIZE if is_hyper else TABLE_SIZE, {"table": table})
    row = await found.fetchone()
    assert row is not None
    return int(row[0])


async def add_late(conn: AsyncConnection, taxis: Taxis, cities: int) -> float:
    """Rows/s of fixes that come days late, each batch from all over a city; half a second off."""
    rng = np.random.default_rng(7)
    busy = 0.0
    for n in range(LATE_ROWS // 4096):
        fixes = taxis.copy(n % cities, MONDAY_US, n % cities)
        late = fixes.take(np.sort(rng.choice(len(fixes), 4096, replace=False)))
        late = late.with_columns(time=late.time + 500_000 + n)
        started = time.perf_counter()
        async with conn.transaction():
            await fix_table.stored(conn, late.vehicle, late.time)
            await fix_table.insert_fixes(conn, late)
        busy += time.perf_counter() - started
    return LATE_ROWS / busy


async def asked(question: Callable[[int], Awaitable[object]]) -> tuple[float, float]:
    """Median and 95th percentile, ms, over ASKED questions."""
    took = []
    for n in range(ASKED):
        started = time.perf_counter()
        await question(n)
        took.append((time.perf_counter() - started) * 1000)
    return round(float(np.median(took)), 2), round(float(np.percentile(took, 95)), 2)


async def ask(conn: AsyncConnection, taxis: Taxis, loaded: dict[str, Any]) -> dict[str, Any]:
    """Every question, as an inspector through the API's role."""
    monday = datetime.fromtimestamp(MONDAY_US / 1e6, UTC)
    afternoon = monday + timedelta(hours=14)
    cities = loaded["cities"]

    async def vehicle_day(n: int) -> None:
        await journeys.track(
            conn, journeys.Stretch(1 + 37 * n % taxis.vehicles, monday, monday + timedelta(1))
        )

    async def area(n: int) -> None:
        where = box(*square(taxis, n % cities))
        await areas.passes(conn, where, afternoon, afternoon + timedelta(minutes=10))

    async def month_of_violations(n: int) -> None:
        wanted = violations.ViolationFilter(
            kinds=("speeding",), operator=f"op-{1 + n}", start=datetime(2025, 11, 1, tzinfo=UTC),
            end=datetime(2025, 12, 1, tzinfo=UTC), min_duration_s=30,
        )  # fmt: skip
        await violations.violations(conn, wanted, before=None, limit=100)

    async def operator_month(_: int) -> None:
        fleet = await rollups.fleet(conn, "op-1")
        first = monday.date()
        await rollups.vehicles_done(conn, fleet, first, first + timedelta(30), ZONE)
        await counts.together(conn, fleet, monday, monday + timedelta(30))
        await counts.by_vehicle(conn, fleet[:100], monday, monday + timedelta(30))

    async def vehicle_month(n: int) -> None:
        vehicle, first, end = 1 + 37 * n % taxis.vehicles, monday.date(), monday + timedelta(30)
        await rollups.vehicle_days(conn, vehicle, first, end.date(), ZONE)
        await counts.by_day(conn, vehicle, monday, end, ZONE)
        await rollups.vehicle_hours(conn, vehicle, monday, end)
        await counts.by_hour(conn, vehicle, monday, end)

    async def latest(_: int) -> None:
        await positions.all_positions(conn)

    questions = (
        vehicle_day, area, month_of_violations, operator_month, vehicle_month, latest,
    )  # fmt: skip
    made = await keys.create(conn, "benchmark", "inspector")
    async with conn.transaction():
        digest = keys.digest_of(made.key).hex()
        await conn.execute("SELECT set_config('hanhtrinh.caller', %s, true)", (digest,))
        await conn.execute("SET LOCAL ROLE hanhtrinh_inspector")
        await conn.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        found = {question.__name__: await asked(question) for question in questions}
    return {
        "p50_ms": {name: took[0] for name, took in found.items()},
        "p95_ms": {name: took[1] for name, took in found.items()},
    }


async def obvious(conn: AsyncConnection, taxis: Taxis) -> dict[str, Any]:
    """One copy of the day in the obvious schema: rows/s, bytes a fix, and two questions."""
    found = await conn.execute("SELECT FROM pg_available_extensions WHERE name = 'postgis'")
    has_point = bool(found.rowcount)
    if has_point:
        await conn.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    await conn.execute("DROP TABLE IF EXISTS obvious")
    await conn.execute(OBVIOUS.format(point=POINT if has_point else "").encode())
    if has_point:
        await conn.execute("CREATE INDEX ON obvious USING gist (place)")
    layout = Layout(fix_table.LAYOUT.columns)
    fixes = taxis.copy(0, MONDAY_US, 0)
    started = time.perf_counter()
    for part in batches(fixes):
        async with conn.transaction(), conn.cursor().copy(COPY_OBVIOUS) as copy:
            await copy.write(layout.encode(fix_table.table_columns(part)))
    took = time.perf_counter() - started
    await conn.execute("ANALYZE obvious")
    west, south, east, north = square(taxis, 0)

    async def vehicle_day(n: int) -> None:
        query = "SELECT * FROM obvious WHERE device_id = %s ORDER BY ts"
        await (await conn.execute(query, [1 + 37 * n % taxis.vehicles])).fetchall()

    async def area(_: int) -> None:
        place = (
            "place && ST_MakeEnvelope(%s, %s, %s, %s, 4326)" if has_point
            else "lon >= %s AND lat >= %s AND lon <= %s AND lat <= %s"
        )  # fmt: skip
        query = f"SELECT DISTINCT device_id FROM obvious WHERE {place} AND ts >= %s AND ts < %s"
        since = datetime.fromtimestamp(MONDAY_US / 1e6, UTC) + timedelta(hours=14)
        bounds = [west, south, east, north, since, since + timedelta(minutes=10)]
        await (await conn.execute(query.encode(), bounds)).fetchall()

    return {
        "rows": len(fixes), "has_postgis": has_point, "rows_per_s": round(len(fixes) / took),
        "bytes_per_fix": round(await size(conn, "obvious") / len(fixes), 1),
        "p50_ms": {"vehicle_day": (await asked(vehicle_day))[0], "area": (await asked(area))[0]},
    }  # fmt: skip


async def measure(dsn: str, rows: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Load, ask, compress, ask again, add late; in an empty database."""
    taxis = Taxis.load()
    async with await connect(dsn, name="benchmark") as conn:
        await conn.execute(REGISTER)
        say("the obvious schema")
        plain = await obvious(conn, taxis)
        say("loading")
        loaded = await load(conn, taxis, max(1, rows // len(taxis.day)))
        await conn.execute("ANALYZE fixes")
        report: dict[str, Any] = {"flavour": (await flavour.detect(conn)).value, **loaded}
        report["bytes_per_fix"] = round(await size(conn, "fixes") / loaded["rows"], 1)
        say("rolling up")
        started = time.perf_counter()
        await hours.refresh(conn, 0, MONDAY_US + 40 * DAY_US)
        report["rolled_up_rows_per_s"] = round(loaded["rows"] / (time.perf_counter() - started))
        started = time.perf_counter()
        await days.refresh(conn, ZONE, MONDAY_US + 40 * DAY_US)
        report["days_s"] = round(time.perf_counter() - started, 2)
        await upkeep.summarize(conn)
        say("asking of rows")
        report["uncompressed"] = await ask(conn, taxis, loaded)
        say("compressing")
        started = time.perf_counter()
        compressed = await flavour.compress_before(conn, MONDAY_US + 40 * DAY_US)
        if compressed:
            took = time.perf_counter() - started
            report["compressed_rows_per_s"] = round(loaded["rows"] / took)
        await conn.execute("VACUUM (ANALYZE) fixes")
        report["bytes_per_fix_compressed"] = (
            round(await size(conn, "fixes") / loaded["rows"], 1) if compressed else None
        )
        say("asking")
        report |= await ask(conn, taxis, loaded)
        say("adding late fixes")
        report["late_rows_per_s"] = round(await add_late(conn, taxis, loaded["cities"]))
        report["rows_per_s"] = round(loaded["rows_per_s"])
        return {**report, "obvious": plain, "machine": machine()}


def main() -> None:
    """Parse the arguments, measure, print; the last line is one JSON object with --json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000, help="fixes to load, about")
    parser.add_argument("--dsn", help="an empty database; none: the embedded server")
    parser.add_argument("--quick", action="store_true", help="one copy of the day")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()

    def say(what: str) -> None:
        if not arguments.json:
            print(f"  {what}", flush=True)

    with ExitStack() as stack:
        dsn = arguments.dsn
        if dsn is None:
            dsn = stack.enter_context(new_database(stack.enter_context(new_folder()))).dsn
        upgrade(dsn)
        report = asyncio.run(measure(dsn, 1 if arguments.quick else arguments.rows, say))
    print(json.dumps(report, indent=None if arguments.json else 2))


if __name__ == "__main__":
    main()
