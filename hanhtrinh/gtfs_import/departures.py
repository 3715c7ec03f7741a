"""The departures of a direction as slots of a timetable: times of day, days of the week, dates.

Belongs here: what is repeated, what runs over midnight, what a timetable cannot tell apart.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from geofence.hours import DAYS
from geofence.registry import RouteSlot
from hanhtrinh.gtfs_import.feed import Feed, Trip
from hanhtrinh.gtfs_import.patterns import Pattern
from hanhtrinh.gtfs_import.service_days import DAY, Span
from storage.bulk.problems import Effect

DAY_S: Final = 86_400


def slots_of(feed: Feed, pattern: Pattern, today: date) -> tuple[RouteSlot, ...]:
    """The timetable of a direction, by time. Reports what a timetable holds otherwise.

    today: departures whose days are all before it are held, and said to be over.
    """
    found: dict[str, list[Span]] = defaultdict(list)
    not_whole = same = 0
    for trip in pattern.trips:
        for departs_s in _departures(trip):
            days, second = divmod(departs_s, DAY_S)
            not_whole += second % 60 != 0
            clock = f"{second // 3600:02d}:{second // 60 % 60:02d}"
            for span in (span.later(days) for span in feed.services[trip.service]):
                same += any(span.meets(other) for other in found[clock])
                if span not in found[clock]:
                    found[clock].append(span)
    if not_whole:
        _note(feed, pattern, f"{not_whole} departures within a minute: taken at its beginning")
    if same:
        _note(feed, pattern, f"{same} departures at a minute and day of others: held as one")
    if not any(found.values()):
        _note(feed, pattern, "no day on which any of its trips runs: no departures", "left_out")
    elif (last := max(span.until for spans in found.values() for span in spans)) <= today:
        _note(feed, pattern, f"its trips ran until {last - DAY}: no departure is due any more")
    _note_headways(feed, pattern.trips)
    return tuple(
        _slot(pattern, clock, span) for clock in sorted(found) for span in sorted(found[clock])
    )


def _slot(pattern: Pattern, clock: str, span: Span) -> RouteSlot:
    days = None if len(span.days) == len(DAYS) else span.days
    return RouteSlot(pattern.direction, clock, days, span.first, span.until)


def _departures(trip: Trip) -> Iterator[int]:
    """When a trip leaves its first stop, seconds after midnight of its day."""
    if not trip.headways and trip.calls[0].departs_s is not None:
        yield trip.calls[0].departs_s
    for headway in trip.headways:
        yield from range(headway.first_s, headway.until_s, headway.every_s)


def _note_headways(feed: Feed, trips: Sequence[Trip]) -> None:
    for headway in (headway for trip in trips for headway in trip.headways):
        if not headway.is_exact:
            said = f"a departure every {headway.every_s} s, not at exact times: taken as exact"
            feed.report("frequencies.txt", headway.line, "exact_times", said, "noted")


def _note(feed: Feed, pattern: Pattern, said: str, effect: Effect = "noted") -> None:
    said = f"{pattern.direction}: {said}"
    feed.report("trips.txt", pattern.line, "trip_id", said, effect)
