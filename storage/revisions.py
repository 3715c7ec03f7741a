"""What must change so that the stored violations become those that judging found.

Pure: no database. A violation is known by its key (kind, vehicle, subject, start). One that is open
grows in place; a fact of any other that changes makes a new version, and none is ever forgotten.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from geofence.interval import Details, Interval
from geofence.rules.rule import Key
from storage.texts import storable_text


class Stored(NamedTuple):
    """A violation as it stands. `interval.is_open` is its status `open`."""

    id: int
    version: int
    interval: Interval


@dataclass(slots=True)
class Plan:
    """What to do, in the order in which it must be done.

    withdrawn: gone. revised: new facts, a new version. updated: the same version goes on.
    inserted: new.
    """

    withdrawn: list[Stored] = field(default_factory=list)
    revised: list[tuple[Stored, Interval]] = field(default_factory=list)
    updated: list[tuple[Stored, Interval]] = field(default_factory=list)
    inserted: list[Interval] = field(default_factory=list)


def key_of(interval: Interval) -> Key:
    """What identifies a violation."""
    return interval.kind, interval.vehicle, interval.subject, interval.started


def status_of(interval: Interval, version: int) -> str:
    """The status of a violation with these facts at this version."""
    if interval.is_open:
        return "open"
    return "final" if version == 1 else "revised"


def plan_write(stored: Iterable[Stored], wanted: Sequence[Interval]) -> Plan:
    """Take in what judging went on to find; what it does not mention stays as it is."""
    plan = Plan()
    at = {key_of(row.interval): row for row in stored}
    for interval in _by_key(wanted).values():
        row = at.get(key_of(interval))
        if row is None:
            plan.inserted.append(interval)
        else:
            _compare(plan, row, interval)
    return plan


def plan_reconciliation(stored: Iterable[Stored], wanted: Sequence[Interval]) -> Plan:
    """Let the stored ones become exactly the wanted ones.

    Those without a counterpart of the same key are matched with one of the same kind, vehicle and
    subject that overlaps: the violation whose start has moved is the same violation.
    """
    plan = Plan()
    missing = _by_key(wanted)
    left: list[Stored] = []
    for row in sorted(stored, key=lambda row: key_of(row.interval)):
        interval = missing.pop(key_of(row.interval), None)
        if interval is None:
            left.append(row)
        else:
            _compare(plan, row, interval)
    candidates: defaultdict[tuple[str, int, str], list[Interval]] = defaultdict(list)
    for interval in sorted(missing.values(), key=key_of):
        candidates[_subject(interval)].append(interval)
    for row in left:
        same = candidates[_subject(row.interval)]
        match = next((i for i in same if _overlap(i, row.interval)), None)
        if match is None:
            plan.withdrawn.append(row)
        else:
            same.remove(match)
            plan.revised.append((row, match))
    plan.inserted += [interval for same in candidates.values() for interval in same]
    return plan


def _compare(plan: Plan, row: Stored, interval: Interval) -> None:
    """Note what the new facts under an old key come to."""
    same = facts(row.interval) == facts(interval)
    if same and row.interval.is_open == interval.is_open:
        return
    if same or row.interval.is_open:
        plan.updated.append((row, interval))
    else:
        plan.revised.append((row, interval))


def facts(interval: Interval) -> tuple[Any, ...]:
    """Everything that a revision would revise, as the database gives it back."""
    return (
        interval.started,
        interval.ended,
        interval.profile,
        interval.driver,
        interval.fixes,
        *map(float.hex, map(float, (interval.distance_m, *interval.start, *interval.end))),
        # jsonb has one kind of number: 3, 3.0 and 1e300 come back as what they are equal to.
        sorted(
            (name, float(value) if type(value) is int else value)
            for name, value in storable_details(interval.details).items()
        ),
    )


def storable_details(details: Details) -> dict[str, float | int | str | bool | None]:
    """Details as JSON holds them: what is not a finite number is null."""
    return {name: _storable(value) for name, value in details.items()}


def _storable(value: Any) -> float | int | str | bool | None:
    if hasattr(value, "item"):  # a NumPy scalar
        value = value.item()
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else None  # JSON's -0.0 comes back as 0
    return storable_text(value) if isinstance(value, str) else value


def _by_key(intervals: Iterable[Interval]) -> dict[Key, Interval]:
    """Intervals by key; of two with one key the later is the newer word."""
    return {key_of(interval): interval for interval in intervals}


def _subject(interval: Interval) -> tuple[str, int, str]:
    return interval.kind, interval.vehicle, interval.subject


def _overlap(one: Interval, other: Interval) -> bool:
    return max(one.started, other.started) <= min(one.ended, other.ended)
