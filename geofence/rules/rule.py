"""What every rule is to the judge, and what it sees of a fix.

Belongs here: the interface of rules and the columns they share. No rule is written here.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from devices.batch import F64, I32, I64, U32, Bool
from geofence.interval import Interval
from geofence.locate import Located
from geofence.rulebook import Rulebook

Records = NDArray[np.void]
"""A structured array: state of vehicles, or what a kernel emits."""

Key = tuple[str, int, str, int]
"""What identifies an interval: (kind, vehicle, subject, started)."""


class Findings(NamedTuple):
    """Records of what a rule found, and how to say it: intervals are made when somebody asks."""

    records: Records
    describe: Callable[[Records], list[Interval]]

    def intervals(self) -> list[Interval]:
        """What was found, one record after the other."""
        return self.describe(self.records)


class Track(NamedTuple):
    """Clean fixes sorted by (vehicle, time), as columns of shape (n,), for kernels.

    The step into fix i leads from the vehicle's clean fix before it, perhaps of an earlier batch.

    | column | unit, and what "none" is |
    |---|---|
    | speed_kmh | km/h, NaN unknown or implausible |
    | profile | row of the profile in force at the fix |
    | gap_us | microseconds of the step, -1: there is no fix before |
    | step_m | length of the step, metres, 0 where there is none |
    | step_profile | row of the profile in force at the step's first fix, else the fix's own |
    | inputs | `Input` bits, as in FixBatch |

    The fix before is row i - 1 if that is of the same vehicle, else in `LastFixes`.
    """

    vehicle: I32
    time: I64
    lon: F64
    lat: F64
    speed_kmh: F64
    driver: I32
    profile: I32
    gap_us: I64
    step_m: F64
    step_profile: I32
    inputs: U32


class Heard(NamedTuple):
    """All fixes that the judge was given, clean or not, in the same order, of shape (m,).

    | column | unit, and what "none" is |
    |---|---|
    | lon, lat | of no meaning without has_position |
    | speed_kmh, driver, profile | as in Track |
    | has_position | the receiver had one; it may be a jump |
    | is_clean | the fix is one of Track's |
    | gap_us, step_m | as in Track for clean fixes; -1 and 0 for others |
    """

    vehicle: I32
    time: I64
    lon: F64
    lat: F64
    speed_kmh: F64
    driver: I32
    profile: I32
    has_position: Bool
    is_clean: Bool
    gap_us: I64
    step_m: F64


class Stateful(Protocol):
    """What all rules have: a state for each vehicle.

    The state after a fix is a function of the vehicle's fixes since some time before; that time is
    what `advance` lowers `needs_from` to.
    """

    def make_room(self, vehicles: int) -> None:
        """Have a state for every vehicle id below `vehicles`; new ones have seen nothing."""

    def forget(self, vehicles: I32) -> None:
        """Make the state of these vehicles that of vehicles never seen."""

    def open_intervals(self, vehicles: I32) -> list[Findings]:
        """Intervals of these vehicles that qualify and whose condition still holds."""

    def pending(self, vehicles: I32) -> list[Key]:
        """Keys of all intervals with a start so far that later fixes of these vehicles may close.

        Including those that do not qualify yet. None of them has been returned as closed.
        """


class Rule(Stateful, Protocol):
    """A family of rules over clean fixes."""

    def advance(
        self, track: Track, located: Located, needs_from: I64, *, emit: bool
    ) -> list[Findings]:
        """Take fixes in. Returns the intervals that they closed, none if `emit` is false.

        needs_from: shape (n,), lowered in place where the state after the fix depends on earlier
        fixes than the value that stands there.
        """


class RawRule(Stateful, Protocol):
    """A family of rules that must see the fixes that are not clean, too."""

    def advance(self, heard: Heard, needs_from: I64, *, emit: bool) -> list[Findings]:
        """As Rule's; needs_from: shape (m,), one for every fix heard."""


class Stateless:
    """What rules share that keep nothing of their own: an interval is known when it is over."""

    def make_room(self, vehicles: int) -> None:
        """See Stateful."""

    def forget(self, vehicles: I32) -> None:
        """See Stateful."""

    def open_intervals(self, vehicles: I32) -> list[Findings]:  # noqa: ARG002 - the interface
        """None."""
        return []


class StatePerVehicle:
    """What rules share that keep one record of state for each vehicle; blank: all zero."""

    def __init__(self, rulebook: Rulebook, state: np.dtype[Any]) -> None:
        self._rulebook = rulebook
        self._states = np.zeros(0, state)

    def make_room(self, vehicles: int) -> None:
        """See Stateful."""
        self._states = grown(self._states, vehicles, np.zeros((), self._states.dtype))

    def forget(self, vehicles: I32) -> None:
        """See Stateful."""
        self._states[vehicles] = np.zeros((), self._states.dtype)


def grown(state: NDArray[Any], vehicles: int, blank: NDArray[Any]) -> NDArray[Any]:
    """The state with at least `vehicles` rows: doubled, the new ones set to `blank`.

    Rows of zeros take no memory until they are written to: the system hands them out then.
    """
    if len(state) >= vehicles:
        return state
    larger = np.zeros((max(vehicles, 2 * len(state), 64), *state.shape[1:]), state.dtype)
    larger[: len(state)] = state
    if any(blank.tobytes()):
        larger[len(state) :] = blank
    return larger
