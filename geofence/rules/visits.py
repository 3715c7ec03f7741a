"""Zone visits and what follows from them, docs/rules.md section 2.

Kinds `zone_visit`, `zone_entry`, `zone_exit`, `zone_dwell`, `banned_zone`.

Belongs here: the visits of every vehicle to every zone that is no speed zone. A banned zone is two
places: where it lies (its visits), and where it lies while it is closed to the vehicle (its
violations). The versions of a zone are one zone: a visit outlasts a change of version, and the
version in force at its first fix judges it.
"""

from functools import partial
from typing import Any, Final

import numpy as np

from devices.batch import I32, I64, Bool
from devices.compile import kernel
from geofence.interval import Details, Interval
from geofence.locate import Located
from geofence.rulebook import Rulebook
from geofence.rules.rule import Findings, Key, Records, Track, grown
from geofence.rules.run import interval_of, rows_of
from geofence.rules.visit import FREE, OPEN, VISIT_FIELDS, breaks_off, take_side
from geofence.zone_table import ZoneCode

_SLOT: Final = np.dtype(
    [
        *VISIT_FIELDS,
        ("place", np.int32),  # 2 * place of the zone's code, + 1 while closed to the vehicle
        ("zone", np.int32),  # row of the version in force at the first fix
        ("is_entry", np.bool_),  # in what is emitted: the visit has been confirmed, not ended
        ("next", np.int32),  # the vehicle's next visit, or the next free slot; NONE
    ],
    align=True,
)

NONE: Final = -1
_BANNED: Final = int(ZoneCode.BANNED)
_SPEED: Final = int(ZoneCode.SPEED)

_NOTHING: Final[Details] = {}


@kernel
def _advance(
    slots: Records,
    heads: I32,
    free: I32,
    params: Records,
    zones: Records,
    track: Track,
    zone_start: I64,
    zone_row: I32,
    zone_applies: Bool,
    needs_from: I64,
    first: int,
    places: I32,
    rows: I32,
    out: Records,
) -> tuple[int, int]:
    """Advance from fix `first` on: (the fix that it stopped before, how many were emitted).

    heads: by vehicle, its first slot. free: shape (2,), the first free slot and how many there are.
    places, rows: room for the places that one fix is in, and for their zones.
    It stops where there might be too few free slots, or too little room in `out`.
    """
    vehicle, time = track.vehicle, track.time
    n = len(vehicle)
    emitted = 0
    for i in range(first, n):
        begin, end = zone_start[i], zone_start[i + 1]
        if heads[vehicle[i]] == NONE and begin == end:
            continue
        count = _places(zones, zone_row, zone_applies, begin, end, time[i], places, rows)
        head = heads[vehicle[i]]
        if head == NONE and count == 0:
            continue
        if count > free[1] or emitted + 2 * (count + _length(slots, head)) > len(out):
            return i, emitted
        if head != NONE:
            emitted = _go_on(slots, heads, free, places[:count], track, i, params, out, emitted)
        for at in range(count):
            if not _is_in(slots, heads[vehicle[i]], places[at]):
                slot = slots[_obtain(slots, heads, free, vehicle[i])]
                slot["place"] = places[at]
                slot["zone"] = rows[at]
                emitted = _enter(slot, track, i, params, out, emitted)
        since, at = time[i], heads[vehicle[i]]
        while at != NONE:
            since = min(since, slots[at]["started"])
            at = slots[at]["next"]
        needs_from[i] = min(needs_from[i], since)
    return n, emitted


@kernel
def _places(
    zones: Records,
    zone_row: I32,
    zone_applies: Bool,
    begin: int,
    end: int,
    time: int,
    places: I32,
    rows: I32,
) -> int:
    """Fill in the places that a fix is in, and their zones; how many. A place may stand twice."""
    count = 0
    for k in range(begin, end):
        zone = zones[zone_row[k]]
        if zone["kind"] == _SPEED:
            continue
        is_visited = zone_applies[k]
        if zone["kind"] == _BANNED:
            is_visited = zone["valid_from"] <= time < zone["valid_to"]
            if zone_applies[k]:
                places[count], rows[count] = 2 * zone["place"] + 1, zone_row[k]
                count += 1
        if is_visited:
            places[count], rows[count] = 2 * zone["place"], zone_row[k]
            count += 1
    return count


@kernel
def _length(slots: Records, head: int) -> int:
    count = 0
    while head != NONE:
        count += 1
        head = slots[head]["next"]
    return count


@kernel
def _is_in(slots: Records, head: int, place: int) -> bool:
    """Whether a vehicle has a slot for a place; one that stands twice in a fix has it by then."""
    while head != NONE:
        if slots[head]["place"] == place:
            return True
        head = slots[head]["next"]
    return False


@kernel
def _obtain(slots: Records, heads: I32, free: I32, vehicle: int) -> int:
    """Give a vehicle the first free slot."""
    at = free[0]
    free[0] = slots[at]["next"]
    free[1] -= 1
    slots[at]["next"] = heads[vehicle]
    slots[at]["stage"] = FREE
    slots[at]["outside"] = 0
    slots[at]["outside_m"] = 0.0
    heads[vehicle] = at
    return int(at)


@kernel
def _release(slots: Records, heads: I32, free: I32, vehicle: int, before: int, at: int) -> int:
    """Take slot `at`, which follows `before`, from a vehicle; returns the one that followed it."""
    after = slots[at]["next"]
    if before == NONE:
        heads[vehicle] = after
    else:
        slots[before]["next"] = after
    slots[at]["stage"] = FREE
    slots[at]["next"] = free[0]
    free[0] = at
    free[1] += 1
    return int(after)


@kernel
def _go_on(
    slots: Records,
    heads: I32,
    free: I32,
    places: I32,
    track: Track,
    i: int,
    params: Records,
    out: Records,
    emitted: int,
) -> int:
    """Take fix i, which lies in `places`, into the visits that there are."""
    vehicle = track.vehicle[i]
    before, at = NONE, heads[vehicle]
    while at != NONE:
        slot = slots[at]
        stage, is_over = slot["stage"], True
        if not breaks_off(slot, track, i, params):
            inside = False
            for place in places:
                inside |= place == slot["place"]
            is_over = take_side(slot, inside, track, i, params)
        if is_over:
            if stage == OPEN:
                out[emitted] = slot
                out[emitted]["is_entry"] = False
                emitted += 1
            slot["stage"] = FREE
        elif stage != OPEN and slot["stage"] == OPEN:
            out[emitted] = slot
            out[emitted]["is_entry"] = True
            emitted += 1
        if slot["stage"] == FREE:
            at = _release(slots, heads, free, vehicle, before, at)
        else:
            before, at = at, slot["next"]
    return emitted


@kernel
def _enter(slot: Any, track: Track, i: int, params: Records, out: Records, emitted: int) -> int:
    """Begin a visit; returns how many have been emitted: one fix may be enough to confirm it."""
    take_side(slot, True, track, i, params)
    if slot["stage"] == OPEN:
        out[emitted] = slot
        out[emitted]["is_entry"] = True
        emitted += 1
    return emitted


class Visits:
    """The visits that each vehicle is on: slots of one pool, a chain of them for every vehicle."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self._slots = np.zeros(0, _SLOT)
        self._heads = np.zeros(0, np.int32)
        self._free = np.array([NONE, 0], np.int32)

    def make_room(self, vehicles: int) -> None:
        """See Rule."""
        self._heads = grown(self._heads, vehicles, np.array(NONE, np.int32))

    def forget(self, vehicles: I32) -> None:
        """See Rule."""
        slots = self._of(vehicles)
        self._heads[vehicles] = NONE
        self._set_free(slots)

    def advance(
        self, track: Track, located: Located, needs_from: I64, *, emit: bool
    ) -> list[Findings]:
        """See Rule."""
        found: list[Findings] = []
        out = np.empty(len(track.time) + 64, _SLOT)
        most = 2 * int(np.diff(located.zone_start).max(initial=0))
        places, rows = np.empty(most, np.int32), np.empty(most, np.int32)
        at, n = 0, len(track.time)
        while at < n:
            stopped, emitted = _advance(
                self._slots, self._heads, self._free, self._rulebook.params,
                self._rulebook.zone_table.rows, track, located.zone_start, located.zone_row,
                located.zone_applies, needs_from, at, places, rows, out,
            )  # fmt: skip
            if emit and emitted:
                found.append(Findings(out[:emitted].copy(), self._describe))
            if stopped == at:
                self._grow()
                out = np.empty(2 * len(out), _SLOT)
            at = stopped
        return found

    def open_intervals(self, vehicles: I32) -> list[Findings]:
        """See Rule."""
        slots = self._slots[self._of(vehicles)]
        still = slots[slots["stage"] == OPEN]
        return [Findings(still, partial(self._describe, is_open=True))]

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        keys: list[Key] = []
        for visit in rows_of(self._slots[self._of(vehicles)]):
            code = self._rulebook.zones[visit.zone].code
            if visit.place & 1:
                keys.append(("banned_zone", visit.vehicle, code, visit.started))
                continue
            keys.append(("zone_visit", visit.vehicle, code, visit.started))
            keys.append(("zone_dwell", visit.vehicle, code, visit.started))
            keys.append(("zone_exit", visit.vehicle, code, visit.ended))
            if visit.stage != OPEN:
                keys.append(("zone_entry", visit.vehicle, code, visit.started))
        return keys

    def _of(self, vehicles: I32) -> I32:
        """The slots of some vehicles, in no order."""
        found: list[I32] = []
        at = self._heads[vehicles]
        at = at[at != NONE]
        while len(at):
            found.append(at)
            at = self._slots["next"][at]
            at = at[at != NONE]
        return np.concatenate([np.empty(0, np.int32), *found])

    def _grow(self) -> None:
        """Twice as many slots; the new ones are free."""
        before = len(self._slots)
        self._slots = grown(self._slots, 2 * before + 64, np.zeros((), _SLOT))
        self._set_free(np.arange(before, len(self._slots), dtype=np.int32))

    def _set_free(self, slots: I32) -> None:
        if len(slots):
            self._slots["stage"][slots] = FREE
            self._slots["next"][slots] = np.append(slots[1:], self._free[0])
            self._free[:] = slots[0], self._free[1] + len(slots)

    def _describe(self, records: Records, *, is_open: bool = False) -> list[Interval]:
        intervals: list[Interval] = []
        for visit in rows_of(records):
            if visit.is_entry and not is_open:
                intervals += self._of_entry(visit)
            else:
                intervals += self._of_visit(visit, is_open=is_open)
        return intervals

    def _of_entry(self, visit: Any) -> list[Interval]:
        if visit.place & 1 or self._rulebook.zones[visit.zone].kind != "watch":
            return []
        entry = visit._replace(
            ended=visit.started,
            end_lon=visit.start_lon,
            end_lat=visit.start_lat,
            fixes=1,
            distance_m=0.0,
        )
        return [self._interval(entry, "zone_entry")]

    def _of_visit(self, visit: Any, *, is_open: bool = False) -> list[Interval]:
        """What a visit is and breaks."""
        zone = self._rulebook.zones[visit.zone]
        duration_s = (visit.ended - visit.started) / 1e6
        if visit.place & 1:
            if duration_s < zone.min_duration_s:
                return []
            more: Details = {"min_duration_s": zone.min_duration_s}
            return [self._interval(visit, "banned_zone", more, is_open=is_open)]
        found = [self._interval(visit, "zone_visit", is_open=is_open)]
        if zone.max_stay_s is not None and duration_s > zone.max_stay_s:
            more = {"max_stay_s": zone.max_stay_s}
            found.append(self._interval(visit, "zone_dwell", more, is_open=is_open))
        if zone.kind == "watch" and not is_open:
            leaving = visit._replace(
                driver=visit.end_driver,
                profile=visit.end_profile,
                started=visit.ended,
                start_lon=visit.end_lon,
                start_lat=visit.end_lat,
                fixes=1,
                distance_m=0.0,
            )
            found.append(self._interval(leaving, "zone_exit"))
        return found

    def _interval(
        self, run: Any, kind: str, more: Details = _NOTHING, *, is_open: bool = False
    ) -> Interval:
        zone = self._rulebook.zones[run.zone]
        details: Details = {"zone_id": zone.id, "zone_kind": zone.kind, **more}
        profile = self._rulebook.profiles[run.profile].id
        return interval_of(run, kind, zone.code, profile, details, is_open=is_open)
