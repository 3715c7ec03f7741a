"""Silence while moving: kind `data_gap`, docs/rules.md section 6.

Belongs here: steps of one vehicle that took too long. That a vehicle is silent now is no business
of a rule: it knows no clock, a gap is found by the fix that ends it.
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

KIND: Final = "data_gap"

_STATE: Final = np.dtype(
    [
        *RUN_FIELDS,  # the last clean fix, as a run of one
        ("is_moving", np.bool_),
        ("speed_kmh", np.float64),
    ],
    align=True,
)


@kernel
def _advance(states: Records, params: Records, track: Track, needs_from: I64, out: Records) -> int:
    """Advance the states; returns how many gaps were emitted: at most one for a fix."""
    emitted = 0
    for i in range(len(track.time)):
        state = states[track.vehicle[i]]
        gap_us = track.gap_us[i]
        if state["is_moving"] and gap_us > params[track.step_profile[i]]["data_gap_over_us"]:
            out[emitted] = state
            extend_run(out[emitted], track, i, track.step_m[i])
            emitted += 1
        begin_run(state, track, i)
        since = track.time[i]
        speed = track.speed_kmh[i]
        if np.isnan(speed) and gap_us >= 0:
            speed = track.step_m[i] / (gap_us / 1e6) * 3.6
            since -= gap_us
        state["speed_kmh"] = speed
        state["is_moving"] = speed > params[track.profile[i]]["data_gap_moving_kmh"]
        needs_from[i] = min(needs_from[i], since)
    return emitted


class DataGap(StatePerVehicle):
    """The last clean fix of each vehicle, and whether it moved there."""

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
        """None: a gap is known when it ends."""
        return []

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        states = self._states[vehicles]
        return [
            (KIND, vehicle, "", started)
            for vehicle, started in zip(vehicles.tolist(), states["started"].tolist(), strict=True)
        ]

    def _describe(self, records: Records) -> list[Interval]:
        intervals: list[Interval] = []
        for run in rows_of(records):
            profile = self._rulebook.profiles[run.profile].id
            details: Details = {"last_speed_kmh": run.speed_kmh}
            intervals.append(interval_of(run, KIND, "", profile, details, is_open=False))
        return intervals
