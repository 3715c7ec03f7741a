"""The quarantine in numbers, for inspectors: its payloads belong to no operator."""

from typing import Annotated

from fastapi import Query, Response

from api.access import Asked, closed_router
from api.encoding import Listed, json_answer
from api.models.service import QuarantineGroups, QuarantineSummary
from api.openapi import problems
from api.queries import QuarantineQuery
from storage.reading.quarantine import GroupFilter, quarantine_groups, quarantine_reasons

router = closed_router("quarantine", reads="quarantine")


@router.get(
    "/quarantine",
    summary="Count what waits in the quarantine",
    response_model=QuarantineSummary,
    responses=problems("forbidden"),
)
async def count_quarantine(session: Asked) -> Response:
    """Payloads that could not be used and were not released, by reason."""
    return json_answer(Listed(await quarantine_reasons(session.conn), None))


@router.get(
    "/quarantine/groups",
    summary="Count what could not be used by reason and sender",
    response_model=QuarantineGroups,
    responses=problems("forbidden", "invalid_request"),
)
async def list_groups(session: Asked, query: Annotated[QuarantineQuery, Query()]) -> Response:
    """Every message that arrived and could not be used, whether its bytes were kept or not."""
    wanted = GroupFilter(query.reason, query.sender, query.since)
    return json_answer(Listed(await quarantine_groups(session.conn, wanted, query.limit), None))
