"""Changes of zones and routes: a change is a new version, and no version is ever overwritten.

Belongs here: what the API needs for POST, PUT and DELETE. All of it runs in the caller's
transaction and with the caller's rights; the database refuses what they do not allow
(InsufficientPrivilege) and a code that is taken, also by somebody the caller cannot see
(UniqueViolation).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from storage.reading.loading import rows_of
from storage.reading.routes import SQL as ROUTES
from storage.reading.zones import SQL as ZONES

Noun = Literal["zone", "route"]
SQL = {"zone": ZONES, "route": ROUTES}


@dataclass(frozen=True, slots=True)
class Held:
    """The newest version of a zone or route, locked until the transaction ends.

    until_us: when its successor begins, or when it ends: the instant that was asked for, else now,
        in any case not before it began. valid_from: when it began, None: it always was.
    """

    id: int
    version: int
    operator_id: int | None
    valid_from: str | None
    until_us: int
    is_retired: bool


@dataclass(frozen=True, slots=True)
class ZoneFacts:
    """A version of a zone as it is written; names and units as in the table."""

    name: str
    kind: str
    geometry: Mapping[str, Any]
    radius_m: float | None
    corridor_m: float | None
    speed_limits: Mapping[str, float]
    classes: Sequence[str] | None
    weekly_hours: Sequence[Sequence[str]] | None
    valid_to: datetime | None
    max_stay_s: float | None
    min_duration_s: float
    min_gross_kg: float | None
    overrides_road: bool


@dataclass(frozen=True, slots=True)
class StopFacts:
    direction: Literal["outbound", "inbound"]
    seq: int
    name: str
    lon: float
    lat: float
    compulsory: bool


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """A version of a route as it is written; names and units as in the table."""

    name: str
    corridor_m: float
    terminal_a: str
    terminal_b: str
    outbound: Mapping[str, Any]
    inbound: Mapping[str, Any]
    stops: Sequence[StopFacts]
    valid_to: datetime | None


async def is_known(conn: AsyncConnection[Any], noun: Noun, code: str) -> bool:
    """Whether the caller sees any version of it."""
    found = await conn.execute(SQL[noun][f"is_{noun}_known"], {"code": code})
    return await found.fetchone() is not None


async def hold(
    conn: AsyncConnection[Any], noun: Noun, code: str, from_us: int | None = None
) -> Held | None:
    """Lock the newest version; None: there is none that the caller may change.

    from_us: when the change takes effect (microseconds, UTC), None: now.
    """
    values = {"code": code, "from_us": from_us}
    cursor = await rows_of(conn, Held).execute(SQL[noun][f"lock_{noun}"], values)
    return await cursor.fetchone()


async def end(conn: AsyncConnection[Any], noun: Noun, held: Held) -> None:
    """Let a version end at `held.until_us`, unless it ended earlier."""
    values = {"id": held.id, "until_us": held.until_us}
    await conn.execute(SQL[noun][f"end_{noun}"], values)


async def operator_id(conn: AsyncConnection[Any], code: str) -> int | None:
    """The operator of that code, if the caller sees it."""
    found = await conn.execute(ZONES["operator_id"], {"code": code})
    row = await found.fetchone()
    return None if row is None else int(row[0])


async def is_terminal(conn: AsyncConnection[Any], code: str) -> bool:
    """Whether the code names a terminal that the caller sees and that is not retired."""
    found = await conn.execute(ZONES["is_terminal"], {"code": code})
    return await found.fetchone() is not None


async def insert_zone(
    conn: AsyncConnection[Any],
    code: str,
    version: int,
    owner: int | None,
    from_us: int | None,
    facts: ZoneFacts,
) -> None:
    """Write a version of a zone, in force from `from_us` (None: now)."""
    values = {
        "code": code,
        "version": version,
        "operator_id": owner,
        "from_us": from_us,
        **{name: getattr(facts, name) for name in ZoneFacts.__slots__},
        "geometry": Jsonb(facts.geometry),
        "speed_limits": Jsonb(facts.speed_limits),
        "classes": None if facts.classes is None else list(facts.classes),
        "weekly_hours": None if facts.weekly_hours is None else Jsonb(facts.weekly_hours),
    }
    await conn.execute(ZONES["insert_zone"], values)


async def insert_route(
    conn: AsyncConnection[Any],
    code: str,
    version: int,
    owner: int | None,
    from_us: int | None,
    facts: RouteFacts,
) -> None:
    """Write a version of a route and its stops, in force from `from_us` (None: now)."""
    values = {
        "code": code,
        "version": version,
        "operator_id": owner,
        "from_us": from_us,
        "name": facts.name,
        "corridor_m": facts.corridor_m,
        "terminal_a": facts.terminal_a,
        "terminal_b": facts.terminal_b,
        "outbound": Jsonb(facts.outbound),
        "inbound": Jsonb(facts.inbound),
        "valid_to": facts.valid_to,
    }
    made = await conn.execute(ROUTES["insert_route"], values)
    row = await made.fetchone()
    assert row is not None
    stops = [
        {"route_id": row[0], **{name: getattr(stop, name) for name in StopFacts.__slots__}}
        for stop in facts.stops
    ]
    if stops:
        await conn.cursor().executemany(ROUTES["insert_stop"], stops)
