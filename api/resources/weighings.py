"""Weighings, newest first."""

from typing import Annotated

from fastapi import Query, Response

from api.access import Asked, closed_router
from api.cursors import encode_cursor, time_cursor
from api.encoding import Listed, json_answer
from api.models.weighings import WeighingPage
from api.openapi import problems
from api.queries import WeighingQuery
from storage.reading import weighings
from storage.reading.weighings import WeighingFilter

router = closed_router("weighings")


@router.get(
    "/weighings",
    summary="List weighings",
    response_model=WeighingPage,
    responses=problems("invalid_request", "cursor_invalid"),
)
async def list_weighings(session: Asked, query: Annotated[WeighingQuery, Query()]) -> Response:
    """What weigh stations measured in the window, newest first."""
    wanted = WeighingFilter(
        station=query.station,
        vehicle=query.vehicle,
        plate=query.plate,
        operator=query.operator,
        start=query.start,
        end=query.end,
        min_gross_kg=query.min_gross_kg,
    )
    before = time_cursor("weighings", query.cursor)
    page = await weighings.weighings(session.conn, wanted, before=before, limit=query.limit)
    cursor = None if page.last is None else encode_cursor("weighings", *page.last)
    return json_answer(Listed(page.rows, cursor))
