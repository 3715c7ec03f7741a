"""Reviews of violations: steps, one by one or for many, and what was done before."""

from typing import Any

import msgspec
from fastapi import Request, Response

from api import reviewing
from api.access import Asked, Session, closed_router
from api.encoding import json_answer
from api.metrics import Metrics
from api.models.reviews import NewStep, NewSteps, ReviewHistory, StepOutcomes, TakenStep
from api.openapi import problems
from api.problems import Problem
from api.resources.violations import ThisViolation
from api.reviewing import IfMatch
from storage.reviews import moves, steps
from storage.reviews.moves import Outcome, Standing

router = closed_router("reviews", changes="read")


class HistoryShown(msgspec.Struct, frozen=True):
    items: list[steps.TakenStep]
    possible: list[str]
    next_cursor: None = None


class OutcomeShown(msgspec.Struct, frozen=True):
    violation: int
    act: str | None = None
    review: str | None = None
    etag: str | None = None
    code: str | None = None
    detail: str | None = None


class OutcomesShown(msgspec.Struct, frozen=True):
    items: list[OutcomeShown]


@router.get(
    "/violations/{violation_id}/reviews",
    summary="Show the review of a violation",
    response_model=ReviewHistory,
    responses=problems("violation_not_found"),
)
async def list_reviews(session: Asked, violation_id: ThisViolation) -> Response:
    """Every step, the newest first, and what the caller may do next.

    What was written is for those who take part in reviews. An operator sees which authority
    decided, and the names of its own people.
    """
    read = await reviewing.standing(session, violation_id)
    shown = HistoryShown(
        await steps.history(session.conn, violation_id),
        [
            str(step)
            for step in moves.possible(
                read, reviewing.caller_of(session), four_eyes=reviewing.four_eyes(session, read)
            )
        ],
    )
    return json_answer(shown, headers=reviewing.etag(read.version, read.number))


@router.post(
    "/violations/{violation_id}/reviews",
    status_code=201,
    summary="Take a step in the review of a violation",
    response_model=TakenStep,
    responses=problems(
        "forbidden", "other_person_needed", "violation_not_found", "step_not_possible",
        "version_mismatch", "body_too_large", "invalid_request", "malformed_request",
    ),
)  # fmt: skip
async def make_review(
    request: Request,
    session: Asked,
    violation_id: ThisViolation,
    asked: NewStep,
    if_match: IfMatch = None,
) -> Response:
    """Acknowledge, excuse, confirm, dismiss or appeal; or answer what somebody proposed.

    `If-Match` names what was read: if facts or review have changed since, it has to be read again.
    Where two people have to decide, the first one's step is `proposed`, and `agree` makes it so.
    """
    read, outcome = await _taken(request, session, violation_id, asked, if_match)
    session.noted.update(_noted(read, outcome, asked))
    [step] = await steps.history(session.conn, violation_id, read.number + 1)
    return json_answer(step, 201, headers=reviewing.etag(read.version, read.number + 1))


@router.post(
    "/reviews",
    summary="Take steps in the reviews of several violations",
    response_model=StepOutcomes,
    responses=problems("forbidden", "body_too_large", "invalid_request", "malformed_request"),
)
async def make_reviews(request: Request, session: Asked, asked: NewSteps) -> Response:
    """The same for up to 100 violations, each for itself: what one of them refuses, others take.

    The answer says of each what came of it, in the order in which they were asked for.
    """
    reviewing.require_part(session)
    shown: dict[int, OutcomeShown] = {}
    noted = []
    # In one order for all callers, so that none waits for another who waits for it.
    for place, one in sorted(enumerate(asked.steps), key=lambda item: item[1].violation):
        try:
            read, outcome = await _taken(request, session, one.violation, one, one.etag)
        except Problem as problem:
            shown[place] = OutcomeShown(one.violation, code=problem.code, detail=problem.detail)
            continue
        noted.append({"violation": one.violation, **_noted(read, outcome, one)})
        has_effect = outcome.act in {"taken", "agreed"}
        shown[place] = OutcomeShown(
            one.violation,
            outcome.act,
            outcome.move.after if has_effect else read.review,
            reviewing.etag_of(read.version, read.number + 1),
        )
    session.noted["steps"] = noted
    return json_answer(OutcomesShown([shown[place] for place in sorted(shown)]))


async def _taken(
    request: Request, session: Session, violation: int, asked: NewStep, if_match: str | None
) -> tuple[Standing, Outcome]:
    """What the step was taken on, and what came of it. Raises Problem."""
    reviewing.require_part(session)
    read = await reviewing.standing(session, violation)
    with reviewing.said_as_problems():
        wanted = moves.Asked(asked.step, asked.reason, asked.text)
        caller = reviewing.caller_of(session)
        moves.check_ability(caller, wanted.what)
        reviewing.check_read(read, if_match)
        outcome = await steps.take(
            session.conn, violation, read, caller, wanted,
            four_eyes=reviewing.four_eyes(session, read),
        )  # fmt: skip
    metrics: Metrics = request.app.state.metrics
    metrics.reviews.labels(outcome.move.step, outcome.act).inc()
    return read, outcome


def _noted(read: Standing, outcome: Outcome, asked: NewStep) -> dict[str, Any]:
    """What the audit says of a step. What was written is in the review: it may name people."""
    return {
        "step": outcome.move.step,
        "act": outcome.act,
        "from": outcome.move.before,
        "number": read.number + 1,
        "version": read.version,
        "reason": asked.reason,
    }
