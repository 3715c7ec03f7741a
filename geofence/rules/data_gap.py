"""Silence while moving: kind `data_gap`, docs/rules.md section 6.

Belongs here: steps of one vehicle that took too long. That a vehicle is silent now is no business
of a rule: it knows no clock, a gap is found by the fix that ends it.
"""

from typing import Final

from devices.batch import I32, I64
from geofence.compile import kernel
from geofence.interval import Details, Interval
from geofence.locate import Located
from geofence.rulebook import Rulebook
from geofence.rules.last import LastFixes, begin_before, motion_before
from geofence.rules.rule import Findings, Key, Records, Stateless, Track
from geofence.rules.run import extend_run, interval_of, rows_of

KIND: Final = "data_gap"


@kernel
def _find(last: Records, params: Records, track: Track, out: Records) -> int:
    """See FindSteps; a step's speed is that of its first fix."""
    gap_us, step_profile = track.gap_us, track.step_profile
    found = 0
    for i in range(len(gap_us)):
        p = params[step_profile[i]]
        if gap_us[i] <= p["data_gap_over_us"]:  # -1, no step, is no gap
            continue
        speed = motion_before(last, track, i)
        if speed > p["data_gap_moving_kmh"]:
            if found == len(out):
                return -1
            begin_before(out[found], last, track, i)
            extend_run(out[found], track, i, track.step_m[i])
            out[found]["speed_kmh"] = speed
            found += 1
    return found


class DataGap(Stateless):
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
        gaps = self._last.steps(_find, self._rulebook.params, track)
        return [Findings(gaps, self._describe)]

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        return [(KIND, vehicle, "", time) for vehicle, time in self._last.times(vehicles)]

    def _describe(self, gaps: Records) -> list[Interval]:
        intervals: list[Interval] = []
        for run in rows_of(gaps):
            profile = self._rulebook.profiles[run.profile].id
            details: Details = {"last_speed_kmh": run.speed_kmh}
            intervals.append(interval_of(run, KIND, "", profile, details, is_open=False))
        return intervals
