"""A small world to ask about: two operators, and what happened to their vehicles."""

import asyncio
from dataclasses import dataclass
from typing import Any

import numpy as np
from psycopg import AsyncConnection

from devices.batch import FixBatch, Input, Quality, WeighingBatch, inputs_word
from geofence.interval import Interval
from geofence.registry import Route, RouteStop, StationRule, Zone
from storage import fixes, progress, quarantine, registry, violations, weighings
from storage.access import keys, people
from storage.access.roles import NATION, Reach, Role
from storage.database import connect
from storage.registry import registering
from storage.registry.records import BadgeRecord

T0 = 1_777_881_600_000_000
"""2026-05-04T08:00:00Z."""
S = 1_000_000
HOUR = 3_600 * S
SQUARE = [[106.6, 10.7], [106.8, 10.7], [106.8, 10.9], [106.6, 10.9], [106.6, 10.7]]
EVERYBODYS = {"type": "Polygon", "coordinates": [SQUARE]}
NAN = float("nan")


@dataclass(frozen=True)
class World:
    """Ids and keys. north has vehicles n1, n2; south has s1."""

    dsn: str
    north: int
    south: int
    n1: int
    n2: int
    s1: int
    inspector: str
    of_north: str
    of_south: str
    expired: str
    revoked: str
    others: dict[str, str]
    speeding: int
    of_south_speeding: int
    overload: int
    of_south_file: int


def build(dsn: str) -> World:
    async def work() -> World:
        conn = await connect(dsn, name="test")
        try:
            return await _build(conn, dsn)
        finally:
            await conn.close()

    return asyncio.run(work())


def do(dsn: str, work: Any) -> Any:
    """Run `work(conn)` on a connection of the owner."""

    async def main() -> Any:
        conn = await connect(dsn, name="test")
        try:
            return await work(conn)
        finally:
            await conn.close()

    return asyncio.run(main())


async def _build(conn: AsyncConnection[Any], dsn: str) -> World:
    north = await registry.add_operator(conn, "north", "North Lines", "Ha Noi")
    south = await registry.add_operator(conn, "south", "South Lines")
    n1, n2, s1 = await registry.add_vehicles(
        conn,
        [
            registry.NewVehicle(
                "51B12345", north, "coach_over_30", "bus", 80, 16000, 11500, None, 2
            ),
            registry.NewVehicle("29C00777", north),
            registry.NewVehicle("51B99999", south),
        ],
    )
    driver = await registry.add_driver(conn, "790000000001", "An", north)
    for ident, vehicle, owner in (("dev-n1", n1, north), ("dev-s1", s1, south)):
        device = await registry.add_device(conn, ident, "json", operator=owner)
        await registry.assign_device(conn, device, vehicle)
    zones = await _zones(conn, north, south)
    await registry.assign_routes(conn, [n1, s1], ["R-1", "R-S"])
    badge = BadgeRecord(number="B-S", kind="bus", vehicle="51B99999", valid_from=0, valid_to=T0)
    await registering.register(conn, [badge])
    for vehicle in (n1, s1):
        await store(conn, drive(vehicle, driver if vehicle == n1 else -1))
    await violations.write(
        conn,
        [
            *[interval("speeding", v, T0 + 120 * S, T0 + 240 * S, fixes=5) for v in (n1, s1)],
            interval("zone_visit", n1, T0, T0 + HOUR, "depot", zone_id=zones["depot"]),
            interval("zone_visit", n1, T0 + HOUR, T0 + 2 * HOUR, "z-n", zone_id=zones["z-n"]),
            interval("zone_visit", s1, T0, T0 + HOUR, "depot", zone_id=zones["depot"]),
            interval("daily_driving_warning", n1, T0, T0 + HOUR),
            interval("overload_gross", n2, T0 + 480 * S, T0 + 480 * S, "scale", excess=0.3),
        ],
    )
    await _weigh(conn, n2, s1)
    await quarantine.insert(
        conn,
        [
            quarantine.Quarantined("gsht/v1/json/x", b"\xff", T0, "bad_syntax"),
            quarantine.Quarantined("gsht/v1/json/y", b"{}", T0, "unknown_device"),
            quarantine.Quarantined("gsht/v1/json/y", b"{}", T0 + S, "unknown_device"),
        ],
    )
    revoked = await keys.create(conn, "revoked", "inspector")
    await keys.revoke(conn, revoked.id)
    expired = await keys.create(conn, "expired", "inspector")
    await conn.execute(
        "UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE id = %s", [expired.id]
    )
    ids = {
        (kind, vehicle): number
        for number, kind, vehicle in await (
            await conn.execute("SELECT id, kind, vehicle_id FROM violations")
        ).fetchall()
    }
    return World(
        dsn, north, south, n1, n2, s1,
        inspector=await key_of(conn, "inspector"),
        of_north=await key_of(conn, "operator", Reach(north)),
        of_south=await key_of(conn, "operator", Reach(south)),
        expired=expired.key,
        revoked=revoked.key,
        others=await _others(conn, north),
        speeding=ids["speeding", n1],
        of_south_speeding=ids["speeding", s1],
        overload=ids["overload_gross", n2],
        of_south_file=await _file(conn, ids["speeding", s1], b"51B99999 of South Lines"),
    )  # fmt: skip


async def key_of(conn: AsyncConnection[Any], role: Role, reach: Reach = NATION) -> str:
    return (await keys.create(conn, role, role, reach)).key


async def _others(conn: AsyncConnection[Any], north: int) -> dict[str, str]:
    """Keys of every other kind of caller, by the name that tests/api/matrix.toml has for it."""
    provider = await people.add_provider(conn, "vnet", "V-Net")
    await people.provide(conn, provider, ["dev-n1"])
    return {
        "administrator": await key_of(conn, "administrator"),
        "province": await key_of(conn, "inspector", Reach(province="Ha Noi")),
        "provider": await key_of(conn, "provider", Reach(provider_id=provider)),
        "reader": await key_of(conn, "reader"),
        "reader_of_north": await key_of(conn, "reader", Reach(north)),
        "reader_of_province": await key_of(conn, "reader", Reach(province="Ha Noi")),
    }


async def _file(conn: AsyncConnection[Any], violation: int, content: bytes) -> int:
    """A file that somebody added to a violation."""
    found = await conn.execute(
        "INSERT INTO violation_attachments (violation_id, name, type, bytes, sha256, content,"
        " actor, role) VALUES (%s, '51B99999.txt', 'text/plain', %s, sha256(%s), %s,"
        " 'person chi', 'inspector') RETURNING id",
        [violation, len(content), content, content],
    )
    [(number,)] = await found.fetchall()
    return int(number)


async def _zones(conn: AsyncConnection[Any], north: int, south: int) -> dict[str, int]:
    made = {}
    for code, kind, owner in (
        ("depot", "watch", None),
        ("term-a", "terminal", None),
        ("term-b", "terminal", None),
        ("z-n", "watch", north),
        ("z-s", "watch", south),
    ):
        zone = Zone(0, code, kind, EVERYBODYS, name=code.title(), operator_id=owner)  # type: ignore[arg-type]
        made[code] = (await registry.add_zone(conn, zone)).id
    there = {"type": "LineString", "coordinates": [[106.7, 10.8], [106.9, 10.9]]}
    back = {"type": "LineString", "coordinates": [[106.9, 10.9], [106.7, 10.8]]}
    for code, owner in (("R-1", None), ("R-S", south)):
        await registry.add_route(
            conn,
            Route(
                0, code, 200.0, "term-a", "term-b", there, back, operator_id=owner,
                stops=(RouteStop("outbound", 1, 106.8, 10.85, "Halfway"),),
            ),
        )  # fmt: skip
    return made


def drive(vehicle: int, driver: int = -1, *, n: int = 120, start: int = T0) -> FixBatch:
    """An hour of fixes 30 s apart: 20 minutes of driving, 20 of standing, 20 of driving."""
    time = start + np.arange(n, dtype=np.int64) * 30 * S
    speed = np.where((np.arange(n) >= n // 3) & (np.arange(n) < 2 * n // 3), 0.0, 53.2)
    quality = np.zeros(n, np.uint16)
    quality[6] = int(Quality.JUMP)
    quality[7] = int(Quality.LATE)
    known, hdop, odometer = np.full((3, n), np.nan)
    known[0], hdop[0], odometer[0] = 12.3125, 0.8984375, 123_456.6875  # 12.3, 0.9, 123456.7
    return FixBatch.blank(
        n,
        vehicle=np.full(n, vehicle),
        time=time,
        received=time + 1_250_000,
        lon=106.7 + np.cumsum(speed) / 3.6 * 30 / 109_000,
        lat=np.full(n, 10.8),
        speed_kmh=speed,
        heading=np.full(n, 90.0),
        altitude=known,
        hdop=hdop,
        odometer=odometer,
        satellites=np.where(np.arange(n) == 0, 9, 255),
        driver=np.full(n, driver),
        inputs=np.full(n, inputs_word({Input.IGNITION: True, Input.DOOR: False})),
        quality=quality,
        extra={0: b'{"io": {"239": 1}}'},
    )


async def store(conn: AsyncConnection[Any], batch: FixBatch) -> None:
    """Store fixes of one vehicle, and the last of them as its latest."""
    await fixes.ensure_days(conn, batch.time)
    async with conn.transaction():
        await fixes.insert_fixes(conn, batch)
        last = batch.take(np.array([len(batch) - 1]))
        await progress.upsert_latest(conn, last, last.time, last.time, last.time)


def interval(
    kind: str, vehicle: int, started: int, ended: int, subject: str = "", *,
    fixes: int = 3, is_open: bool = False, **details: Any,
) -> Interval:  # fmt: skip
    return Interval(
        kind, vehicle, subject, "qcvn31", -1, started, ended, 1234.5, fixes,
        (106.7, 10.8), (106.71, 10.8), is_open, {"max_speed_kmh": 97.0, **details},
    )  # fmt: skip


async def _weigh(conn: AsyncConnection[Any], n2: int, s1: int) -> None:
    station = await registry.add_station(
        conn, StationRule(0, "scale", 107.1, 10.9, "Scale", "wim", 0.05)
    )
    time = np.array([T0 + 480 * S, T0 + 480 * S, T0 + 900 * S], np.int64)
    batch = WeighingBatch(
        station=("scale",) * 3,
        plate=("29C00777", "51B99999", "29C00777"),
        time=time,
        received=time + S,
        lane=np.array([1, 2, 0], np.int16),
        gross_kg=np.array([31450.0, 12000.0, 9000.0]),
        speed_kmh=np.array([52.0, 40.0, NAN], np.float32),
        length_m=np.array([11.9, NAN, NAN], np.float32),
        axle_start=np.array([0, 2, 4, 4], np.int64),
        axle_kg=np.array([11000.0, 20450.0, 5000.0, 7000.0]),
        axle_spacing_m=np.array([NAN, 4.3, NAN, 3.9]),
    )
    async with conn.transaction():
        await weighings.insert(
            conn, batch, np.array([n2, s1, n2], np.int32), np.full(3, station.id, np.int32)
        )
