"""Violations and their versions; with them, the facts that judging emits alike.

Facts are visits to zones and trips on routes.

Functions that write work in the caller's transaction. Instants are microseconds since 1970 UTC.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import numpy as np
from psycopg import AsyncConnection
from psycopg.types.json import set_json_loads

from devices.batch import I32, I64, UNKNOWN
from geofence.driving_time import KINDS as DRIVING_TIMES
from geofence.driving_time import WARNINGS
from geofence.interval import Interval
from geofence.rules.clock_wrong import KIND as CLOCK_WRONG
from geofence.rules.rule import Key
from storage import route_trips, visits
from storage.arrays import Float8s, Instant, Instants, Int4s, Int8s, Texts, cursor
from storage.driving import Subject
from storage.fixes import horizon, settled_by_age
from storage.queries import queries
from storage.revisions import (
    Plan,
    Stored,
    plan_reconciliation,
    plan_write,
    status_of,
    storable_details,
)
from storage.wire import BEGINNING_US

SQL = queries("violations")

LATE_DEPARTURE: Final = "late_departure"

NOT_OF_FIXES: Final = [
    "overload_gross", "overload_axle", "overload_cargo", LATE_DEPARTURE, CLOCK_WRONG,
]  # fmt: skip
"""Kinds that do not come from the judged fixes of one vehicle: from weighings, from timetables,
which look at all vehicles' trips, or from fixes whose own time is wrong."""

BY_DRIVER: Final = [*DRIVING_TIMES, *WARNINGS]
"""Kinds that are judged by driver, over all vehicles that he drove."""

WORKER: Final = "worker"
"""Who supersedes a version when no person does."""


@dataclass(frozen=True, slots=True)
class Changes:
    """How many violations of each kind are new, went on, were revised, were withdrawn.

    departures: of trips that are new, over or gone: their routes' timetables have to be compared.
    """

    inserted: Mapping[str, int]
    updated: Mapping[str, int]
    revised: Mapping[str, int]
    withdrawn: Mapping[str, int]
    departures: frozenset[route_trips.Departure] = frozenset()


NO_CHANGES: Final = Changes({}, {}, {}, {})


async def write(
    conn: AsyncConnection, intervals: Sequence[Interval], reason: str = "judged again"
) -> Changes:
    """Take in what judging went on to find. Writing the same again changes nothing.

    Open violations grow in place and become final. Should one that is final turn out otherwise,
    its old facts are kept as a version, with the reason.
    """
    seen, trips, found = _split(intervals)
    await visits.write(conn, seen)
    departures = await route_trips.write(conn, trips)
    changes = await _write(conn, found, reason)
    return replace(changes, departures=frozenset(departures))


async def reconcile(
    conn: AsyncConnection,
    vehicles: I32,
    settled_until: I64,
    pending: Collection[Key],
    intervals: Sequence[Interval],
    reason: str,
) -> Changes:
    """Let what fixes have shown of vehicles[i] after settled_until[i] be exactly these intervals.

    What may change began after the last settled fix, or has its key in `pending`: it was not
    decided then (`geofence.judge.Judged`). Everything else was decided before and stands.

    vehicles, settled_until: shape (k,), no vehicle twice; `intervals` are of these vehicles. Old
    facts are kept as versions. The review of a violation is never touched; where its facts changed
    under one, `revised_under_review` is set. What began before the horizon stands.
    """
    seen, trips, found = _split(intervals)
    first = await horizon(conn)
    if found and (settled_until < first).any():
        found = await _without_known(conn, found, first)
    settled_until = settled_by_age(settled_until, first)
    pending_of = {
        kind: [key for key in pending if key[0] == kind] for kind in (visits.KIND, route_trips.KIND)
    }
    await visits.reconcile(conn, vehicles, settled_until, pending_of[visits.KIND], seen)
    departures = await route_trips.reconcile(
        conn, vehicles, settled_until, pending_of[route_trips.KIND], trips
    )
    undecided = [key for key in pending if key[0] not in pending_of]
    undecided_rows = await _stored(
        conn,
        "after",
        {
            "vehicle": Int4s(vehicles),
            "settled": Instants(settled_until),
            "not_of_fixes": NOT_OF_FIXES + BY_DRIVER,
            "pending_kind": Texts(key[0] for key in undecided),
            "pending_vehicle": Int4s(np.array([key[1] for key in undecided], np.int32)),
            "pending_subject": Texts(key[2] for key in undecided),
            "pending_started": Instants(np.array([key[3] for key in undecided], np.int64)),
        },
    )
    # A found one that was decided before is no change, and must not look like a new one.
    rows = {row.id: row for row in [*undecided_rows, *await _stored_by_key(conn, found)]}
    changes = await _carry_out(conn, plan_reconciliation(rows.values(), found), reason)
    return replace(changes, departures=frozenset(departures))


async def reconcile_driving(
    conn: AsyncConnection,
    since: Mapping[Subject, int],
    intervals: Sequence[Interval],
    reason: str,
) -> Changes:
    """Let the driving times of each subject that began at its instant or later be these.

    A subject is a driver, or a vehicle for what it was driven by nobody knows whom; `intervals` are
    theirs, of kinds BY_DRIVER. Versions and reviews are kept as by `reconcile`.
    """
    drivers = [(driver, begins) for (driver, _), begins in since.items() if driver >= 0]
    vehicles = [(vehicle, begins) for (driver, vehicle), begins in since.items() if driver < 0]
    rows = await _stored(
        conn,
        "driving",
        {
            "kind": BY_DRIVER,
            "driver": Int4s(np.array([driver for driver, _ in drivers], np.int32)),
            "driver_since": Instants(np.array([begins for _, begins in drivers], np.int64)),
            "vehicle": Int4s(np.array([vehicle for vehicle, _ in vehicles], np.int32)),
            "vehicle_since": Instants(np.array([begins for _, begins in vehicles], np.int64)),
        },
    )
    return await _carry_out(conn, plan_reconciliation(rows, intervals), reason)


async def open_since(conn: AsyncConnection, kind: str, vehicles: I32) -> dict[int, int]:
    """When the earliest open violation of a kind began, for those of the vehicles that have one."""
    cur = cursor(conn)
    await cur.execute(SQL["open_since"], {"kind": kind, "vehicle": Int4s(vehicles)})
    return dict(await cur.fetchall())


async def reconcile_clocks(
    conn: AsyncConnection,
    kind: str,
    since: Mapping[int, int],
    intervals: Sequence[Interval],
    reason: str,
) -> Changes:
    """Let the violations of a kind of each vehicle that began at its instant or later be these."""
    rows = await _stored(
        conn,
        "of_kind_since",
        {
            "kind": kind,
            "vehicle": Int4s(np.array(list(since), np.int32)),
            "since": Instants(np.array(list(since.values()), np.int64)),
        },
    )
    return await _carry_out(conn, plan_reconciliation(rows, intervals), reason)


async def reconcile_departures(
    conn: AsyncConnection, code: str, first: int, last: int, found: Sequence[Interval]
) -> Changes:
    """Let the late departures of a route that left from `first` to before `last` be these."""
    rows = await _stored(
        conn, "of_route", {"kind": LATE_DEPARTURE, "subject": code, "first": Instant(first),
                           "last": Instant(last)},
    )  # fmt: skip
    return await _carry_out(conn, plan_reconciliation(rows, found), "trips of the day are others")


async def _without_known(
    conn: AsyncConnection, found: Sequence[Interval], first: int
) -> list[Interval]:
    """Without those that are the rest of a violation that began before the horizon `first`."""
    params = {"vehicle": Int4s(np.array([i.vehicle for i in found])), "first": Instant(first)}
    cur = cursor(conn)
    await cur.execute(SQL["across"], params)
    ended = {(kind, vehicle, subject): at for kind, vehicle, subject, at in await cur.fetchall()}
    return [i for i in found if i.started > ended.get((i.kind, i.vehicle, i.subject), BEGINNING_US)]


def _split(
    intervals: Sequence[Interval],
) -> tuple[list[Interval], list[Interval], list[Interval]]:
    """Visits and trips by key, and violations."""
    seen = {
        (i.vehicle, visits.zone_id(i), i.started): i for i in intervals if i.kind == visits.KIND
    }
    trips = {
        (i.vehicle, route_trips.route_id(i), i.started): i
        for i in intervals
        if i.kind == route_trips.KIND
    }
    facts = (visits.KIND, route_trips.KIND)
    return (
        list(seen.values()), list(trips.values()), [i for i in intervals if i.kind not in facts],
    )  # fmt: skip


async def _write(conn: AsyncConnection, found: Sequence[Interval], reason: str) -> Changes:
    if not found:
        return Changes({}, {}, {}, {})
    return await _carry_out(conn, plan_write(await _stored_by_key(conn, found), found), reason)


async def _stored_by_key(conn: AsyncConnection, found: Sequence[Interval]) -> list[Stored]:
    """The stored violations that have the keys of these intervals."""
    if not found:
        return []
    params = {
        "kind": Texts(i.kind for i in found),
        "vehicle": Int4s(np.array([i.vehicle for i in found])),
        "started": Instants(np.array([i.started for i in found], np.int64)),
        "subject": Texts(i.subject for i in found),
    }
    return await _stored(conn, "by_key", params)


async def _stored(conn: AsyncConnection, statement: str, params: dict[str, Any]) -> list[Stored]:
    cur = cursor(conn)
    set_json_loads(msgspec.json.decode, cur)
    await cur.execute(SQL[statement], params)
    return [_stored_of(*row) for row in await cur.fetchall()]


def _stored_of(violation: int, version: int, status: str, *row: Any) -> Stored:
    kind, vehicle, subject, profile, driver, started, ended, distance_m, fixes = row[:9]
    start_lon, start_lat, end_lon, end_lat, details = row[9:]
    return Stored(
        violation,
        version,
        Interval(
            kind=kind,
            vehicle=vehicle,
            subject=subject,
            profile=profile,
            driver=UNKNOWN if driver is None else driver,
            started=started,
            ended=ended,
            distance_m=distance_m,
            fixes=fixes,
            start=(start_lon, start_lat),
            end=(end_lon, end_lat),
            is_open=status == "open",
            details=details,
        ),
    )


async def _carry_out(conn: AsyncConnection, plan: Plan, reason: str) -> Changes:
    cur = cursor(conn)
    if superseded := [row.id for row in plan.withdrawn] + [row.id for row, _ in plan.revised]:
        params = {"id": Int8s(np.array(superseded)), "by": WORKER, "reason": reason}
        await cur.execute(SQL["archive"], params)
    if gone := [row.id for row in plan.withdrawn]:
        await cur.execute(SQL["withdraw"], {"id": Int8s(np.array(gone))})
    if moved := [row.id for row, new in plan.revised if row.interval.started != new.started]:
        await cur.execute(SQL["park"], {"id": Int8s(np.array(moved))})
    changed = [(row, new, 1) for row, new in plan.revised]
    changed += [(row, new, 0) for row, new in plan.updated]
    if changed:
        await cur.execute(
            SQL["update"],
            {
                **_facts([new for _, new, _ in changed]),
                "id": Int8s(np.array([row.id for row, _, _ in changed])),
                "bump": Int4s(np.array([bump for _, _, bump in changed])),
                "status": Texts(status_of(new, row.version + bump) for row, new, bump in changed),
            },
        )
    if plan.inserted:
        await cur.execute(
            SQL["insert"],
            {
                **_facts(plan.inserted),
                "kind": Texts(i.kind for i in plan.inserted),
                "subject": Texts(i.subject for i in plan.inserted),
                "vehicle": Int4s(np.array([i.vehicle for i in plan.inserted])),
                "status": Texts(status_of(i, 1) for i in plan.inserted),
            },
        )
    return Changes(
        inserted=Counter(i.kind for i in plan.inserted),
        updated=Counter(new.kind for _, new in plan.updated),
        revised=Counter(new.kind for _, new in plan.revised),
        withdrawn=Counter(row.interval.kind for row in plan.withdrawn),
    )


def _facts(intervals: Sequence[Interval]) -> dict[str, Any]:
    """The columns that every version has anew."""
    encode = msgspec.json.encode
    return {
        "profile": Texts(i.profile for i in intervals),
        "driver": Int4s(np.array([i.driver for i in intervals])),
        "started": Instants(np.array([i.started for i in intervals], np.int64)),
        "ended": Instants(np.array([i.ended for i in intervals], np.int64)),
        "duration_s": Float8s(np.array([i.duration_s for i in intervals])),
        "distance_m": Float8s(np.array([i.distance_m for i in intervals])),
        "fixes": Int4s(np.array([i.fixes for i in intervals])),
        "start_lon": Float8s(np.array([i.start[0] for i in intervals])),
        "start_lat": Float8s(np.array([i.start[1] for i in intervals])),
        "end_lon": Float8s(np.array([i.end[0] for i in intervals])),
        "end_lat": Float8s(np.array([i.end[1] for i in intervals])),
        "details": Texts(encode(storable_details(i.details)).decode() for i in intervals),
    }
