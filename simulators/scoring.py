"""Scoring: what was found against what was planned, one to one.

Belongs here: matching two lists of intervals, and the figures that follow. Does not belong here:
where either comes from.

A planned and a found violation fit if kind and vehicle are the same, the subject too where the plan
gives one, and the intervals meet: the planned one is taken longer by `slack_us` at both ends,
because a judge sees fixes alone. Of all fitting pairs the one with the longest overlap is matched
first (of equal ones that whose ends differ least, then the earliest), then the longest among what
is left, and so on: greedy, so that no good match is given up to gain a poor one.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

US_PER_S = 1e6

ARRIVAL_KINDS: Final = frozenset({"clock_wrong"})
"""Kinds that are stamped with times of arrival: as late as the server is behind."""

ARRIVES_WITHIN_US: Final = 900_000_000
"""A fix that comes later than this is one of the next run."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Planned or found. Instants are microseconds since 1970-01-01 UTC.

    subject: of a planned one, empty: any. seen: when it first was in the database; None: it is
    planned.
    """

    kind: str
    vehicle: str
    subject: str
    started: int
    ended: int
    seen: int | None = None


Match = tuple[int, int]
"""Rows of the planned and of the found violation."""


def match(
    planned: Sequence[Violation], found: Sequence[Violation], slack_us: int = 0
) -> list[Match]:
    """Which found violation is which planned one, ascending; each is in one match at most."""
    rows: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, each in enumerate(found):
        rows[each.kind, each.vehicle].append(row)
    pairs = [
        (preference(plan, found[other]), row, other)
        for row, plan in enumerate(planned)
        for other in rows[plan.kind, plan.vehicle]
        if fits(plan, found[other], slack_us)
    ]
    pairs.sort()
    taken_planned: set[int] = set()
    taken_found: set[int] = set()
    matches = []
    for _, row, other in pairs:
        if row not in taken_planned and other not in taken_found:
            taken_planned.add(row)
            taken_found.add(other)
            matches.append((row, other))
    return sorted(matches)


def fits(planned: Violation, found: Violation, slack_us: int) -> bool:
    """Whether the found one can be the planned one."""
    late_us = ARRIVES_WITHIN_US if planned.kind in ARRIVAL_KINDS else 0
    return (
        (planned.kind, planned.vehicle) == (found.kind, found.vehicle)
        and planned.subject in ("", found.subject)
        and found.started <= planned.ended + slack_us + late_us
        and found.ended >= planned.started - slack_us
    )


def preference(planned: Violation, found: Violation) -> tuple[int, int]:
    """Smaller is better: more overlap, then ends that differ less."""
    overlap = min(planned.ended, found.ended) - max(planned.started, found.started)
    apart = abs(planned.started - found.started) + abs(planned.ended - found.ended)
    return -max(overlap, 0), apart


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and largest of some figures, seconds."""

    median_s: float
    largest_s: float

    @classmethod
    def of(cls, micros: Sequence[int]) -> "Spread | None":
        """None: there are none. The largest by its size; signs are kept."""
        if not micros:
            return None
        return cls(round(median(micros) / US_PER_S, 3), round(max(micros, key=abs) / US_PER_S, 3))


@dataclass(frozen=True, slots=True)
class KindScore:
    """One kind's figures.

    start_error, end_error: absolute. delay: from the found interval's end to when it was first in
    the database, negative if it was reported while it went on.
    """

    planned: int
    found: int
    matched: int
    start_error: Spread | None
    end_error: Spread | None
    delay: Spread | None

    @property
    def recall(self) -> float | None:
        """Share of the planned ones that were found; None: none was planned."""
        return self.matched / self.planned if self.planned else None

    @property
    def precision(self) -> float | None:
        """Share of the found ones that were planned; None: none was found."""
        return self.matched / self.found if self.found else None


@dataclass(frozen=True, slots=True)
class Score:
    """Figures by kind, what was not found, and what was found and never planned."""

    kinds: dict[str, KindScore]
    missed: list[Violation]
    false: list[Violation]

    @property
    def is_perfect(self) -> bool:
        return not self.missed and not self.false


def score(planned: Sequence[Violation], found: Sequence[Violation], slack_us: int = 0) -> Score:
    """Match, and count by kind."""
    matches = match(planned, found, slack_us)
    by_kind: dict[str, list[Match]] = defaultdict(list)
    for row, other in matches:
        by_kind[planned[row].kind].append((row, other))
    kinds = sorted({each.kind for each in (*planned, *found)})
    seen_planned = {row for row, _ in matches}
    seen_found = {other for _, other in matches}
    return Score(
        kinds={kind: _kind_score(kind, planned, found, by_kind[kind]) for kind in kinds},
        missed=[each for row, each in enumerate(planned) if row not in seen_planned],
        false=[each for row, each in enumerate(found) if row not in seen_found],
    )


def _kind_score(
    kind: str, planned: Sequence[Violation], found: Sequence[Violation], matches: Sequence[Match]
) -> KindScore:
    pairs = [(planned[row], found[other]) for row, other in matches]
    return KindScore(
        planned=sum(each.kind == kind for each in planned),
        found=sum(each.kind == kind for each in found),
        matched=len(pairs),
        start_error=Spread.of([abs(plan.started - got.started) for plan, got in pairs]),
        end_error=Spread.of([abs(plan.ended - got.ended) for plan, got in pairs]),
        delay=Spread.of([got.seen - got.ended for _, got in pairs if got.seen is not None]),
    )


def as_json(result: Score) -> dict[str, Any]:
    """The score as one object of plain values."""

    def spread(of: Spread | None) -> dict[str, float] | None:
        return None if of is None else {"median_s": of.median_s, "largest_s": of.largest_s}

    return {
        kind: {
            "planned": one.planned,
            "found": one.found,
            "matched": one.matched,
            "recall": one.recall,
            "precision": one.precision,
            "start_error": spread(one.start_error),
            "end_error": spread(one.end_error),
            "delay": spread(one.delay),
        }
        for kind, one in result.kinds.items()
    }
