"""Zones and their versions. Geometry is checked before it comes here (geofence.geometry)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb, set_json_loads

from geofence.registry import Zone
from storage.arrays import Instant, cursor
from storage.queries import queries
from storage.registry.refusals import in_turn
from storage.registry.snapshot import zone_of
from storage.registry.versions import end_current

SQL = queries("registry")


async def add_zone(conn: AsyncConnection, zone: Zone) -> Zone:
    """Add a zone under a new code; its `id` and `version` are made here. Returns it as it is now.

    Raises AlreadyThereError for a code that was ever used: `replace_zone` continues one.
    """
    async with in_turn(conn, f"zone {zone.code!r}"):
        return await _insert(conn, replace(zone, version=1))


async def add_zones(conn: AsyncConnection, zones: Sequence[Zone]) -> None:
    """Add many zones under new codes at once, as `add_zone` does."""
    async with in_turn(conn, f"{len(zones)} zones"):
        values = [_values(replace(zone, version=1)) for zone in zones]
        await cursor(conn).executemany(SQL["add_zone"], values)


async def newest_zones(conn: AsyncConnection, codes: Sequence[str]) -> dict[str, Zone]:
    """The newest version of each of some codes, in force or not; new codes have none."""
    cur = cursor(conn)
    set_json_loads(msgspec.json.decode, cur)
    await cur.execute(SQL["newest_zones"], {"code": list(codes)})
    zones = map(zone_of, await cur.fetchall())
    return {zone.code: zone for zone in zones}


async def replace_zone(conn: AsyncConnection, zone: Zone, at_us: int) -> Zone:
    """End the version in force at an instant and let this one begin there. Returns it.

    Raises NotThereError for a code that is unknown or retired.
    """
    async with in_turn(conn, f"zone {zone.code!r}"):
        ended = await end_current(conn, "zone", zone.code, at_us)
        return await _insert(conn, replace(zone, version=ended.version + 1, valid_from=at_us))


async def retire_zone(conn: AsyncConnection, code: str, at_us: int) -> None:
    """End the version in force at an instant. Raises NotThereError."""
    async with in_turn(conn, f"zone {code!r}"):
        await end_current(conn, "zone", code, at_us)


def _values(zone: Zone) -> dict[str, Any]:
    return {
        "code": zone.code,
        "version": zone.version,
        "name": zone.name,
        "kind": zone.kind,
        "operator_id": zone.operator_id,
        "geometry": Jsonb(zone.geometry),
        "radius_m": zone.radius_m,
        "corridor_m": zone.corridor_m,
        "speed_limits": Jsonb(dict(zone.speed_limits)),
        "classes": None if zone.classes is None else list(zone.classes),
        "weekly_hours": None if zone.weekly_hours is None else Jsonb(zone.weekly_hours),
        "valid_from": Instant(zone.valid_from),
        "valid_to": Instant(zone.valid_to),
        "max_stay_s": zone.max_stay_s,
        "min_duration_s": zone.min_duration_s,
        "min_gross_kg": zone.min_gross_kg,
        "overrides_road": zone.overrides_road,
        "crossings": zone.crossings,
    }


async def _insert(conn: AsyncConnection, zone: Zone) -> Zone:
    cur = cursor(conn)
    await cur.execute(SQL["add_zone"], _values(zone))
    row = await cur.fetchone()
    assert row is not None
    return replace(zone, id=row[0])
