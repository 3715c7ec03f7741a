"""Moved while silent: kind `moved_unseen`, docs/rules.md section 6.

Belongs here: steps of one vehicle that took long and led far. Whether it moved when it fell silent
is the question of `data_gap`: one step may be both.
"""

from typing import Final

from devices.compile import kernel
from geofence.interval import Details
from geofence.rulebook import Rulebook
from geofence.rules.last import LastFixes, begin_before
from geofence.rules.rule import Records, Track
from geofence.rules.run import extend_run
from geofence.rules.single_step import SingleStep

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


class MovedUnseen(SingleStep):
    """Steps that took long and led far."""

    def __init__(self, rulebook: Rulebook, last: LastFixes) -> None:
        super().__init__(rulebook, last, KIND, _find)

    def _details(self, speed_kmh: float) -> Details:
        return {"mean_speed_kmh": speed_kmh}
