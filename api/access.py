"""Who asks: the bearer token, and the one transaction that its request runs in.

A router whose `route_class` is `ScopedRoute` is closed: no handler of it runs before the database
has accepted the token, and every statement of the handler is seen through the token's eyes. The
transaction ends before the answer is sent, so a caller is never told of a change that was not kept.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from starlette.datastructures import Headers

from api.openapi import problems
from api.options import ApiOptions
from api.problems import Problem
from storage.reading import session
from storage.reading.session import Scope
from storage.tokens import PREFIX, digest_of

ROOT: Final = "/api/v1"
"""Where everything stands."""

MOST_CHARACTERS: Final = 200
"""A token is 46 characters; nothing much longer is worth hashing."""

Pool = AsyncConnectionPool[Any]

bearer = Security(
    HTTPBearer(
        auto_error=False,
        scheme_name="token",
        bearerFormat="ht_...",
        description="A token that `hanhtrinh tokens create` printed. It belongs to an inspector, "
        "who sees everything, or to an operator, who sees its own vehicles.",
    )
)
"""For the OpenAPI document; `ScopedRoute` does the work."""


@dataclass(frozen=True, slots=True)
class Session:
    """One request's transaction."""

    conn: AsyncConnection[Any]
    scope: Scope
    options: ApiOptions


def token_digest(headers: Headers) -> bytes:
    """SHA-256 of the token that a request carries. Raises Problem.

    Only digests are stored and compared: the time that an index takes to find none of them tells
    nothing about a token.
    """
    header = headers.get("authorization")
    if header is None:
        raise Problem("token_missing", "expected the header Authorization: Bearer ht_...")
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token.startswith(PREFIX) or len(token) > MOST_CHARACTERS:
        raise Problem("token_invalid", "expected the header Authorization: Bearer ht_...")
    return digest_of(token)


class ScopedRoute(APIRoute):
    """A route that runs in a transaction with the scope of the caller's token."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def scoped(request: Request) -> Response:
            digest = token_digest(request.headers)
            # Before the transaction: a caller who sends slowly must not hold a connection.
            await request.body()
            pool: Pool = request.app.state.pool
            options: ApiOptions = request.app.state.options
            async with pool.connection() as conn, conn.transaction():
                scope = await session.begin(
                    conn,
                    digest,
                    read_only=request.method == "GET",
                    timeout_s=options.statement_timeout_s,
                )
                if scope is None:
                    raise Problem("token_invalid", "expected a token that is in force")
                request.state.session = Session(conn, scope, options)
                return await handle(request)

        return scoped


async def _session(request: Request) -> Session:
    found: Session = request.state.session
    return found


Asked = Annotated[Session, Depends(_session)]
"""The session of the request, for handlers of a `ScopedRoute`."""


def closed_router(tag: str) -> APIRouter:
    """A router whose every route needs a token."""
    return APIRouter(
        prefix=ROOT,
        route_class=ScopedRoute,
        dependencies=[bearer],
        tags=[tag],
        responses=problems(
            "token_missing", "token_invalid", "invalid_request", "internal_error",
            "database_unavailable", "query_timeout",
        ),
    )  # fmt: skip
