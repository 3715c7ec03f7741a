"""Zones: read, made, replaced, retired. Nothing is overwritten: a change is a new version."""

import asyncio
from dataclasses import replace
from typing import Annotated

import msgspec
from fastapi import Query, Response

from api import changing
from api.access import ROOT, Asked, Session, closed_router
from api.changing import IfMatch, ThisCode, etag
from api.cursors import code_cursor, encode_cursor
from api.encoding import Listed, json_answer, microseconds
from api.models.zones import NewZone, ZoneDetail, ZoneFacts, ZonePage, ZoneReplacement
from api.openapi import problems
from api.problems import Problem
from api.queries import RepairQuery, VersionQuery, ZoneQuery
from geofence import registry
from geofence.errors import RegistryError
from geofence.zone_table import check_zone
from storage.reading import zones
from storage.reading.zones import VersionInForce, Zone
from storage.registry import add_zone, replace_zone, retire_zone

router = closed_router("zones")


class ZoneWithVersions(Zone, frozen=True):
    versions: list[VersionInForce]
    repairs: list[str]


@router.get(
    "/zones",
    summary="List zones",
    response_model=ZonePage,
    responses=problems("invalid_request", "cursor_invalid"),
)
async def list_zones(session: Asked, query: Annotated[ZoneQuery, Query()]) -> Response:
    """Zones in order of code, one version of each: the newest, or that in force at an instant."""
    page = await zones.zones(
        session.conn,
        kind=query.kind,
        operator=query.operator,
        at=query.at,
        retired=query.retired,
        after=code_cursor("zones", query.cursor),
        limit=query.limit,
    )
    cursor = None if page.last is None else encode_cursor("zones", page.last)
    return json_answer(Listed(page.rows, cursor))


@router.get(
    "/zones/{code}",
    summary="Show a zone",
    response_model=ZoneDetail,
    responses=problems("zone_not_found"),
)
async def show_zone(
    session: Asked, code: ThisCode, query: Annotated[VersionQuery, Query()]
) -> Response:
    """The newest version of a zone, or the one asked for, and which versions there are."""
    return await _shown(session, code, query.version)


@router.post(
    "/zones",
    status_code=201,
    summary="Make a zone",
    response_model=ZoneDetail,
    responses=problems(
        "forbidden", "code_taken", "body_too_large", "invalid_request", "geometry_invalid",
        "malformed_request",
    ),
)  # fmt: skip
async def make_zone(
    session: Asked, facts: NewZone, query: Annotated[RepairQuery, Query()]
) -> Response:
    """A zone under a new code, in force from now or from `valid_from`.

    What an operator makes is its own; what an inspector makes without naming an operator is
    everybody's.
    """
    owner = await changing.owner_of(session, facts.operator)
    start = session.scope.now_us if facts.valid_from is None else microseconds(facts.valid_from)
    zone, repairs = await _checked(facts.code, 1, facts, owner, start, repair=query.repair)
    await add_zone(session.conn, zone)
    return await _shown(session, facts.code, repairs=repairs, status=201)


@router.put(
    "/zones/{code}",
    summary="Replace a zone",
    response_model=ZoneDetail,
    responses=problems(
        "forbidden", "zone_not_found", "retired", "begins_too_early", "version_mismatch",
        "body_too_large", "invalid_request", "geometry_invalid", "malformed_request",
    ),
)  # fmt: skip
async def put_zone(
    session: Asked,
    code: ThisCode,
    facts: ZoneReplacement,
    query: Annotated[RepairQuery, Query()],
    if_match: IfMatch = None,
) -> Response:
    """The next version of a zone, in force from now or from `valid_from`, where the last ends."""
    start = None if facts.valid_from is None else microseconds(facts.valid_from)
    held = await changing.hold(session, "zone", code, if_match, start)
    await changing.check_owner(session, held, facts.operator)
    if held.is_retired:
        raise Problem("retired", f"zone {code!r} is retired: expected a zone in force")
    zone, repairs = await _checked(
        code, held.version + 1, facts, held.operator_id, held.until_us, repair=query.repair
    )
    await replace_zone(session.conn, zone, held.until_us)
    return await _shown(session, code, repairs=repairs)


@router.delete(
    "/zones/{code}",
    summary="Retire a zone",
    response_model=ZoneDetail,
    responses=problems("forbidden", "zone_not_found", "version_mismatch"),
)
async def delete_zone(session: Asked, code: ThisCode, if_match: IfMatch = None) -> Response:
    """The newest version ends now. It stays readable, and what it did to earlier fixes stays."""
    held = await changing.hold(session, "zone", code, if_match)
    if not held.is_retired:
        await retire_zone(session.conn, code, held.until_us)
    return await _shown(session, code)


async def _shown(
    session: Session,
    code: str,
    version: int | None = None,
    *,
    repairs: tuple[str, ...] = (),
    status: int = 200,
) -> Response:
    zone = await zones.zone(session.conn, code, version)
    if zone is None:
        changing.raise_not_found("zone", code)
    shown = ZoneWithVersions(
        **msgspec.structs.asdict(zone),
        versions=await zones.zone_versions(session.conn, code),
        repairs=list(repairs),
    )
    headers = etag(zone.version)
    if status == 201:
        headers["Location"] = f"{ROOT}/zones/{code}"
    return json_answer(shown, status, headers=headers)


async def _checked(
    code: str, version: int, facts: ZoneFacts, owner: int | None, start: int, *, repair: bool
) -> tuple[registry.Zone, tuple[str, ...]]:
    """The zone as the registry takes it, and what was repaired. Raises Problem."""
    zone = registry.Zone(
        id=0,
        code=code,
        version=version,
        name=facts.name,
        kind=facts.kind,
        operator_id=owner,
        geometry=facts.geometry.model_dump(),
        radius_m=facts.radius_m,
        corridor_m=facts.corridor_m,
        speed_limits=facts.speed_limits,
        classes=None if facts.classes is None else tuple(facts.classes),
        weekly_hours=None if facts.weekly_hours is None else tuple(facts.weekly_hours),
        valid_from=start,
        valid_to=registry.END_US if facts.valid_to is None else microseconds(facts.valid_to),
        max_stay_s=facts.max_stay_s,
        min_duration_s=facts.min_duration_s,
        min_gross_kg=facts.min_gross_kg,
        overrides_road=facts.overrides_road,
        crossings=facts.crossings,
    )
    try:
        shape = await asyncio.to_thread(check_zone, zone, repair=repair)
    except (RegistryError, OverflowError) as error:
        changing.raise_refused(error)
    if shape.repairs:
        zone = replace(zone, geometry=shape.geojson())
    return zone, shape.repairs
