"""Silence while moving: kind `data_gap`, docs/rules.md section 6.

Belongs here: steps of one vehicle that took too long. That a vehicle is silent now is no business
of a rule: it knows no clock, a gap is found by the fix that ends it.
"""

from typing import Final

from devices.compile import kernel
from geofence.interval import Details
from geofence.rulebook import Rulebook
from geofence.rules.last import LastFixes, begin_before, motion_before
from geofence.rules.rule import Records, Track
from geofence.rules.run import extend_run
from geofence.rules.single_step import SingleStep

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


class DataGap(SingleStep):
    """Steps of vehicles that moved, and then were silent."""

    def __init__(self, rulebook: Rulebook, last: LastFixes) -> None:
        super().__init__(rulebook, last, KIND, _find)

    def _details(self, speed_kmh: float) -> Details:
        return {"last_speed_kmh": speed_kmh}
