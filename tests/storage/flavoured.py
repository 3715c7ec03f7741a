"""A migrated database of either flavour, and fixes in it."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple, TypeVar

import numpy as np
import psycopg
import pytest
from psycopg import AsyncConnection

from devices.batch import FixBatch
from storage import fixes, hours
from storage.access import keys
from storage.access.roles import NATION
from storage.arrays import Float4s, Float8s, Instant, Instants, Int4s, cursor
from storage.flavour import Flavour, compress_before
from storage.migrations import upgrade
from storage.migrations.run import run
from tests.fix_postgres import PostgresServer
from tests.storage import pglite
from tests.storage.connected import connected

T = TypeVar("T")

IS_TIMESCALE = "SELECT EXISTS (SELECT FROM pg_settings WHERE name LIKE 'timescaledb.%')"

INSERT = b"""
INSERT INTO fixes (vehicle_id, time, received, lon, lat, speed_kmh, heading, altitude, hdop,
                   satellites, odometer, driver_id, inputs, quality, delay_ms)
SELECT k.vehicle_id, k.time, k.received, k.lon, k.lat, k.speed_kmh, 'NaN', 'NaN', 'NaN', 255, 'NaN',
       -1, 0, k.quality, k.delay_ms
FROM unnest(%(vehicle)s, %(time)s, %(received)s, %(lon)s, %(lat)s, %(speed_kmh)s, %(quality)s,
            %(delay_ms)s)
     AS k (vehicle_id, time, received, lon, lat, speed_kmh, quality, delay_ms)
"""


OLD_US = 2_117_923_200_000_000
"""When fixes are of that were stored before delays were: in a chunk of their own."""

STORE_OLD = b"""
INSERT INTO fixes (vehicle_id, time, received, lon, lat, speed_kmh, heading, altitude, hdop,
                   satellites, odometer, driver_id, inputs, quality)
SELECT 20, t, t + interval '1.234567 seconds', 105.8, 21, 40, 'NaN', 'NaN', 'NaN', 255, 'NaN', -1,
       0, 0
FROM generate_series(%(first)s, %(first)s + interval '1 hour', '10 seconds') t
"""

ROWS = 500
"""Rows of one INSERT: the server in WebAssembly dies of messages over 64 KiB."""


class Place(NamedTuple):
    """dsn: a migrated database that a module's tests share; is_whole: it knows COPY and crowds."""

    dsn: str
    flavour: Flavour
    is_whole: bool

    def connected(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run asynchronous work on a connection of its own."""

        async def alone(conn: AsyncConnection) -> T:
            if not self.is_whole:  # one session of the server's is every connection's
                await conn.execute("DEALLOCATE ALL")
            return await work(conn)

        return connected(self.dsn, alone)

    async def store(self, conn: AsyncConnection, batch: FixBatch) -> None:
        """Write fixes as the worker does, or by INSERT where there is no COPY."""
        if self.is_whole:
            await fixes.ensure_days(conn, batch.time)
            async with conn.transaction():
                await fixes.insert_fixes(conn, batch)
            return
        for start in range(0, len(batch), ROWS):
            part = batch.take(np.arange(start, min(start + ROWS, len(batch))))
            arrived = fixes.stored_columns(part)
            await cursor(conn).execute(
                INSERT,
                {
                    "vehicle": Int4s(part.vehicle),
                    "time": Instants(part.time),
                    "received": Instants(arrived["received"]),
                    "delay_ms": Int4s(arrived["delay_ms"]),
                    "lon": Float8s(part.lon),
                    "lat": Float8s(part.lat),
                    "speed_kmh": Float4s(part.speed_kmh),
                    "quality": Int4s(part.quality.astype(np.int32)),
                },
            )
        await hours.mark_changed(conn, batch.vehicle, batch.time)


@contextmanager
def migrated(
    flavour: Flavour,
    postgres: PostgresServer,
    earlier: Callable[[str], None] = lambda _dsn: None,
) -> Iterator[Place]:
    """The server at hand where it is of that flavour, for TimescaleDB else the one from npm.

    earlier: brings the empty database to an earlier revision, and does there what it likes.
    """
    with postgres.admin() as admin:
        row = admin.execute(IS_TIMESCALE).fetchone()
    at_hand = Flavour.TIMESCALE if row is not None and row[0] else Flavour.PLAIN
    if at_hand is flavour:
        with postgres.new_database() as name:
            earlier(postgres.dsn_of(name))
            upgrade(postgres.dsn_of(name))
            yield Place(postgres.dsn_of(name), flavour, is_whole=True)
    elif flavour is Flavour.TIMESCALE:
        with pglite.running() as dsn:
            earlier(dsn)
            upgrade(dsn)
            yield Place(dsn, flavour, is_whole=False)
    else:
        pytest.skip("HANHTRINH_TEST_DSN is a server with TimescaleDB")


def store_old(dsn: str) -> None:
    """Store fixes under the schema of before delays; where chunks can be columns, as columns."""
    run(dsn, "0018")

    async def work(conn: AsyncConnection) -> None:
        await conn.execute("DEALLOCATE ALL")  # one session may be every connection's
        await fixes.ensure_days(conn, np.array([OLD_US]))
        await cursor(conn).execute(STORE_OLD, {"first": Instant(OLD_US)})
        await compress_before(conn, OLD_US + fixes.DAY_US)
        await conn.execute("DEALLOCATE ALL")

    connected(dsn, work)


def register(dsn: str, operators: int, vehicles: int) -> None:
    """Operators op-1, op-2, ... with as many vehicles each, whose ids run on."""
    with closing(psycopg.connect(dsn, autocommit=True)) as conn:
        conn.execute(
            "INSERT INTO operators (code, name)"
            " SELECT 'op-' || n, '' FROM generate_series(1, %s) n",
            [operators],
        )
        conn.execute(
            "INSERT INTO vehicles (plate, operator_id)"
            " SELECT 'PLATE' || n, 1 + (n - 1) / %s FROM generate_series(1, %s) n",
            [vehicles, operators * vehicles],
        )


async def as_inspector(conn) -> None:
    await seen_by(conn, "inspector", NATION)


async def seen_by(conn, role, reach) -> None:
    """Let the transaction see what a key of that role and reach may see."""
    made = await keys.create(conn, "test", role, reach)
    await seen_as(conn, made.key, role)


async def seen_as(conn, key, role) -> None:
    """Let the transaction see what the bearer of a key may see."""
    digest = keys.digest_of(key).hex()
    await conn.execute("SELECT set_config('hanhtrinh.caller', %s, true)", (digest,))
    await conn.execute(f"SET LOCAL ROLE hanhtrinh_{role}")
