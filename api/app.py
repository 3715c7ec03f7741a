"""The application: its parts put together, with the connection pool that it is given."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from fastapi import APIRouter, FastAPI

from api import openapi, problems
from api.access import ROOT, Pool
from api.identity_provider import Provider
from api.limits import BodyLimit, SafeHeaders
from api.metrics import Measured, Metrics, PoolCollector
from api.options import ApiOptions
from api.pacing import PacedByAddress, Pacing
from api.resources import (
    activities,
    areas,
    attachments,
    audit,
    devices,
    documents,
    drivers,
    imports,
    journeys,
    keys,
    people,
    positions,
    quarantine,
    rates,
    registry,
    reviews,
    routes,
    service,
    sessions,
    timetables,
    vehicles,
    violations,
    weighings,
    zones,
)
from storage.access.logins import owns_tables
from storage.database import open_pool

logger = structlog.get_logger("api")

DESCRIPTION: Final = """
Where commercial vehicles are and were, which rules they broke, and the evidence for it.

Every instant is RFC 3339 in UTC; every place is longitude and latitude in degrees, WGS 84; units
are named in each field. A value that is not known is null. Lists go on where `next_cursor` says.
Errors are problem details (RFC 9457) with a stable `code`.
"""

RESOURCES: Final = (
    vehicles, journeys, activities, rates, positions, areas, violations, reviews, attachments,
    weighings, zones, routes, timetables, quarantine, drivers, devices, people, keys, audit,
    sessions,
)  # fmt: skip


def create_app(options: ApiOptions, pool: Pool) -> FastAPI:
    """The API on an open pool, which stays the caller's to close."""
    app = _assembled(options)
    _use(app, pool)
    return app


def serve_app(options: ApiOptions, dsn: str, *, pool_size: int = 10) -> FastAPI:
    """The API with a pool of its own, opened when the server starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = await open_pool(dsn, name="hanhtrinh api", max_size=pool_size)
        _use(app, pool)
        await _check_user(pool)
        try:
            yield
        finally:
            await pool.close()

    app = _assembled(options)
    app.router.lifespan_context = lifespan
    return app


async def _check_user(pool: Pool) -> None:
    """Say so where a mistake of this process could reach further than its callers may."""
    async with pool.connection() as conn:
        if await owns_tables(conn):
            logger.warning("api.owns_tables", advice="set api.dsn: docs/access.md")


def _use(app: FastAPI, pool: Pool) -> None:
    app.state.pool = pool
    app.state.metrics.registry.register(PoolCollector(pool))


def _assembled(options: ApiOptions) -> FastAPI:
    app = FastAPI(
        title="hanhtrinh",
        summary="Journeys, violations and weighings of commercial vehicles",
        description=DESCRIPTION,
        version=options.version,
        openapi_url=f"{ROOT}/openapi.json",
        docs_url=None,  # FastAPI's has scripts of another host: api.resources.documents is ours
        redoc_url=None,
    )
    app.state.options = options
    app.state.metrics = Metrics()
    app.state.pacing = Pacing(options)
    there = options.identity_provider
    app.state.identity_provider = None if there is None else Provider(there, options.secret or "")
    for resource in RESOURCES:
        router: APIRouter = resource.router
        app.include_router(router)
    for more in (
        registry.authority, registry.own, registry.health, imports.authority, imports.own,
    ):  # fmt: skip
        app.include_router(more)
    app.include_router(sessions.open_router)
    app.include_router(documents.router)
    app.include_router(service.router, prefix=ROOT)
    # Where probes and Prometheus look by default.
    app.include_router(service.router, include_in_schema=False)
    problems.install(app)
    openapi.install(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, most=options.most_body_bytes)
    app.add_middleware(PacedByAddress, pacing=app.state.pacing)
    app.add_middleware(SafeHeaders, is_encrypted=options.is_encrypted)
    app.add_middleware(Measured, metrics=app.state.metrics)
    return app
