"""Which vehicles were in an area within a span of time."""

from datetime import timedelta
from typing import Annotated

import msgspec
import shapely
from fastapi import Query, Response

from api.access import Asked, Session, closed_router
from api.cursors import encode_cursor, id_cursor
from api.encoding import Listed, instant_text, json_answer
from api.models.activities import PassagePage
from api.openapi import problems
from api.problems import Flaw, Problem
from api.queries import PassageQuery
from storage.reading import areas, vehicles

router = closed_router("areas")


class PassageShown(msgspec.Struct, frozen=True):
    vehicle_id: int
    plate: str
    operator: str
    first_at: str
    last_at: str
    fixes: int


def area_of(query: PassageQuery) -> shapely.Polygon:
    """The area that was asked about: a box, or the polygon of its corners. Raises Problem."""
    box = query.box()
    corners = query.corners()
    if (box is None) == (corners is None):
        expected = "one of bbox and polygon"
        raise Problem("invalid_request", expected, flaws=[Flaw("query.polygon", expected)])
    area = shapely.box(*box) if box is not None else shapely.Polygon(corners)
    if not area.is_valid or area.is_empty or not area.area:
        why = shapely.is_valid_reason(area)
        expected = f"a polygon that covers something and does not cross itself: {why}"
        raise Problem("geometry_invalid", expected, flaws=[Flaw("query.polygon", expected)])
    return area


def check_cost(session: Session, query: PassageQuery, area: shapely.Polygon) -> None:
    """Refuse what takes too long to answer before it is asked. Raises Problem."""
    options = session.options
    if query.start >= query.end:
        flaw = Flaw("query.from", "an instant before `to`")
        raise Problem("invalid_request", "from: expected an instant before `to`", flaws=[flaw])
    if query.end - query.start > timedelta(hours=options.most_area_hours):
        expected = f"at most {options.most_area_hours} hours from `from` to `to`"
        raise Problem("window_too_long", expected, flaws=[Flaw("query.to", expected)])
    west, south, east, north = area.bounds
    if max(east - west, north - south) > options.most_area_degrees:
        expected = f"an area at most {options.most_area_degrees:g} degrees wide and high"
        place = "query.bbox" if query.polygon is None else "query.polygon"
        raise Problem("area_too_large", expected, flaws=[Flaw(place, expected)])


@router.get(
    "/areas/passages",
    summary="List the vehicles that were in an area",
    response_model=PassagePage,
    responses=problems(
        "invalid_request", "cursor_invalid", "geometry_invalid", "window_too_long",
        "area_too_large",
    ),
)  # fmt: skip
async def list_passages(session: Asked, query: Annotated[PassageQuery, Query()]) -> Response:
    """Vehicles with a clean fix in a box or polygon, from an instant to another, at most a day.

    A vehicle that passed between two of its fixes is not seen.
    """
    area = area_of(query)
    check_cost(session, query, area)
    after = id_cursor("passages", query.cursor)
    most = session.options.most_area_fixes
    found = await areas.passes(session.conn, area, query.start, query.end, most=most)
    if found is None:
        expected = f"an area and a time with at most {most} fixes"
        raise Problem("area_too_large", expected, flaws=[Flaw("query.to", expected)])
    first = 0 if after is None else int(found.vehicle.searchsorted(after, "right"))
    rows = range(first, min(first + query.limit, len(found.vehicle)))
    names = await vehicles.names(session.conn, found.vehicle[rows.start : rows.stop].tolist())
    items = [
        PassageShown(
            vehicle, *names[vehicle], instant_text(int(found.first_us[row])),
            instant_text(int(found.last_us[row])), int(found.fixes[row]),
        )
        for row in rows
        if (vehicle := int(found.vehicle[row])) in names
    ]  # fmt: skip
    is_last = rows.stop >= len(found.vehicle)
    cursor = None if is_last else encode_cursor("passages", int(found.vehicle[rows.stop - 1]))
    return json_answer(Listed(items, cursor))
