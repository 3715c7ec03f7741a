"""What can be set about the API; `hanhtrinh` fills it in from the settings."""

from dataclasses import dataclass, field

from analytics.stops import StopRule
from geofence.profile import Profile, shipped_profile


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """Limits and parameters of one API process.

    version: of the product, shown in the OpenAPI document.
    statement_timeout_s: a query that runs for longer is cancelled, and the caller told so.
    most_body_bytes: a larger request body is refused while it is being read.
    most_window_days: the longest stretch of time that one journey request may ask for.
    most_track_fixes: a window with more fixes gets no summary of its stops and trips, but a
        problem that asks for a shorter window.
    most_evidence_fixes: fixes of a violation's own interval that are shown; beyond, the journey.
    stops: how stops and trips are found in a journey.
    profiles, timezone: what timetables are compared by, as the worker's; together the profiles
        cover all time.
    """

    version: str = "0.1.0"
    statement_timeout_s: float = 15.0
    most_body_bytes: int = 4 << 20
    most_window_days: int = 31
    most_track_fixes: int = 3_000_000
    most_evidence_fixes: int = 10_000
    stops: StopRule = field(default_factory=StopRule)
    profiles: tuple[Profile, ...] = field(default_factory=lambda: (shipped_profile(),))
    timezone: str = "Asia/Ho_Chi_Minh"
