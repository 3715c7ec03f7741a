"""How tests compare intervals, and a store that keeps them as the database would."""

from collections.abc import Iterable
from dataclasses import asdict

from geofence.interval import Interval


def key_of(interval):
    return interval.kind, interval.vehicle, interval.subject, interval.started


def facts(interval):
    """Everything about an interval, numbers rounded: sums may differ in the last digits."""
    found = asdict(interval)
    found["details"] = {name: _rounded(value, name) for name, value in interval.details.items()}
    return {name: _rounded(value) for name, value in found.items()}


def _rounded(value, name=""):
    places = 9 if name.endswith(("_lon", "_lat")) else 3
    return round(value, places) + 0.0 if isinstance(value, float) else value


def by_key(intervals: Iterable[Interval]):
    """Facts by key; the same key twice is a mistake."""
    found = {}
    for interval in intervals:
        assert key_of(interval) not in found, f"twice: {interval}"
        found[key_of(interval)] = facts(interval)
    return found


class Store:
    """Intervals by key, as they are inserted and replaced batch by batch."""

    def __init__(self):
        self.found = {}

    def write(self, intervals):
        for key, found in by_key(intervals).items():
            before = self.found.get(key)
            if before is not None:
                assert before["is_open"] or before == found, f"changed when final: {before}"
            self.found[key] = found

    def reconcile(self, vehicle, after, judged):
        """Late data: what is no longer said of a vehicle after a time is withdrawn."""
        for key in list(self.found):
            if key[1] == vehicle and (key[3] > after or key in judged.pending):
                del self.found[key]
        for key, found in by_key(judged.intervals).items():
            if key[1] == vehicle:
                assert key not in self.found or self.found[key] == found, f"was final: {key}"
                self.found[key] = found
