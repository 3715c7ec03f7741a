"""The quarantine in numbers, for inspectors: its payloads belong to no operator."""

from fastapi import Response

from api.access import Asked, closed_router
from api.encoding import Listed, json_answer
from api.models.service import QuarantineSummary
from api.openapi import problems
from api.problems import Problem
from storage.reading.quarantine import quarantine_reasons

router = closed_router("quarantine")


@router.get(
    "/quarantine",
    summary="Count what waits in the quarantine",
    response_model=QuarantineSummary,
    responses=problems("forbidden"),
)
async def count_quarantine(session: Asked) -> Response:
    """Payloads that could not be used and were not released, by reason."""
    if session.scope.role != "inspector":
        raise Problem("forbidden", "expected a token of an inspector")
    return json_answer(Listed(await quarantine_reasons(session.conn), None))
