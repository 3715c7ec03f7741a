"""The audit, for administrators."""

from typing import Annotated

from fastapi import Query, Response

from api.access import Asked, closed_router
from api.cursors import encode_cursor, id_cursor
from api.encoding import Listed, json_answer
from api.models.access import AuditPage
from api.openapi import problems
from api.queries import AuditQuery
from storage.access import audit

router = closed_router("audit", reads="audit")


@router.get(
    "/audit",
    summary="Show what was done",
    response_model=AuditPage,
    responses=problems("invalid_request", "cursor_invalid"),
)
async def list_audit(session: Asked, query: Annotated[AuditQuery, Query()]) -> Response:
    """Who did what, when and from where, newest first. `hanhtrinh audit verify` checks it."""
    page = await audit.page(
        session.conn,
        actor=query.actor,
        action=query.action,
        before=id_cursor("audit", query.cursor),
        limit=query.limit,
    )
    cursor = None if page.last is None else encode_cursor("audit", page.last)
    return json_answer(Listed(page.rows, cursor))
