"""Health of devices, for whoever keeps them running."""

from typing import Annotated

from fastapi import Query, Response

from api.access import Asked, closed_router
from api.cursors import encode_cursor, id_cursor
from api.encoding import Listed, json_answer
from api.models.devices import DevicePage
from api.openapi import problems
from api.queries import DeviceQuery
from storage.access import devices

router = closed_router("devices", reads="devices")


@router.get(
    "/devices",
    summary="Show the health of devices",
    response_model=DevicePage,
    responses=problems("invalid_request", "cursor_invalid"),
)
async def list_devices(session: Asked, query: Annotated[DeviceQuery, Query()]) -> Response:
    """When each device was last heard of. A provider sees its own, and no vehicle or place."""
    page = await devices.health(
        session.conn,
        ident=query.ident,
        provider=query.provider,
        operator=query.operator,
        silent_since=query.silent_since,
        retired=query.retired,
        after=id_cursor("devices", query.cursor),
        limit=query.limit,
    )
    cursor = None if page.last is None else encode_cursor("devices", page.last)
    return json_answer(Listed(page.rows, cursor))
