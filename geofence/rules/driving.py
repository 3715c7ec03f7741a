"""Who drove when: spans of driving, kind `driving`. docs/rules.md, section 4.

Belongs here: the spans of every vehicle, each of one driver and within one local day. They are
facts and break no rule; what they add up to is judged by `geofence.driving_time`, for a driver's
spans are in several vehicles.
"""

from functools import partial
from typing import Any, Final

import numpy as np

from devices.batch import I32, I64
from devices.compile import kernel
from geofence.hours import midnights_us
from geofence.interval import Details, Interval
from geofence.locate import Located
from geofence.registry import BEGINNING_US, END_US
from geofence.rulebook import Rulebook
from geofence.rules.driving_span import (
    LAST_DTYPE,
    SPAN_DTYPE,
    change_driver,
    coast,
    emit_span,
    end_at_stop,
    note_last,
    take_step,
)
from geofence.rules.rule import Findings, Key, Records, Track, grown
from geofence.rules.run import RUN_FIELDS, interval_of, rows_of

KIND: Final = "driving"

_MAIN: Final = 0
_OTHER: Final = 1
_HELD: Final = 2
_SPANS: Final = 3
"""Spans of a vehicle. While nobody knows whether a driver who is not reported any more drives on:
MAIN if he does, HELD up to where he was reported last, OTHER, of no driver, if he does not."""

_MOST_EMITTED: Final = 8
"""By one fix: a span held, one cut at midnight after a stop, two in a silence of a day, the end."""

_ROOM: Final = 64

_STOPPED: Final = (
    ("ended", "stop_at"),
    ("end_lon", "stop_lon"),
    ("end_lat", "stop_lat"),
    ("distance_m", "stop_m"),
    ("fixes", "stop_fixes"),
)
"""Columns of a run, and what they were when a stop began."""


@kernel
def _advance(
    spans: Records,
    lasts: Records,
    params: Records,
    profile_from: I64,
    midnights: I64,
    track: Track,
    needs_from: I64,
    first: int,
    paced: Records,
    out: Records,
) -> tuple[int, int]:
    """Advance from fix `first` on: (the fix that it stopped before, how many were emitted).

    paced: room to work in, shape (1,), LAST_DTYPE. It stops where `out` might have too little room.
    """
    emitted = 0
    i = first
    while i < len(track.time):
        if emitted + _MOST_EMITTED > len(out):
            return i, emitted
        own, last = spans[:, track.vehicle[i]], lasts[track.vehicle[i]]
        note_last(paced[0], track, i, params)
        if track.gap_us[i] >= 0:
            emitted = _take(
                own, last, paced[0], track, i, params, profile_from, midnights, out, emitted
            )
        lasts[track.vehicle[i]] = paced[0]
        since = paced[0]["since"]
        if own[_MAIN]["is_active"]:
            since = min(since, own[_MAIN]["since"])
        needs_from[i] = min(needs_from[i], since)
        i += 1
        if not own[_HELD]["is_active"]:
            i = coast(own[_MAIN], last, track, i, params, needs_from)
    return len(track.time), emitted


@kernel
def _take(
    own: Records,
    last: Any,
    now: Any,
    track: Track,
    i: int,
    params: Records,
    profile_from: I64,
    midnights: I64,
    out: Records,
    emitted: int,
) -> int:
    """Take fix i and the step into it; returns emitted."""
    pace, driver = now["pace"], track.driver[i]
    if own[_HELD]["is_active"] and _is_gone(own[_HELD], driver, track.time[i]):
        emitted = emit_span(own[_HELD], out, emitted)
        own[_MAIN] = own[_OTHER]
        own[_HELD]["is_active"] = False
        own[_OTHER]["is_active"] = False
    in_doubt = own[_HELD]["is_active"]
    main = own[_MAIN]
    emitted = take_step(
        main, last, pace, track, i, params, profile_from, midnights, not in_doubt, out, emitted
    )
    if in_doubt:
        if not main["is_active"] or driver == main["driver"]:
            own[_HELD]["is_active"] = False
            own[_OTHER]["is_active"] = False
            return emitted
        return take_step(
            own[_OTHER], last, pace, track, i, params, profile_from, midnights, True, out, emitted
        )
    if main["is_active"] and driver != main["driver"]:
        if driver < 0 and track.time[i] <= main["day_ends"]:
            _hold(own, track, i, params, midnights, out, emitted)
        else:
            emitted = change_driver(main, track, i, midnights, out, emitted)
    return emitted


@kernel
def _is_gone(held: Any, driver: int, time: int) -> bool:
    """Whether the driver did not drive what followed the span held."""
    if time > held["day_ends"] or time - held["lost_at"] >= held["rest_us"]:
        return True
    return bool(driver >= 0 and driver != held["driver"])


@kernel
def _hold(
    own: Records, track: Track, i: int, params: Records, midnights: I64, out: Records, emitted: int
) -> None:
    """The driver is not reported at fix i: his span waits for whether he is again."""
    own[_HELD] = own[_MAIN]
    own[_OTHER] = own[_MAIN]
    held = own[_HELD]
    held["lost_at"] = track.time[i]
    held["rest_us"] = params[track.profile[i]]["driving_rest_us"]
    if held["is_standing"]:
        end_at_stop(held)
    # What this would emit is the span held, which is not decided: it is written over.
    change_driver(own[_OTHER], track, i, midnights, out, emitted)


_TOLD: Final = np.dtype(
    [
        ("started", np.int64),
        ("ended", np.int64),  # of one that moves: END_US
        ("unseen_us", np.int64),
        ("quiet_until", np.int64),
    ]
)
"""What was last reported of a vehicle's open span, and until when its end does not matter."""

_UNTOLD: Final = np.array((BEGINNING_US, 0, 0, BEGINNING_US), _TOLD)

_SHOWN: Final = np.dtype([*RUN_FIELDS, ("unseen_us", np.int64), ("continues", np.bool_)])
"""What is said of a span."""


class Driving:
    """The span of every vehicle that is driven, and its last fix."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self._midnights = midnights_us(rulebook.timezone)
        # By stage and vehicle: the stages of doubt, which few reach, take no memory until then.
        self._spans = np.zeros((_SPANS, 0), SPAN_DTYPE)
        self._lasts = np.zeros(0, LAST_DTYPE)
        self._told = np.zeros(0, _TOLD)

    def make_room(self, vehicles: int) -> None:
        """See Rule."""
        room = self._spans.shape[1]
        if room < vehicles:
            larger = np.zeros((_SPANS, max(vehicles, 2 * room, 64)), SPAN_DTYPE)
            larger[_MAIN, :room] = self._spans[_MAIN]
            doubted = np.flatnonzero(self._spans["is_active"][_HELD])
            larger[:, doubted] = self._spans[:, doubted]
            self._spans = larger
        self._lasts = grown(self._lasts, vehicles, np.zeros((), LAST_DTYPE))
        self._told = grown(self._told, vehicles, _UNTOLD)

    def forget(self, vehicles: I32) -> None:
        """See Rule."""
        self._spans[_MAIN, vehicles] = np.zeros((), SPAN_DTYPE)
        doubted = vehicles[self._spans["is_active"][_HELD, vehicles]]
        self._spans[:, doubted] = np.zeros((), SPAN_DTYPE)
        self._lasts[vehicles] = np.zeros((), LAST_DTYPE)
        self._told[vehicles] = _UNTOLD

    def be_quiet(self, vehicles: I32, until: I64) -> None:
        """Do not report an open span of vehicles[i] while it only goes on, up to until[i]."""
        known = vehicles < len(self._told)
        self._told["quiet_until"][vehicles[known]] = until[known]

    def advance(
        self,
        track: Track,
        located: Located,  # noqa: ARG002 - the interface of rules
        needs_from: I64,
        *,
        emit: bool,
    ) -> list[Findings]:
        """See Rule."""
        findings: list[Findings] = []
        out = np.empty(len(track.time) // 8 + _ROOM, SPAN_DTYPE)
        paced = np.zeros(1, LAST_DTYPE)
        at, n = 0, len(track.time)
        while at < n:
            at, emitted = _advance(
                self._spans,
                self._lasts,
                self._rulebook.params,
                self._rulebook.profile_from,
                self._midnights,
                track,
                needs_from,
                at,
                paced,
                out,
            )
            if emit:
                shown = np.empty(emitted, _SHOWN)
                for name in _SHOWN.names or ():
                    shown[name] = out[name][:emitted]
                findings.append(Findings(shown, self._describe))
        return findings

    def open_intervals(self, vehicles: I32) -> list[Findings]:
        """Spans up to what is certain: a stop that may become a rest does not belong to them."""
        which = np.where(self._spans["is_active"][_HELD, vehicles], _HELD, _MAIN)
        there = self._spans["is_active"][which, vehicles]
        vehicles, which = vehicles[there], which[there]
        stands = self._spans["is_standing"][which, vehicles] & (which == _MAIN)
        moves = ~stands & (which == _MAIN)
        started = self._spans["started"][which, vehicles]
        unseen_us = self._spans["unseen_us"][which, vehicles]
        ended = np.where(stands, *(self._spans[n][which, vehicles] for n in ("stop_at", "ended")))
        told = self._told[vehicles]
        is_news = (started != told["started"]) | (unseen_us != told["unseen_us"])
        is_news |= (np.where(moves, END_US, ended) != told["ended"]) | (
            ended >= told["quiet_until"]
        )
        is_news &= ended > started
        vehicles, which, stands, moves = (a[is_news] for a in (vehicles, which, stands, moves))
        found = np.empty(len(vehicles), _SHOWN)
        for name in found.dtype.names or ():
            found[name] = self._spans[name][which, vehicles]
        for name, then in _STOPPED:
            found[name] = np.where(stands, self._spans[then][which, vehicles], found[name])
        self._told["started"][vehicles] = found["started"]
        self._told["ended"][vehicles] = np.where(moves, END_US, found["ended"])
        self._told["unseen_us"][vehicles] = found["unseen_us"]
        still = partial(self._describe, is_open=True, is_moving=moves.tolist())
        return [Findings(found, still)]

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        own = self._spans[:, vehicles]
        is_cut = own["is_active"] & own["is_standing"] & own["is_cut"]
        # A span may begin at the last fix once the next one is known.
        begins = [(vehicles, self._lasts["time"][vehicles])]
        for stage in range(_SPANS):
            for which, column in ((own["is_active"], "started"), (is_cut, "cut_at")):
                begins.append((vehicles[which[stage]], own[column][stage, which[stage]]))
        return [
            (KIND, vehicle, "", started)
            for of, times in begins
            for vehicle, started in zip(of.tolist(), times.tolist(), strict=True)
        ]

    def _describe(
        self, records: Records, *, is_open: bool = False, is_moving: list[bool] | None = None
    ) -> list[Interval]:
        intervals: list[Interval] = []
        moving = is_moving or [False] * len(records)
        for run, moves in zip(rows_of(records), moving, strict=True):
            details: Details = {
                "driving_s": (run.ended - run.started) / 1e6,
                "unseen_s": run.unseen_us / 1e6,
                "continues": run.continues,
                "is_moving": moves,
            }
            profile = self._rulebook.profiles[run.profile].id
            intervals.append(interval_of(run, KIND, "", profile, details, is_open=is_open))
        return intervals
