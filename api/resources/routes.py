"""Fixed routes: read, made, replaced, retired. A change is a new version, as with zones."""

import asyncio
from collections import Counter
from typing import Annotated

import msgspec
from fastapi import Query, Response

from api import changing
from api.access import ROOT, Asked, Session, closed_router
from api.changing import IfMatch, ThisCode, etag
from api.cursors import code_cursor, encode_cursor
from api.encoding import Listed, json_answer, microseconds
from api.models.routes import NewRoute, RouteDetail, RouteFacts, RoutePage, RouteReplacement
from api.openapi import problems
from api.problems import Flaw, Problem
from api.queries import RouteQuery, VersionQuery
from geofence import registry
from geofence.errors import RegistryError
from geofence.route_table import check_route
from storage.reading import changes, routes
from storage.reading.routes import Route
from storage.reading.zones import VersionInForce
from storage.registry import add_route, replace_route, retire_route

router = closed_router("routes")


class RouteWithVersions(Route, frozen=True):
    versions: list[VersionInForce]


@router.get(
    "/routes",
    summary="List routes",
    response_model=RoutePage,
    responses=problems("invalid_request", "cursor_invalid"),
)
async def list_routes(session: Asked, query: Annotated[RouteQuery, Query()]) -> Response:
    """Routes in order of code, one version of each: the newest, or that in force at an instant."""
    page = await routes.routes(
        session.conn,
        operator=query.operator,
        at=query.at,
        retired=query.retired,
        after=code_cursor("routes", query.cursor),
        limit=query.limit,
    )
    cursor = None if page.last is None else encode_cursor("routes", page.last)
    return json_answer(Listed(page.rows, cursor))


@router.get(
    "/routes/{code}",
    summary="Show a route",
    response_model=RouteDetail,
    responses=problems("route_not_found"),
)
async def show_route(
    session: Asked, code: ThisCode, query: Annotated[VersionQuery, Query()]
) -> Response:
    """The newest version of a route, or the one asked for, and which versions there are."""
    return await _shown(session, code, query.version)


@router.post(
    "/routes",
    status_code=201,
    summary="Make a route",
    response_model=RouteDetail,
    responses=problems(
        "forbidden", "code_taken", "body_too_large", "invalid_request", "geometry_invalid",
        "malformed_request",
    ),
)  # fmt: skip
async def make_route(session: Asked, facts: NewRoute) -> Response:
    """A route under a new code, in force from now or from `valid_from`; owners as with zones."""
    owner = await changing.owner_of(session, facts.operator)
    start = session.scope.now_us if facts.valid_from is None else microseconds(facts.valid_from)
    await add_route(session.conn, await _checked(session, facts.code, 1, facts, owner, start))
    return await _shown(session, facts.code, status=201)


@router.put(
    "/routes/{code}",
    summary="Replace a route",
    response_model=RouteDetail,
    responses=problems(
        "forbidden", "route_not_found", "retired", "begins_too_early", "version_mismatch",
        "body_too_large", "invalid_request", "geometry_invalid", "malformed_request",
    ),
)  # fmt: skip
async def put_route(
    session: Asked, code: ThisCode, facts: RouteReplacement, if_match: IfMatch = None
) -> Response:
    """The next version of a route, in force from now or from `valid_from`, where the last ends."""
    start = None if facts.valid_from is None else microseconds(facts.valid_from)
    held = await changing.hold(session, "route", code, if_match, start)
    await changing.check_owner(session, held, facts.operator)
    if held.is_retired:
        raise Problem("retired", f"route {code!r} is retired: expected a route in force")
    route = await _checked(session, code, held.version + 1, facts, held.operator_id, held.until_us)
    await replace_route(session.conn, route, held.until_us)
    return await _shown(session, code)


@router.delete(
    "/routes/{code}",
    summary="Retire a route",
    response_model=RouteDetail,
    responses=problems("forbidden", "route_not_found", "version_mismatch"),
)
async def delete_route(session: Asked, code: ThisCode, if_match: IfMatch = None) -> Response:
    """The newest version ends now. It stays readable, and what it did to earlier fixes stays."""
    held = await changing.hold(session, "route", code, if_match)
    if not held.is_retired:
        await retire_route(session.conn, code, held.until_us)
    return await _shown(session, code)


async def _shown(
    session: Session, code: str, version: int | None = None, *, status: int = 200
) -> Response:
    route = await routes.route(session.conn, code, version)
    if route is None:
        changing.raise_not_found("route", code)
    shown = RouteWithVersions(
        **msgspec.structs.asdict(route), versions=await routes.route_versions(session.conn, code)
    )
    headers = etag(route.version)
    if status == 201:
        headers["Location"] = f"{ROOT}/routes/{code}"
    return json_answer(shown, status, headers=headers)


async def _checked(
    session: Session, code: str, version: int, facts: RouteFacts, owner: int | None, start: int
) -> registry.Route:
    """The route as the registry takes it. Raises Problem."""
    _check_stops(facts)
    route = registry.Route(
        id=0,
        code=code,
        version=version,
        name=facts.name,
        operator_id=owner,
        corridor_m=facts.corridor_m,
        terminal_a=facts.terminal_a,
        terminal_b=facts.terminal_b,
        outbound=facts.outbound.model_dump(),
        inbound=facts.inbound.model_dump(),
        valid_from=start,
        valid_to=registry.END_US if facts.valid_to is None else microseconds(facts.valid_to),
        stops=tuple(registry.RouteStop(**stop.model_dump()) for stop in facts.stops),
        slots=tuple(
            registry.RouteSlot(
                slot.direction,
                slot.departs,
                None if slot.days is None else tuple(slot.days),
                slot.valid_from,
                slot.valid_to,
            )
            for slot in facts.slots
        ),
    )
    terminals = await changes.terminals(session.conn, [facts.terminal_a, facts.terminal_b])
    try:
        await asyncio.to_thread(check_route, route, terminals)
    except (RegistryError, OverflowError) as error:
        changing.raise_refused(error)
    return route


def _check_stops(facts: RouteFacts) -> None:
    counted = Counter((stop.direction, stop.seq) for stop in facts.stops)
    twice = [key for key, count in counted.items() if count > 1]
    if twice:
        flaw = Flaw("body.stops", f"each seq once in a direction, got {twice[0]} twice")
        raise Problem("invalid_request", f"stops: expected {flaw.expected}", flaws=[flaw])
