"""SteadyClock: the time of day, but for steps that a machine's clock makes.

A clock that is set back by an hour would make every live fix one of the future, which is not
judged; set forward, every one late. What is set by mistake is put right in time, and what is right
stays: so a step is followed only when it has lasted. Between two steps it is the machine's clock to
the microsecond.
"""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

STEP_US: Final = 2_000_000
"""More is a step; less is what NTP mends by and by, or the time between two readings."""

LASTS_S: Final = 300.0
"""A step that has lasted for so long is right: longer than anybody takes to see a wrong one, and a
machine that slept on is followed soon. CLOCK_BOOTTIME, where there is one, goes on in its sleep."""

log = structlog.get_logger(__name__)


class _State(NamedTuple):
    """What is believed of the machine's clock.

    offset_us: of it to the steady clock. step_us: the offset since a step that is not believed yet,
    which was seen at since_s of the steady clock; None: there is none.
    """

    offset_us: int
    since_s: float | None = None
    step_us: int = 0


def _steady_s() -> float:
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class SteadyClock:
    """Call it for microseconds since 1970-01-01 UTC. From any thread."""

    def __init__(
        self, wall_us: Callable[[], int], steady_s: Callable[[], float] = _steady_s
    ) -> None:
        """steady_s: seconds of a clock that never steps."""
        self._wall_us = wall_us
        self._steady_s = steady_s
        self._state = _State(wall_us() - round(steady_s() * 1e6))

    def __call__(self) -> int:
        """Now."""
        wall, steady = self._wall_us(), self._steady_s()
        state = self._state  # replaced as a whole: threads see the one or the other
        offset = wall - round(steady * 1e6)
        if abs(offset - state.offset_us) < STEP_US:
            self._state = _State(offset)
            return wall
        if state.since_s is None or abs(offset - state.step_us) >= STEP_US:
            self._state = _State(state.offset_us, steady, offset)
            log.warning("clock.stepped", step_s=(offset - state.offset_us) / 1e6)
        elif steady - state.since_s >= LASTS_S:
            self._state = _State(offset)
            log.warning("clock.followed", step_s=(offset - state.offset_us) / 1e6)
            return wall
        return round(steady * 1e6) + state.offset_us
