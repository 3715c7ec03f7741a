"""Weigh stations that are driven round: kind `station_avoided`, docs/rules.md section 7.

Belongs here: goods vehicles that leave the road before an open station and come back behind it. A
vehicle is judged by the road and the hours that held when it left.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from devices.batch import F64, I32, I64, Bool
from devices.compile import kernel
from geofence.hours import minute_of_week
from geofence.interval import Details, Interval
from geofence.locate import Located
from geofence.paths import path_offset
from geofence.rulebook import Rulebook
from geofence.rules.rule import Findings, Key, Records, Track, grown
from geofence.rules.run import RUN_FIELDS, begin_run, interval_of, rows_of

KIND: Final = "station_avoided"

GOODS_KINDS: Final = ("rigid", "tractor_semi", "rigid_trailer")
"""Kinds of the registry that carry goods; buses and cars need not stop at stations."""

_SLOT: Final = np.dtype(
    [
        *RUN_FIELDS,  # the last fix on the road, as a run of one
        ("is_used", np.bool_),
        ("station", np.int32),  # row of StationTable
        ("ahead_m", np.float64),  # from that fix to the station, negative: it lies behind
        ("is_open", np.bool_),  # the station, at that fix
        ("outside", np.int32),  # fixes off the road since, but for those of a return
        ("later_fixes", np.int32),  # all fixes since
        ("later_m", np.float64),
        ("back", np.int32),  # fixes in a row that are back on the road; the first of them:
        ("back_time", np.int64),
        ("back_lon", np.float64),
        ("back_lat", np.float64),
        ("back_fixes", np.int32),
        ("back_m", np.float64),
        ("behind_m", np.float64),
    ],
    align=True,
)

_FIRST_SLOTS: Final = 2


class _Stations(NamedTuple):
    """Columns of StationTable, for kernels."""

    corridor: I32
    at_m: F64
    is_open: Bool
    valid_from: I64
    valid_to: I64
    start: I64
    ends: F64
    along_m: F64
    length_m: F64
    chunk_start: I64
    chunk_box: F64


@kernel
def _stay(slot: Any, station: int, past_m: float, is_open: bool, track: Track, i: int) -> None:
    """The vehicle is on the road: whatever it did before does not matter any more."""
    begin_run(slot, track, i)
    slot["is_used"] = True
    slot["station"] = station
    slot["ahead_m"] = -past_m
    slot["is_open"] = is_open
    slot["outside"], slot["back"] = 0, 0
    slot["later_fixes"], slot["later_m"] = 0, 0.0


@kernel
def _go_out(slot: Any) -> None:
    slot["outside"] += 1 + slot["back"]
    slot["back"] = 0


@kernel
def _come_back(
    slot: Any, past_m: float, is_open: bool, track: Track, i: int, params: Records, out: Records,
    emitted: int,
) -> int:  # fmt: skip
    """Take in a fix on the road; returns how many have been emitted then."""
    p = params[slot["profile"]]
    if slot["back"] == 0:
        left_before = slot["is_open"] and 0.0 < slot["ahead_m"] <= p["station_avoided_before_m"]
        is_behind = 0.0 <= past_m <= p["station_avoided_behind_m"]
        if not (left_before and is_behind and slot["outside"] >= p["visits_confirm_out"]):
            _stay(slot, slot["station"], past_m, is_open, track, i)
            return emitted
        slot["back_time"] = track.time[i]
        slot["back_lon"], slot["back_lat"] = track.lon[i], track.lat[i]
        slot["back_fixes"], slot["back_m"] = slot["later_fixes"], slot["later_m"]
        slot["behind_m"] = past_m
    slot["back"] += 1
    if slot["back"] >= p["visits_confirm_in"]:
        out[emitted] = slot
        emitted += 1
        _stay(slot, slot["station"], past_m, is_open, track, i)
    return emitted


@kernel
def _slot_of(own: Records, station: int) -> int:
    """The slot of a station, else a free one, -1: there is neither."""
    free = -1
    for k in range(len(own)):
        if own[k]["is_used"] and own[k]["station"] == station:
            return k
        if not own[k]["is_used"]:
            free = k
    return free


@kernel
def _age(own: Records, params: Records, track: Track, i: int) -> None:
    """Count the step into fix i, and give up who has been away for too long."""
    for k in range(len(own)):
        slot = own[k]
        if slot["is_used"]:
            slot["later_fixes"] += 1
            slot["later_m"] += track.step_m[i]
            within_us = params[slot["profile"]]["station_avoided_within_us"]
            if slot["back"] == 0 and track.time[i] - slot["started"] > within_us:
                slot["is_used"] = False


@kernel
def _is_watched(stations: _Stations, s: int, time: int) -> bool:
    return bool(stations.valid_from[s] <= time < stations.valid_to[s])


@kernel
def _has_room(own: Records, here: I32, stations: _Stations, time: int) -> bool:
    """Whether there are slots for all stations whose corridors a fix lies in."""
    needed = 0
    for k in range(len(own)):
        needed += own[k]["is_used"]
    for c in here:
        for s in range(len(stations.corridor)):
            needed += stations.corridor[s] == c and _is_watched(stations, s, time)
    return bool(needed <= len(own))


@kernel
def _is_among(here: I32, corridor: int) -> bool:
    found = False
    for c in here:
        found |= c == corridor
    return found


@kernel
def _began(own: Records, at: int) -> int:
    """When the oldest slot in use began; `at` where none began before it."""
    for k in range(len(own)):
        if own[k]["is_used"]:
            at = min(at, own[k]["started"])
    return at


@kernel
def _advance(
    slots: Records, params: Records, stations: _Stations, track: Track, rows: I64, minute: I64,
    place_start: I64, place: I32, needs_from: I64, first: int, out: Records,
) -> tuple[int, int]:  # fmt: skip
    """Advance from the row `first` on: the row that it stopped before, how many were emitted.

    place_start, place: the corridors that the fixes `rows` lie in. It stops where a vehicle might
    need more slots, or `out` more room, than there is.
    """
    emitted = 0
    for r in range(first, len(rows)):
        i = rows[r]
        own = slots[track.vehicle[i]]
        here = place[place_start[r] : place_start[r + 1]]
        if not _has_room(own, here, stations, track.time[i]) or emitted + len(own) > len(out):
            return r, emitted
        _age(own, params, track, i)
        for s in range(len(stations.corridor)):
            k = _slot_of(own, s)
            is_known = k >= 0 and own[k]["is_used"]
            if not _is_among(here, stations.corridor[s]):
                if is_known:
                    _go_out(own[k])
                continue
            is_watched = _is_watched(stations, s, track.time[i])
            if not is_watched and not is_known:
                continue
            _, along_m = path_offset(
                track.lon[i], track.lat[i], s, stations.start, stations.ends, stations.along_m,
                stations.length_m, stations.chunk_start, stations.chunk_box,
            )  # fmt: skip
            past_m, is_open = along_m - stations.at_m[s], stations.is_open[s, minute[r]]
            slot = own[k]
            if not slot["is_used"] or slot["outside"] == 0:
                _stay(slot, s, past_m, is_open, track, i)
            else:
                emitted = _come_back(slot, past_m, is_open, track, i, params, out, emitted)
            # A road that is watched no more can be come back to, and not be left.
            if not is_watched and slot["outside"] == 0:
                slot["is_used"] = False
        needs_from[i] = _began(own, needs_from[i])
    return len(rows), emitted


class StationAvoided:
    """Of each goods vehicle the stations that it is near, and whether it left the road to them."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        table = rulebook.station_table
        self._table = table
        paths = table.paths
        self._stations = _Stations(
            table.corridor, table.at_m, table.is_open, table.valid_from, table.valid_to,
            paths.start, paths.ends, paths.along_m, paths.length_m, paths.chunk_start,
            paths.chunk_box,
        )  # fmt: skip
        self._slots = np.zeros((0, _FIRST_SLOTS), _SLOT)
        self._is_goods = np.zeros(len(rulebook.vehicles), np.bool_)
        for vehicle in rulebook.vehicle_rules.values():
            self._is_goods[vehicle.id] = vehicle.kind in GOODS_KINDS

    def make_room(self, vehicles: int) -> None:
        """See Rule."""
        if len(self._table):
            self._slots = grown(self._slots, vehicles, np.zeros((), _SLOT))

    def forget(self, vehicles: I32) -> None:
        """See Rule."""
        if len(self._table):
            self._slots[vehicles] = np.zeros((), _SLOT)

    def advance(
        self,
        track: Track,
        located: Located,  # noqa: ARG002 - the interface of rules
        needs_from: I64,
        *,
        emit: bool,
    ) -> list[Findings]:
        """See Rule."""
        if not len(self._table):
            return []
        rows, start, place = self._near(track)
        if not len(rows):
            return []
        minute = minute_of_week(track.time[rows], self._rulebook.timezone)
        found: list[Findings] = []
        at = 0
        while at < len(rows):
            out = np.empty(len(rows) + self._slots.shape[1], _SLOT)
            stopped, emitted = _advance(
                self._slots, self._rulebook.params, self._stations, track, rows, minute, start,
                place, needs_from, at, out,
            )  # fmt: skip
            if emit:
                found.append(Findings(out[:emitted], self._describe))
            if stopped == at:
                self._widen()
            at = stopped
        return found

    def open_intervals(self, vehicles: I32) -> list[Findings]:  # noqa: ARG002 - the interface
        """None: a vehicle that has not come back may have another aim."""
        return []

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        if not len(self._table):
            return []
        slots = self._slots[vehicles]
        return [
            (KIND, run.vehicle, self._table.codes[run.station], run.started)
            for run in rows_of(slots[slots["is_used"]])
        ]

    def _near(self, track: Track) -> tuple[I64, I64, I32]:
        """Rows of fixes of goods vehicles near stations, and the corridors that they lie in.

        All fixes of a vehicle that is near one in this batch, or was before it.
        """
        goods = np.flatnonzero(self._is_goods[track.vehicle])
        start, place = self._table.index.contains(track.lon[goods], track.lat[goods])
        vehicle, of_fix = np.unique(track.vehicle[goods], return_inverse=True)
        is_near: Bool = np.asarray(self._slots["is_used"][vehicle].any(axis=1))
        is_near[of_fix[np.diff(start) > 0]] = True
        kept = is_near[of_fix]
        counts = np.diff(start)[kept]
        # Fixes that are left out lie in no corridor.
        return goods[kept], np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]), place

    def _widen(self) -> None:
        vehicles, width = self._slots.shape
        wider = np.zeros((vehicles, 2 * width), _SLOT)
        wider[:, :width] = self._slots
        self._slots = wider

    def _describe(self, records: Records) -> list[Interval]:
        return [self._interval(run) for run in rows_of(records)]

    def _interval(self, run: Any) -> Interval:
        details: Details = {"left_before_m": run.ahead_m, "returned_behind_m": run.behind_m}
        whole = run._replace(
            fixes=1 + run.back_fixes,
            ended=run.back_time,
            end_lon=run.back_lon,
            end_lat=run.back_lat,
            distance_m=run.back_m,
        )
        profile = self._rulebook.profiles[run.profile].id
        code = self._table.codes[run.station]
        return interval_of(whole, KIND, code, profile, details, is_open=False)
