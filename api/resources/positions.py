"""Latest positions of all vehicles that the caller may see."""

from typing import Annotated

import msgspec
from fastapi import Query, Request, Response

from api.access import Asked, closed_router
from api.cursors import encode_cursor, id_cursor
from api.encoding import Listed, form_of, geojson_answer, json_answer
from api.geojson import Collection, Point
from api.models.vehicles import PositionCollection, PositionPage
from api.openapi import also_geojson, problems
from api.queries import PositionQuery
from storage.reading import positions
from storage.reading.positions import Position

router = closed_router("positions")


class PositionFeature(msgspec.Struct, frozen=True, gc=False, tag="Feature", tag_field="type"):
    id: int
    geometry: Point
    properties: Position


@router.get(
    "/positions",
    summary="Show latest positions",
    response_model=PositionPage,
    responses={**problems("invalid_request", "cursor_invalid"), **also_geojson(PositionCollection)},
)
async def list_positions(
    request: Request, session: Asked, query: Annotated[PositionQuery, Query()]
) -> Response:
    """Where every vehicle was last, by area and operator; as JSON, or as GeoJSON if asked for."""
    page = await positions.positions(
        session.conn,
        operator=query.operator,
        box=query.box(),
        since=query.since,
        after=id_cursor("positions", query.cursor),
        limit=query.limit,
    )
    cursor = None if page.last is None else encode_cursor("positions", page.last)
    if form_of(request, query.format) == "json":
        return json_answer(Listed(page.rows, cursor))
    features = [
        PositionFeature(row.vehicle_id, Point((row.lon, row.lat)), row) for row in page.rows
    ]
    return geojson_answer(Collection(features, cursor))
