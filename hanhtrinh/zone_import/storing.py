"""Zones of a file beside those of the database: whose they are, what is new, what changes."""

from collections.abc import Sequence
from dataclasses import replace

from psycopg import AsyncConnection

from geofence.registry import Zone
from hanhtrinh.zone_import.reading import FoundZone
from storage import registry
from storage.bulk.problems import Problems
from storage.bulk.versioned import Place, Plan, plan
from storage.errors import NotThereError


async def plan_zones(
    conn: AsyncConnection, found: Sequence[FoundZone], now_us: int, problems: Problems
) -> Plan[Zone]:
    """What becomes of the zones of a file; reports what cannot be as the file says."""
    ids: dict[str, int] = {}
    for code in {zone.operator for zone in found if zone.operator is not None}:
        try:
            ids[code] = await registry.operator_id(conn, code)
        except NotThereError:
            continue
    given: list[tuple[Zone, Place]] = []
    for one in found:
        if one.operator is None:
            given.append((one.zone, one.place))
        elif one.operator in ids:
            given.append((replace(one.zone, operator_id=ids[one.operator]), one.place))
        else:
            said = f"operator: expected the code of an operator, got {one.operator!r}"
            problems.add(one.place.problem(said))
    newest = await registry.newest_zones(conn, [zone.code for zone, _ in given])
    return plan(given, newest, now_us, problems)
