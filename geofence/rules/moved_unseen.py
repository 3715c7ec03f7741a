"""Moved while silent: kind `moved_unseen`, docs/rules.md section 6.

Belongs here: steps of one vehicle that took long and led far. Whether it moved when it fell silent
is the question of `data_gap`: one step may be both.
"""

from typing import Final

import numpy as np

from devices.batch import I32, I64
from geofence.compile import kernel
from geofence.interval import Details, Interval
from geofence.locate import Located
from geofence.rulebook import Rulebook
from geofence.rules.rule import Key, Records, StatePerVehicle, Track
from geofence.rules.run import RUN_FIELDS, begin_run, extend_run, interval_of, rows_of

KIND: Final = "moved_unseen"

_STATE: Final = np.dtype(
    [
        *RUN_FIELDS,  # the last clean fix, as a run of one
        # Without a field of its own, Numba would take this for a supertype of every other run.
        ("is_seen", np.bool_),
    ],
    align=True,
)


@kernel
def _advance(states: Records, params: Records, track: Track, needs_from: I64, out: Records) -> int:
    """Advance the states; returns how many steps were emitted: at most one for a fix."""
    emitted = 0
    for i in range(len(track.time)):
        state = states[track.vehicle[i]]
        p = params[track.step_profile[i]]
        is_long = track.gap_us[i] > p["moved_unseen_over_us"]  # -1, no step, is not
        if is_long and track.step_m[i] > p["moved_unseen_over_m"]:
            out[emitted] = state
            extend_run(out[emitted], track, i, track.step_m[i])
            emitted += 1
        begin_run(state, track, i)
        state["is_seen"] = True
        needs_from[i] = min(needs_from[i], track.time[i])
    return emitted


class MovedUnseen(StatePerVehicle):
    """The last clean fix of each vehicle."""

    def __init__(self, rulebook: Rulebook) -> None:
        super().__init__(rulebook, _STATE)

    def advance(
        self,
        track: Track,
        located: Located,  # noqa: ARG002 - the interface of rules
        needs_from: I64,
        *,
        emit: bool,
    ) -> list[Interval]:
        """See Rule."""
        out = np.empty(len(track.time), _STATE)
        emitted = _advance(self._states, self._rulebook.params, track, needs_from, out)
        return self._describe(out[:emitted]) if emit else []

    def open_intervals(self, vehicles: I32) -> list[Interval]:  # noqa: ARG002 - the interface
        """None: it is known when it is over."""
        return []

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        states = self._states[vehicles]
        return [(KIND, run.vehicle, "", run.started) for run in rows_of(states[states["is_seen"]])]

    def _describe(self, records: Records) -> list[Interval]:
        intervals: list[Interval] = []
        for run in rows_of(records):
            profile = self._rulebook.profiles[run.profile].id
            hours = (run.ended - run.started) / 3.6e9
            details: Details = {"mean_speed_kmh": run.distance_m / 1000.0 / hours}
            intervals.append(interval_of(run, KIND, "", profile, details, is_open=False))
        return intervals
