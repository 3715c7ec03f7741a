"""What can be set about the API; `hanhtrinh` fills it in from the settings."""

from dataclasses import dataclass, field

from analytics.stops import StopRule
from geofence.profile import Profile, shipped_profile


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """An OpenID Connect provider. issuer, client_id, client_secret: as it gave them.

    public_url: where browsers find this API, without a path; it calls back there.
    username_claim: which of its claims is our username.
    """

    issuer: str
    client_id: str
    public_url: str
    client_secret: str = field(repr=False)
    username_claim: str = "preferred_username"


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
    most_fleet_vehicles: a larger fleet's month is shown vehicle by vehicle, without a total.
    most_area_hours, most_area_degrees, most_area_fixes: the longest time and the widest box that
        may be asked who was in it, and how many fixes may be in both.
    stops: how stops and trips are found in a journey.
    requests_per_s: of one key or session, five times as many at once; address_requests_per_s: of
        one address; requests_at_once: of one key or session, under way; logins_per_minute: of one
        address.
    session_hours, session_idle_minutes: how long a session lasts, and how long unused.
    password_days: a password has to be changed after so many days; 0: never.
    secret: seals second factors and the way to the identity provider; None: neither can be used.
    kept_days: for how long a violation and the driver that it names have to be kept.
    four_eyes: kinds of violations about which two people decide; `overload_*`: all that begin so.
    most_attachments, most_attachment_bytes, most_attachment_bytes_per_day: files of one violation,
        bytes of one file, bytes that one operator adds in a day.
    is_encrypted: browsers are told to come over TLS only.
    identity_provider: where people may come in, too; None: nowhere.
    profiles, timezone: what timetables are compared by, as the worker's; together the profiles
        cover all time.
    """

    version: str = "0.1.0"
    statement_timeout_s: float = 15.0
    most_body_bytes: int = 4 << 20
    most_window_days: int = 31
    most_track_fixes: int = 3_000_000
    most_evidence_fixes: int = 10_000
    most_fleet_vehicles: int = 2_000
    most_area_hours: int = 24
    most_area_degrees: float = 1.0
    most_area_fixes: int = 1_000_000
    stops: StopRule = field(default_factory=StopRule)
    requests_per_s: float = 50.0
    address_requests_per_s: float = 200.0
    requests_at_once: int = 6
    logins_per_minute: float = 20.0
    session_hours: float = 12.0
    session_idle_minutes: float = 30.0
    password_days: int = 0
    secret: str | None = field(default=None, repr=False)
    kept_days: int = 1096
    four_eyes: tuple[str, ...] = ()
    most_attachments: int = 10
    most_attachment_bytes: int = 2 << 20
    most_attachment_bytes_per_day: int = 512 << 20
    is_encrypted: bool = False
    identity_provider: IdentityProvider | None = None
    profiles: tuple[Profile, ...] = field(default_factory=lambda: (shipped_profile(),))
    timezone: str = "Asia/Ho_Chi_Minh"
