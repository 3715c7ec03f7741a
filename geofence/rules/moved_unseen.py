"""Moved while silent: kind `moved_unseen`, docs/rules.md section 6.

Belongs here: steps of one vehicle that took long and led far. Whether it moved when it fell silent
is the question of `data_gap`: one step may be both.
"""

from typing import Final

from devices.batch import I32, I64
from geofence.compile import kernel
from geofence.interval import Details, Interval
from geofence.locate import Located
from geofence.rulebook import Rulebook
from geofence.rules.last import LastFixes, begin_before
from geofence.rules.rule import Findings, Key, Records, Stateless, Track
from geofence.rules.run import extend_run, interval_of, rows_of

KIND: Final = "moved_unseen"


@kernel
def _find(last: Records, params: Records, track: Track, out: Records) -> int:
    """See FindSteps; a step's speed is its length by its time."""
    gap_us, step_m, step_profile = track.gap_us, track.step_m, track.step_profile
    found = 0
    for i in range(len(gap_us)):
        p = params[step_profile[i]]
        if gap_us[i] <= p["moved_unseen_over_us"]:  # -1, no step, is not long
            continue
        if step_m[i] > p["moved_unseen_over_m"]:
            if found == len(out):
                return -1
            begin_before(out[found], last, track, i)
            extend_run(out[found], track, i, step_m[i])
            out[found]["speed_kmh"] = step_m[i] / 1000.0 / (gap_us[i] / 3.6e9)
            found += 1
    return found


class MovedUnseen(Stateless):
    """Needs nothing of a vehicle but its last clean fix."""

    def __init__(self, rulebook: Rulebook, last: LastFixes) -> None:
        self._rulebook = rulebook
        self._last = last

    def advance(
        self,
        track: Track,
        located: Located,  # noqa: ARG002 - the interface of rules
        needs_from: I64,  # noqa: ARG002 - the last fix is the judge's to keep
        *,
        emit: bool,
    ) -> list[Findings]:
        """See Rule."""
        if not emit:
            return []
        steps = self._last.steps(_find, self._rulebook.params, track)
        return [Findings(steps, self._describe)]

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        return [(KIND, vehicle, "", time) for vehicle, time in self._last.times(vehicles)]

    def _describe(self, steps: Records) -> list[Interval]:
        intervals: list[Interval] = []
        for run in rows_of(steps):
            profile = self._rulebook.profiles[run.profile].id
            details: Details = {"mean_speed_kmh": run.speed_kmh}
            intervals.append(interval_of(run, KIND, "", profile, details, is_open=False))
        return intervals
