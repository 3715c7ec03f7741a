"""Visits: when a vehicle is in a zone, and when it has left. docs/rules.md, section 2.

Belongs here: the state machine of one vehicle and one zone, as kernels that rules call. A visit
begins at the first of `confirm_in` consecutive clean fixes inside and ends at the last inside fix
before `confirm_out` consecutive ones outside, or before a gap over `max_gap_s`.
"""

from typing import Any, Final

import numpy as np

from devices.compile import kernel
from geofence.rules.rule import Records, Track
from geofence.rules.run import RUN_FIELDS, begin_run, extend_run

FREE: Final = 0
ENTERING: Final = 1
"""Inside, but for fewer than confirm_in fixes."""
OPEN: Final = 2

VISIT_FIELDS: Final[list[tuple[str, Any]]] = [
    *RUN_FIELDS,  # of the inside fixes; distance_m from the first to the last of them
    ("stage", np.uint8),
    ("outside", np.int32),
    ("outside_m", np.float64),
    ("end_driver", np.int32),
    ("end_profile", np.int32),
]
"""State of a visit. outside, outside_m: fixes since the last inside one, and how far they went.

end_driver, end_profile: those of the last inside fix.
"""


@kernel
def breaks_off(visit: Any, track: Track, i: int, params: Records) -> bool:
    """Whether the gap before fix i ends the visit; the caller takes it from there."""
    if visit["stage"] == FREE:
        return False
    return bool(track.gap_us[i] > params[track.step_profile[i]]["visits_max_gap_us"])


@kernel
def take_side(visit: Any, inside: bool, track: Track, i: int, params: Records) -> bool:
    """Take the side of fix i. True: it confirmed that the visit is over; the caller ends it.

    An entering visit that comes to nothing frees itself. A visit that opens with this fix is one
    that was not OPEN before.
    """
    if inside:
        if visit["stage"] == FREE:
            visit["stage"] = ENTERING
            begin_run(visit, track, i)
        else:
            extend_run(visit, track, i, visit["outside_m"] + track.step_m[i])
        visit["outside"] = 0
        visit["outside_m"] = 0.0
        visit["end_driver"] = track.driver[i]
        visit["end_profile"] = track.profile[i]
        confirm_in = params[track.profile[i]]["visits_confirm_in"]
        if visit["stage"] == ENTERING and visit["fixes"] >= confirm_in:
            visit["stage"] = OPEN
        return False
    if visit["stage"] != OPEN:
        visit["stage"] = FREE
        return False
    visit["outside"] += 1
    visit["outside_m"] += track.step_m[i]
    return bool(visit["outside"] >= params[track.profile[i]]["visits_confirm_out"])
