"""What may be done in a review, by whom, and what comes of it. Pure: no database.

The moves are the table of docs/reviews.md and the rows of `review_moves`; tests hold the three
together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

from storage.access.roles import Ability
from storage.errors import ReviewError
from storage.reading.violations import Review
from storage.reviews.reasons import check_reason

Step = Literal["acknowledge", "appeal", "excuse", "confirm", "dismiss"]
Answer = Literal["agree", "refuse", "withdraw"]
What = Literal[Step, Answer]
Act = Literal["taken", "proposed", "agreed", "refused", "withdrawn"]

STEPS: Final[tuple[Step, ...]] = get_args(Step)
ANSWERS: Final[tuple[Answer, ...]] = get_args(Answer)
STATES: Final[tuple[Review, ...]] = get_args(Review)
DECISIONS: Final[dict[Step, Review]] = {
    "excuse": "excused", "confirm": "confirmed", "dismiss": "dismissed",
}  # fmt: skip
UNDECIDING: Final[frozenset[Literal["acknowledge", "appeal"]]] = frozenset(
    {"acknowledge", "appeal"}
)
"""What those do whom the violation is about."""

ACTS: Final[dict[Answer, Act]] = {"agree": "agreed", "refuse": "refused", "withdraw": "withdrawn"}


class Move(NamedTuple):
    """A step from a state to another; to the same one only where facts were revised since."""

    step: Step
    before: Review
    after: Review


MOVES: Final[frozenset[Move]] = frozenset({
    Move("acknowledge", "new", "acknowledged"),
    Move("acknowledge", "acknowledged", "acknowledged"),
    Move("appeal", "confirmed", "appealed"),
    *(Move(step, before, after) for step, after in DECISIONS.items() for before in STATES),
})  # fmt: skip


class Proposal(NamedTuple):
    """A decision that waits for a second person. number: that of its row; person: who made it."""

    number: int
    step: Step
    person: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """A violation as its review stands.

    number: counts what happened to the review. is_flagged: the facts were revised since they were
    judged. confirmers: the people by whom it was ever confirmed.
    """

    kind: str
    status: str
    version: int
    review: Review
    number: int
    is_flagged: bool
    proposal: Proposal | None = None
    confirmers: frozenset[int] = frozenset()


class Caller(NamedTuple):
    """Who takes the step. person: None for a program; a key of a person is that person."""

    person: int | None
    abilities: frozenset[Ability]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be done, and why. reason: a code of `reasons`, "" for none."""

    what: What
    reason: str = ""
    text: str = ""


class Outcome(NamedTuple):
    """What comes of it. Only what was `taken` or `agreed` moves the review to `move.after`."""

    act: Act
    move: Move


def needs_four_eyes(kind: str, patterns: Sequence[str]) -> bool:
    """Whether decisions about a kind take two people: `overload_*` is every kind that begins so."""
    return any(
        kind.startswith(pattern[:-1]) if pattern.endswith("*") else kind == pattern
        for pattern in patterns
    )


def check_ability(caller: Caller, what: What) -> None:
    """Refuse a caller whose role has nothing to do with it. Raises ReviewError."""
    if what in UNDECIDING:
        _require(caller, "answer")
    else:
        _decider(caller)


def judge(standing: Standing, caller: Caller, asked: Asked, *, four_eyes: bool) -> Outcome:
    """What comes of a step. Raises ReviewError where it cannot be taken."""
    outcome = _outcome(standing, caller, asked.what, four_eyes=four_eyes)
    check_reason(asked.what, outcome.move.before, asked.reason, asked.text)
    return outcome


def possible(standing: Standing, caller: Caller, *, four_eyes: bool) -> list[What]:
    """What the caller could do next, with the right reasons."""
    found: list[What] = []
    for what in (*STEPS, *ANSWERS):
        try:
            _outcome(standing, caller, what, four_eyes=four_eyes)
        except ReviewError:
            continue
        found.append(what)
    return found


def _outcome(standing: Standing, caller: Caller, what: What, *, four_eyes: bool) -> Outcome:
    if what in UNDECIDING:
        return Outcome("taken", _answered(standing, caller, what))
    person = _decider(caller)
    if what in ACTS:
        return _proposal_answered(standing, person, what)
    assert what in DECISIONS
    move = _move(standing, what)
    _check_decidable(standing, what)
    _check_appeal(standing, person)
    if four_eyes and standing.proposal is not None:
        raise ReviewError(
            "step_not_possible",
            f"{standing.proposal.step!r} is proposed: expected it to be agreed to, refused or "
            "withdrawn first",
        )
    return Outcome("proposed" if four_eyes else "taken", move)


def _answered(standing: Standing, caller: Caller, step: Step) -> Move:
    """What those do whom the violation is about."""
    _require(caller, "answer")
    if standing.status == "withdrawn":
        raise ReviewError("step_not_possible", "the violation is withdrawn: there is none")
    return _move(standing, step)


def _decider(caller: Caller) -> int:
    _require(caller, "decide")
    if caller.person is None:
        raise ReviewError("forbidden", "expected a person, or a key of one: programs do not decide")
    return caller.person


def _proposal_answered(standing: Standing, person: int, answer: Answer) -> Outcome:
    proposal = standing.proposal
    if proposal is None:
        raise ReviewError("step_not_possible", f"{answer}: expected a step that is proposed")
    if (proposal.person == person) != (answer == "withdraw"):
        expected = "the one who proposed it" if answer == "withdraw" else "another than who did"
        raise ReviewError("other_person_needed", f"{answer}: expected {expected}")
    move = _move(standing, proposal.step)
    _check_appeal(standing, person)
    return Outcome(ACTS[answer], move)


def _move(standing: Standing, step: Step) -> Move:
    found = [move for move in MOVES if (move.step, move.before) == (step, standing.review)]
    if not found:
        raise ReviewError("step_not_possible", f"{step}: not from {standing.review!r}")
    if found[0].after == standing.review and not standing.is_flagged:
        raise ReviewError("step_not_possible", f"it is {standing.review!r} already")
    return found[0]


def _check_decidable(standing: Standing, step: Step) -> None:
    if standing.status == "open":
        raise ReviewError("step_not_possible", "the violation goes on: expected one that is over")
    if standing.status == "withdrawn" and step != "dismiss":
        raise ReviewError("step_not_possible", "the violation is withdrawn: expected 'dismiss'")


def _check_appeal(standing: Standing, person: int) -> None:
    if standing.review == "appealed" and person in standing.confirmers:
        raise ReviewError(
            "other_person_needed", "expected somebody who never confirmed what is appealed against"
        )


def _require(caller: Caller, ability: Ability) -> None:
    if ability not in caller.abilities:
        raise ReviewError("forbidden", f"expected a role and a key that may {ability!r}")
