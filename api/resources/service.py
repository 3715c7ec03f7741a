"""The service itself: alive, ready, measured. The only pages that need no token."""

import psycopg
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from psycopg_pool import PoolClosed, PoolTimeout

from api.access import Pool
from api.encoding import json_answer
from api.metrics import Metrics
from api.models.service import Health, Readiness
from api.openapi import problems
from api.problems import Problem
from storage.reading.session import is_migrated

PATIENCE_S = 2.0
"""A probe asks again anyway."""

router = APIRouter(tags=["service"])


@router.get(
    "/health", summary="Alive?", response_model=Health, responses=problems("internal_error")
)
async def health() -> Response:
    """The process lives. Says nothing about the database: a restart would not mend that."""
    return json_answer({"status": "alive"})


@router.get("/ready", summary="Ready?", response_model=Readiness, responses=problems("not_ready"))
async def ready(request: Request) -> Response:
    """The database answers and has the schema that this version needs."""
    pool: Pool = request.app.state.pool
    try:
        async with pool.connection(timeout=PATIENCE_S) as conn:
            migrated = await is_migrated(conn)
    except (PoolTimeout, PoolClosed, psycopg.OperationalError) as error:
        raise Problem("not_ready", "the database cannot be reached") from error
    if not migrated:
        raise Problem("not_ready", "the database has another schema: run `hanhtrinh migrate`")
    return json_answer({"status": "ready"})


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Counts and times of requests, and the state of the connection pool.",
            "content": {
                "text/plain": {
                    "schema": {"type": "string", "description": "Prometheus' text format."},
                    "example": 'hanhtrinh_api_requests_total{method="GET",route="/api/v1/vehicles",'
                    'status="200"} 17.0\n',
                }
            },
        },
        **problems("internal_error"),
    },
)
async def metrics(request: Request) -> Response:
    """Metrics of this process."""
    found: Metrics = request.app.state.metrics
    return Response(generate_latest(found.registry), media_type=CONTENT_TYPE_LATEST)
