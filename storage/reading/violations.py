"""Violations and their earlier versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from psycopg import AsyncConnection

from storage.reading.blocks import load_blocks
from storage.reading.loading import rows_of, with_key
from storage.reading.paging import Page, TimeKey, time_page_of
from storage.reading.rollups import fleet

SQL = load_blocks("violations.sql")

Status = Literal["open", "final", "revised", "withdrawn"]
Review = Literal["new", "acknowledged", "excused", "confirmed", "appealed", "dismissed"]
STANDING: Final[tuple[Status, ...]] = ("open", "final", "revised")
"""What is listed unless asked otherwise: everything that has not been withdrawn."""

SMALL_FLEET: Final = 2_000
"""Vehicles whose violations are looked up vehicle by vehicle, at 10 microseconds each. Of a larger
fleet the newest come soon among everybody's, in order of time."""


class Violation(msgspec.Struct, frozen=True):
    id: int
    kind: str
    subject: str
    rule_profile: str
    vehicle_id: int
    plate: str
    operator: str
    driver: str | None
    started_at: str
    ended_at: str
    duration_s: float
    distance_m: float
    fixes: int
    start_lon: float
    start_lat: float
    end_lon: float
    end_lat: float
    details: msgspec.Raw
    status: str
    version: int
    review: str
    revised_under_review: bool
    review_number: int
    proposal: int | None
    first_seen_at: str
    changed_at: str


class Version(msgspec.Struct, frozen=True):
    version: int
    superseded_at: str
    superseded_by: str
    reason: str
    started_at: str | None
    ended_at: str | None
    duration_s: float | None
    distance_m: float | None
    fixes: int | None
    rule_profile: str | None
    status: str | None
    details: msgspec.Raw


@dataclass(frozen=True, slots=True)
class ViolationFilter:
    """None: any. start, end: bounds of `started_at`, [start, end).

    is_flagged: the facts were revised under the review; is_proposed: a decision waits for a second
    person.
    """

    kinds: Sequence[str] | None = None
    vehicle: int | None = None
    operator: str | None = None
    subject: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    statuses: Sequence[Status] = STANDING
    reviews: Sequence[Review] | None = None
    is_flagged: bool | None = None
    is_proposed: bool | None = None
    min_duration_s: float | None = None


async def violations(
    conn: AsyncConnection[Any], wanted: ViolationFilter, *, before: TimeKey | None, limit: int
) -> Page[Violation, TimeKey]:
    """Violations newest first, older than the key `before`."""
    members = None if wanted.operator is None else await fleet(conn, wanted.operator)
    values = {
        "fleet": None if members is None or len(members) > SMALL_FLEET else members,
        # Lists become arrays; psycopg takes a tuple for a row.
        "kinds": wanted.kinds and list(wanted.kinds),
        "vehicle": wanted.vehicle,
        "operator": wanted.operator,
        "subject": wanted.subject,
        "from": wanted.start,
        "to": wanted.end,
        "statuses": list(wanted.statuses),
        "reviews": wanted.reviews and list(wanted.reviews),
        "flagged": wanted.is_flagged,
        "proposed": wanted.is_proposed,
        "min_duration_s": wanted.min_duration_s,
        "before_us": before.at_us if before else None,
        "before_id": before.id if before else None,
        "rows": limit + 1,
    }
    cursor = await rows_of(conn, with_key(Violation)).execute(SQL["violations"], values)
    return time_page_of(await cursor.fetchall(), limit)


async def violation(
    conn: AsyncConnection[Any], number: int
) -> tuple[Violation, tuple[int, int]] | None:
    """One violation, and the first and last instant of its interval (microseconds, UTC)."""
    cursor = await rows_of(conn, with_key(Violation)).execute(
        SQL["violation"], {"violation": number}
    )
    found = await cursor.fetchone()
    return None if found is None else (found[0], (found[1][0], found[1][1]))


async def versions(conn: AsyncConnection[Any], number: int) -> list[Version]:
    cursor = await rows_of(conn, Version).execute(SQL["versions"], {"violation": number})
    return await cursor.fetchall()


async def speeding_bands(
    conn: AsyncConnection[Any], vehicle: int, start: datetime, end: datetime
) -> list[str]:
    """The bands of a vehicle's speeding violations that began in [start, end); "" not known.

    Without those that people excused or dismissed.
    """
    values = {"vehicle": vehicle, "from": start, "to": end}
    found = await (await conn.execute(SQL["speeding_bands"], values)).fetchall()
    return [band or "" for (band,) in found]
