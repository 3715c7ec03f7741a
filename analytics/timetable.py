"""Timetables of fixed routes: which departure served which slot. docs/rules.md, section 3.

Belongs here: pure functions of a route's versions, its trips (intervals of kind `route_trip`) and
the instants between which departures are known; they know no clock. Trips of all vehicles count.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from geofence.hours import DAYS, midnight_us
from geofence.interval import Interval
from geofence.profile import Profile
from geofence.registry import Direction, Route

LATE_DEPARTURE: Final = "late_departure"
NOT_RUN: Final = "not_run"

Outcome = Literal["run", "late", "not_run", "open"]
"""open: no departure served the slot so far, and one that is not known yet still may."""

_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DueSlot:
    """A slot on one local day. at_us: the instant at which it departs."""

    route_code: str
    route_id: int
    direction: Direction
    day: date
    departs: str
    at_us: int


@dataclass(frozen=True, slots=True)
class SlotRun:
    """What became of a slot. trip: the one that served it, None; late_s: how late it left."""

    slot: DueSlot
    profile: str
    outcome: Outcome
    trip: Interval | None = None
    late_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SlotShare:
    """A slot over a month. run counts late ones too; share_pct: None where none is decided.

    is_marked: the share is under the profile's least: the slot is marked for withdrawal. It is
    provisional while some are open.
    """

    direction: Direction
    departs: str
    slots: int
    run: int
    late: int
    not_run: int
    open: int
    share_pct: float | None
    is_marked: bool
    not_run_days: tuple[date, ...]


def day_of(departed_us: int, profile: Profile, timezone: ZoneInfo) -> date:
    """The local day whose slots a departure may serve: it may be `early_s` before midnight."""
    early = timedelta(seconds=profile.number("timetable.early_s"))
    departed = _EPOCH + timedelta(microseconds=departed_us)
    return (departed + early).astimezone(timezone).date()


def span_of(day: date, profile: Profile, timezone: ZoneInfo) -> tuple[int, int]:
    """The departures that may serve the slots of a local day: from the first to before the last."""
    early_us = _us(profile, "early_s")
    return midnight_us(day, timezone) - early_us, midnight_us(day + _DAY, timezone) - early_us


def due_slots(routes: Iterable[Route], day: date, timezone: ZoneInfo) -> list[DueSlot]:
    """The slots of a local day, of all versions given, each while it is in force; in order."""
    found: list[DueSlot] = []
    for route in routes:
        for slot in route.slots:
            if slot.days is not None and DAYS[day.weekday()] not in slot.days:
                continue
            if (slot.valid_from and day < slot.valid_from) or (
                slot.valid_to and slot.valid_to <= day
            ):
                continue
            at = datetime.combine(day, time.fromisoformat(slot.departs), timezone)
            at_us = (at.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
            if route.valid_from <= at_us < route.valid_to:
                found.append(
                    DueSlot(route.code, route.id, slot.direction, day, slot.departs, at_us)
                )
    return sorted(found, key=lambda slot: (slot.at_us, slot.direction, slot.route_id))


def assign(
    slots: Sequence[int], departures: Sequence[int], early_us: int, within_us: int
) -> list[int | None]:
    """Which departure serves each slot: its number, None. Instants ascend.

    A departure may serve a slot from `early_us` before to `within_us` after it. Each serves at most
    one, and later departures serve later slots. Of all such assignments that count which serves the
    most slots; of those the one with the least sum of distances in time; of those the one that
    serves the first slot, with the earliest departure, then the second, and so on.
    """
    n, m = len(slots), len(departures)
    # best[i][j], of slots i.. and departures j..: slots not served, distances, what slot i gets.
    best: list[list[tuple[int, int, int | None]]] = [
        [(n - i, 0, None)] * (m + 1) for i in range(n + 1)
    ]
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            missed, apart, _ = best[i + 1][j]
            choice: tuple[int, int, int | None] = (missed + 1, apart, None)
            later = best[i][j + 1]
            if later[:2] < choice[:2] or (later[:2] == choice[:2] and later[2] is not None):
                choice = later
            if -early_us <= departures[j] - slots[i] <= within_us:
                missed, apart, _ = best[i + 1][j + 1]
                served = (missed, apart + abs(departures[j] - slots[i]), j)
                if served[:2] <= choice[:2]:
                    choice = served
            best[i][j] = choice
    found: list[int | None] = []
    after = 0
    for i in range(n):
        taken = best[i][after][2]
        found.append(taken)
        after = after if taken is None else taken + 1
    return found


def judge_day(
    routes: Sequence[Route],
    trips: Iterable[Interval],
    day: date,
    profile: Profile,
    timezone: ZoneInfo,
    known_from_us: int,
    known_until_us: int,
) -> list[SlotRun]:
    """What became of the slots of one route on a local day, in order.

    routes: the versions of one code. trips: of that code; others of other days do no harm. profile:
    in force on the day. All departures from known_from_us to known_until_us are known; a slot that
    an earlier one may have served is left out.
    """
    early_us, within_us = _us(profile, "early_s"), _us(profile, "served_within_s")
    first, last = span_of(day, profile, timezone)
    left = [
        trip
        for trip in trips
        if first <= trip.started < last and trip.details["outcome"] != "returned"
    ]
    left.sort(key=lambda trip: (trip.started, trip.vehicle, str(trip.details["route_id"])))
    known = [s for s in due_slots(routes, day, timezone) if s.at_us - early_us >= known_from_us]
    found: list[SlotRun] = []
    for direction in ("outbound", "inbound"):
        slots = [slot for slot in known if slot.direction == direction]
        own = [trip for trip in left if trip.details["direction"] == direction]
        times = [slot.at_us for slot in slots]
        served = assign(times, [trip.started for trip in own], early_us, within_us)
        over = _decided(times, early_us, within_us, known_until_us)
        for slot, number, is_over in zip(slots, served, over, strict=True):
            trip = None if number is None else own[number]
            found.append(_slot_run(slot, trip, profile, is_over=is_over))
    return sorted(found, key=lambda run: (run.slot.at_us, run.slot.direction, run.slot.route_id))


def _slot_run(slot: DueSlot, trip: Interval | None, profile: Profile, *, is_over: bool) -> SlotRun:
    if trip is None:
        return SlotRun(slot, profile.id, "not_run" if is_over else "open")
    late_us = trip.started - slot.at_us
    outcome: Outcome = "late" if late_us > _us(profile, "late_s") else "run"
    return SlotRun(slot, profile.id, outcome, trip, max(0, late_us) / 1e6)


def _decided(times: Sequence[int], early_us: int, within_us: int, known_us: int) -> list[bool]:
    """Whether no departure after known_us can have a slot served, directly or by taking over.

    A later departure may serve a later slot, and free the departure that served it for this one.
    """
    decided: list[bool] = []
    ends = 0
    for at in reversed(range(len(times))):
        own = times[at] + within_us
        linked = at + 1 < len(times) and times[at + 1] - early_us <= own
        ends = max(ends, own) if linked else own
        decided.append(ends < known_us)
    return decided[::-1]


def late_departures(runs: Iterable[SlotRun]) -> list[Interval]:
    """The violations among what became of some slots: instants at which vehicles left late."""
    found: list[Interval] = []
    for run in runs:
        if run.outcome != "late" or run.trip is None:
            continue
        trip, slot = run.trip, run.slot
        found.append(
            Interval(
                kind=LATE_DEPARTURE,
                vehicle=trip.vehicle,
                subject=slot.route_code,
                profile=run.profile,
                driver=trip.driver,
                started=trip.started,
                ended=trip.started,
                distance_m=0.0,
                fixes=1,
                start=trip.start,
                end=trip.start,
                is_open=False,
                details={
                    "route_id": slot.route_id,
                    "direction": slot.direction,
                    "slot": named(slot),
                    "late_s": run.late_s,
                },
            )
        )
    return found


def named(slot: DueSlot) -> str:
    """A slot as people call it: local day and time."""
    return f"{slot.day.isoformat()} {slot.departs}"


def shares(runs: Iterable[SlotRun], profile: Profile) -> list[SlotShare]:
    """What became of each slot over a month, in order of direction and time.

    profile: in force on the first day of the month. Slots of one direction and local time are one
    slot, whatever their version and day.
    """
    by_slot: dict[tuple[Direction, str], list[SlotRun]] = {}
    for run in runs:
        by_slot.setdefault((run.slot.direction, run.slot.departs), []).append(run)
    least_pct = profile.number("timetable.min_share_pct")
    found: list[SlotShare] = []
    for (direction, departs), its_runs in by_slot.items():
        outcomes = [run.outcome for run in its_runs]
        missed, late = outcomes.count("not_run"), outcomes.count("late")
        run_count = outcomes.count("run") + late
        decided = run_count + missed
        share_pct = 100.0 * run_count / decided if decided else None
        found.append(
            SlotShare(
                direction=direction,
                departs=departs,
                slots=len(outcomes),
                run=run_count,
                late=late,
                not_run=missed,
                open=len(outcomes) - decided,
                share_pct=share_pct,
                is_marked=share_pct is not None and 100 * run_count < least_pct * decided,
                not_run_days=tuple(r.slot.day for r in its_runs if r.outcome == "not_run"),
            )
        )
    return sorted(found, key=lambda s: (s.direction != "outbound", s.departs))


def days_between(first: date, last: date) -> list[date]:
    """The days from the first to before the last."""
    return [first + timedelta(days=k) for k in range((last - first).days)]


def _us(profile: Profile, key: str) -> int:
    return round(profile.number(f"timetable.{key}") * 1e6)
