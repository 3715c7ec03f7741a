"""Interval: what a rule has to say, and the form in which everything above takes it."""

from collections.abc import Mapping
from dataclasses import dataclass

Details = Mapping[str, float | int | str | bool | None]


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of one vehicle's fixes (or one weighing) that a rule reports.

    kind: "speeding", "banned_zone", ..., as docs/rules.md names them; "zone_visit" is no violation.
    subject: code of the zone, route or weigh station that it is about; "" where there is none.
    started, ended: microseconds since 1970-01-01 UTC, of the first and the last fix.
    driver: registry id, -1 unknown (of the first fix).
    start, end: (lon, lat) of the first and the last fix, degrees.
    is_open: the condition still held at the last fix known.
    details: the rule's own fields, as docs/rules.md names them.

    (kind, vehicle, started, subject) identifies it.
    """

    kind: str
    vehicle: int
    subject: str
    profile: str
    driver: int
    started: int
    ended: int
    distance_m: float
    fixes: int
    start: tuple[float, float]
    end: tuple[float, float]
    is_open: bool
    details: Details

    @property
    def duration_s(self) -> float:
        """Seconds from the first to the last fix."""
        return (self.ended - self.started) / 1e6
