"""Zone visits and what follows from them, docs/rules.md section 2.

Kinds `zone_visit`, `zone_entry`, `zone_exit`, `zone_dwell`, `banned_zone`.

Belongs here: the visits of every vehicle to every zone that is no speed zone. A banned zone is two
places: where it lies (its visits), and where it lies while it is closed to the vehicle (its
violations). The versions of a zone are one zone: a visit outlasts a change of version, and the
version in force at its first fix judges it.
"""

from typing import Any, Final

import numpy as np

from devices.batch import I32, I64
from geofence.compile import kernel
from geofence.interval import Details, Interval
from geofence.locate import Located
from geofence.rulebook import Rulebook
from geofence.rules.rule import Key, Records, Track, grown
from geofence.rules.run import interval_of, rows_of
from geofence.rules.visit import FREE, OPEN, VISIT_FIELDS, breaks_off, take_side
from geofence.zone_table import ZoneCode

_SLOT: Final = np.dtype(
    [
        *VISIT_FIELDS,
        ("place", np.int32),  # 2 * place of the zone's code, + 1 while closed to the vehicle
        ("zone", np.int32),  # row of the version in force at the first fix
        ("is_entry", np.bool_),  # in what is emitted: the visit has been confirmed, not ended
    ],
    align=True,
)

_FIRST_SLOTS: Final = 2

HAS_ONE: Final = -1
NO_ROOM: Final = -2

_NOTHING: Final[Details] = {}


@kernel
def _advance(
    slots: Records,
    params: Records,
    track: Track,
    place_start: I64,
    place: I32,
    zone: I32,
    needs_from: I64,
    first: int,
    out: Records,
) -> tuple[int, int]:
    """Advance from fix `first` on: (the fix that it stopped before, how many were emitted).

    It stops where a vehicle might need more slots, or `out` more room, than there is.
    """
    emitted = 0
    width = slots.shape[1]
    for i in range(first, len(track.time)):
        own = slots[track.vehicle[i]]
        begin, end = place_start[i], place_start[i + 1]
        used = _used(own)
        if used == 0 and begin == end:
            continue
        if used + _without_slot(own, place[begin:end]) > width or emitted + 2 * width > len(out):
            return i, emitted
        emitted = _go_on(own, place[begin:end], track, i, params, out, emitted)
        for at in range(begin, end):
            free = _free_for(own, place[at])
            if free >= 0:
                own[free]["place"] = place[at]
                own[free]["zone"] = zone[at]
                emitted = _take(own[free], True, track, i, params, out, emitted)
        needs_from[i] = min(needs_from[i], _since(own, track.time[i]))
    return len(track.time), emitted


@kernel
def _used(own: Records) -> int:
    used = 0
    for k in range(len(own)):
        if own[k]["stage"] != FREE:
            used += 1
    return used


@kernel
def _without_slot(own: Records, places: I32) -> int:
    """How many of the places have no slot yet; one that stands twice may count twice."""
    found = 0
    for place in places:
        if _free_for(own, place) != HAS_ONE:
            found += 1
    return found


@kernel
def _since(own: Records, time: int) -> int:
    since = time
    for k in range(len(own)):
        if own[k]["stage"] != FREE:
            since = min(since, own[k]["started"])
    return since


@kernel
def _free_for(own: Records, place: int) -> int:
    """A free slot for a place; HAS_ONE: it has a slot, NO_ROOM: there is none."""
    free = NO_ROOM
    for k in range(len(own)):
        if own[k]["stage"] == FREE:
            free = k
        elif own[k]["place"] == place:
            return HAS_ONE
    return free


@kernel
def _go_on(
    own: Records, places: I32, track: Track, i: int, params: Records, out: Records, emitted: int
) -> int:
    """Take fix i, which lies in `places`, into the visits that there are."""
    for k in range(len(own)):
        slot = own[k]
        if slot["stage"] == FREE:
            continue
        if breaks_off(slot, track, i, params):
            emitted = _end(slot, out, emitted)
            continue
        inside = False
        for place in places:
            inside |= place == slot["place"]
        emitted = _take(slot, inside, track, i, params, out, emitted)
    return emitted


@kernel
def _take(
    slot: Records, inside: bool, track: Track, i: int, params: Records, out: Records, emitted: int
) -> int:
    before = slot["stage"]
    if take_side(slot, inside, track, i, params):
        return _end(slot, out, emitted)
    if before != OPEN and slot["stage"] == OPEN:
        out[emitted] = slot
        out[emitted]["is_entry"] = True
        return emitted + 1
    return emitted


@kernel
def _end(slot: Records, out: Records, emitted: int) -> int:
    """Free the slot; emit the visit if it was confirmed."""
    if slot["stage"] == OPEN:
        out[emitted] = slot
        out[emitted]["is_entry"] = False
        emitted += 1
    slot["stage"] = FREE
    return emitted


class Visits:
    """The visits that each vehicle is on: as many slots for every vehicle as the busiest needs."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self._slots = np.zeros((0, _FIRST_SLOTS), _SLOT)

    def make_room(self, vehicles: int) -> None:
        """See Rule."""
        self._slots = grown(self._slots, vehicles, np.zeros((), _SLOT))

    def forget(self, vehicles: I32) -> None:
        """See Rule."""
        self._slots[vehicles] = np.zeros((), _SLOT)

    def advance(
        self, track: Track, located: Located, needs_from: I64, *, emit: bool
    ) -> list[Interval]:
        """See Rule."""
        place_start, place, zone = self._places(track, located)
        intervals: list[Interval] = []
        out = np.empty(len(track.time) + 64, _SLOT)
        at, n = 0, len(track.time)
        while at < n:
            stopped, emitted = _advance(
                self._slots,
                self._rulebook.params,
                track,
                place_start,
                place,
                zone,
                needs_from,
                at,
                out,
            )
            if emit:
                for visit in rows_of(out[:emitted]):
                    found = self._of_entry(visit) if visit.is_entry else self._of_visit(visit)
                    intervals += found
            if stopped == at:
                self._widen()
                out = np.empty(max(len(out), 4 * self._slots.shape[1]), _SLOT)
            at = stopped
        return intervals

    def open_intervals(self, vehicles: I32) -> list[Interval]:
        """See Rule."""
        row, slot = np.nonzero(self._slots["stage"][vehicles] == OPEN)
        intervals: list[Interval] = []
        for visit in rows_of(self._slots[vehicles[row], slot]):
            intervals += self._of_visit(visit, is_open=True)
        return intervals

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        slots = self._slots[vehicles]
        keys: list[Key] = []
        for visit in rows_of(slots[slots["stage"] != FREE]):
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

    def _places(self, track: Track, located: Located) -> tuple[I64, I32, I32]:
        """The places that each fix is in: offsets of shape (n + 1,), places, and zone rows.

        A place may stand twice in a fix, where two versions of a zone are in force.
        """
        row = located.zone_row
        zone = self._rulebook.zone_table.rows[row]
        fix = np.repeat(np.arange(len(track.time)), np.diff(located.zone_start))
        time = track.time[fix]
        dated = (zone["valid_from"] <= time) & (time < zone["valid_to"])
        banned = zone["kind"] == ZoneCode.BANNED
        visited = (zone["kind"] != ZoneCode.SPEED) & np.where(banned, dated, located.zone_applies)
        closed = banned & located.zone_applies
        place = 2 * zone["place"]
        places = np.concatenate([place[visited], place[closed] + 1])
        fixes = np.concatenate([fix[visited], fix[closed]])
        order = np.argsort(fixes, kind="stable")
        start = np.searchsorted(fixes[order], np.arange(len(track.time) + 1))
        rows = np.concatenate([row[visited], row[closed]])
        return start.astype(np.int64), places[order], rows[order]

    def _widen(self) -> None:
        vehicles, width = self._slots.shape
        wider = np.zeros((vehicles, 2 * width), _SLOT)
        wider[:, :width] = self._slots
        self._slots = wider

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
