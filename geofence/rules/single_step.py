"""Rules that look at one step at a time, and need no more of a vehicle than its last clean fix.

Belongs here: what `data_gap` and `moved_unseen` have in common. Which steps count is said by the
kernel that each of them gives.
"""

from abc import ABC, abstractmethod

from devices.batch import I32, I64
from geofence.interval import Details, Interval
from geofence.locate import Located
from geofence.rulebook import Rulebook
from geofence.rules.last import FindSteps, LastFixes
from geofence.rules.rule import Findings, Key, Records, Stateless, Track
from geofence.rules.run import interval_of, rows_of


class SingleStep(Stateless, ABC):
    """A rule of one kind whose intervals are single steps."""

    def __init__(self, rulebook: Rulebook, last: LastFixes, kind: str, find: FindSteps) -> None:
        self._rulebook = rulebook
        self._last = last
        self._kind = kind
        self._find = find

    @abstractmethod
    def _details(self, speed_kmh: float) -> Details:
        """What is said of a step beside itself; speed_kmh: that of STEP_DTYPE."""

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
        steps = self._last.steps(self._find, self._rulebook.params, track)
        return [Findings(steps, self._describe)]

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        return [(self._kind, vehicle, "", time) for vehicle, time in self._last.times(vehicles)]

    def _describe(self, steps: Records) -> list[Interval]:
        intervals: list[Interval] = []
        for run in rows_of(steps):
            profile = self._rulebook.profiles[run.profile].id
            details = self._details(run.speed_kmh)
            intervals.append(interval_of(run, self._kind, "", profile, details, is_open=False))
        return intervals
