"""Power taken from the tracker: kind `power_cut`, docs/rules.md section 6.

Belongs here: runs of fixes that report it. A tracker without power soon falls silent, so that a gap
does not end a run; the first fix that reports power again does.
"""

from functools import partial
from typing import Any, Final

import numpy as np

from devices.batch import I32, I64, INPUT_KNOWN_SHIFT, Bool, Input
from devices.compile import kernel
from geofence.interval import Interval
from geofence.locate import Located
from geofence.rulebook import Rulebook
from geofence.rules.rule import Findings, Key, Records, StatePerVehicle, Track
from geofence.rules.run import RUN_FIELDS, begin_run, extend_run, interval_of, rows_of

KIND: Final = "power_cut"

_ON: Final = int(Input.POWER_CUT)
_KNOWN: Final = int(Input.POWER_CUT) << INPUT_KNOWN_SHIFT

_STATE: Final = np.dtype(
    [
        *RUN_FIELDS,  # of the fixes that report it, and of the one that ends it
        ("is_cut", np.bool_),
        ("since_m", np.float64),  # driven since the last fix that said anything of it
    ],
    align=True,
)


@kernel
def _is_long_enough(run: Any, params: Records) -> bool:
    least_us = params[run["profile"]]["power_cut_min_duration_us"]
    return bool(run["ended"] - run["started"] >= least_us)


@kernel
def _select(runs: Records, params: Records, chosen: Bool) -> None:
    for k in range(len(runs)):
        chosen[k] = _is_long_enough(runs[k], params)


@kernel
def _advance(states: Records, params: Records, track: Track, needs_from: I64, out: Records) -> int:
    """Advance the states; returns how many runs were emitted: at most one for a fix."""
    vehicle, inputs_of, step_m = track.vehicle, track.inputs, track.step_m
    emitted = 0
    for i in range(len(vehicle)):
        inputs = np.int64(inputs_of[i])
        state = states[vehicle[i]]
        is_cut = inputs & _ON != 0
        if not is_cut and not state["is_cut"]:
            continue  # nearly always
        if state["is_cut"]:
            state["since_m"] += step_m[i]
        if inputs & _KNOWN != 0:
            if state["is_cut"]:
                extend_run(state, track, i, state["since_m"])
            else:
                begin_run(state, track, i)
            state["is_cut"] = is_cut
            state["since_m"] = 0.0
            if not is_cut and _is_long_enough(state, params):
                out[emitted] = state
                emitted += 1
        if state["is_cut"]:
            needs_from[i] = min(needs_from[i], state["started"])
    return emitted


class PowerCut(StatePerVehicle):
    """Of each vehicle whether its tracker has reported that its power is cut, and since when."""

    def __init__(self, rulebook: Rulebook) -> None:
        super().__init__(rulebook, _STATE)

    def advance(
        self,
        track: Track,
        located: Located,  # noqa: ARG002 - the interface of rules
        needs_from: I64,
        *,
        emit: bool,
    ) -> list[Findings]:
        """See Rule."""
        out = np.empty(len(track.time), _STATE)
        emitted = _advance(self._states, self._rulebook.params, track, needs_from, out)
        return [Findings(out[:emitted].copy(), self._describe)] if emit else []

    def open_intervals(self, vehicles: I32) -> list[Findings]:
        """See Rule."""
        cut = self._cut(vehicles)
        chosen = np.empty(len(cut), np.bool_)
        _select(cut, self._rulebook.params, chosen)
        return [Findings(cut[chosen], partial(self._describe, is_open=True))]

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        cut = self._cut(vehicles)
        return [(KIND, run.vehicle, "", run.started) for run in rows_of(cut)]

    def _cut(self, vehicles: I32) -> Records:
        cut: Records = self._states[vehicles[self._states["is_cut"][vehicles]]]
        return cut

    def _describe(self, records: Records, *, is_open: bool = False) -> list[Interval]:
        return [
            interval_of(run, KIND, "", self._rulebook.profiles[run.profile].id, {}, is_open=is_open)
            for run in rows_of(records)
        ]
