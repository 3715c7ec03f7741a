"""Timetables: the slots that nobody runs, by where the fleet's buses are when.

The rule's numbers are written down here once more on purpose: the truth must not be computed by
what is scored with it. Slots of the simulated country are those of every day.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from geofence.registry import Direction, Route
from simulators.hours import DAY_US, LOCAL_US

EARLY_US: Final = 900_000_000
"""A departure may serve a slot so long before it,"""

WITHIN_US: Final = 7_200_000_000
"""and so long after it."""

UNSURE_US: Final = 900_000_000
"""A bus whose next fix may come so late may have left its terminal already."""


def slots_not_run(
    route: Route, direction: Direction, departures: Sequence[int], span_us: tuple[int, int]
) -> Iterator[int]:
    """The instants of a direction's slots that no departure serves, and none can any more.

    departures: every one in the span, which is what is known. A departure serves one slot at most:
    where two of them could be served by one, this is too plain.
    """
    since_us, until_us = span_us
    times = [_of_day_us(slot.departs) for slot in route.slots if slot.direction == direction]
    first, last = ((at + LOCAL_US) // DAY_US for at in span_us)
    for day in range(first, last + 1):
        slots = [day * DAY_US - LOCAL_US + at for at in sorted(times)]
        for at, decided in zip(slots, _decided(slots), strict=True):
            served = any(-EARLY_US <= left - at <= WITHIN_US for left in departures)
            if not served and since_us <= at - EARLY_US and decided < until_us - UNSURE_US:
                yield at


def _decided(slots: Sequence[int]) -> list[int]:
    """Until when a departure may still have each slot served.

    One that serves a later slot may free the departure that was to serve it.
    """
    ends: list[int] = []
    later: int | None = None
    for at in reversed(slots):
        own = at + WITHIN_US
        is_linked = later is not None and later - EARLY_US <= own
        ends.append(max(ends[-1], own) if is_linked else own)
        later = at
    return ends[::-1]


def _of_day_us(departs: str) -> int:
    hours, minutes = departs.split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000_000
