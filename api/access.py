"""Who asks: the key or the session, and the one transaction that its request runs in.

A router made by `closed_router` is closed: no handler of it runs before the database has accepted
the caller and the caller's role may do what the route is for, and every statement of the handler is
seen through the caller's eyes. A change and its row of the audit are one transaction; a read of
personal data is written down before it is sent. The transaction ends before the answer is sent, so
a caller is never told of a change that was not kept.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyCookie, HTTPBearer
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from api.credentials import COOKIE, Credential, check_origin, credential_of
from api.openapi import problems
from api.options import ApiOptions
from api.pacing import Pacing
from api.problems import Problem
from storage.access import audit, sessions
from storage.access.audit import Act
from storage.access.roles import TAKING_PART, Ability
from storage.reading import session
from storage.reading.session import Scope

ROOT: Final = "/api/v1"
"""Where everything stands."""

SAFE: Final = frozenset({"GET", "HEAD"})

PERSONAL: Final = frozenset({
    "list_positions", "show_vehicle", "show_journey", "list_violations", "show_violation",
    "list_drivers", "show_driver", "export_driver", "show_driver_history", "list_weighings",
})  # fmt: skip
"""Handlers whose answers may name drivers, also in what formats carry beside fixes and weighings
(`extra`). A test holds this against the OpenAPI document."""

WRITTEN: Final = frozenset({"list_reviews", "list_attachments", "show_attachment"})
"""Handlers that show what people wrote and added in reviews to others who take part in them: it may
name anybody."""

Pool = AsyncConnectionPool[Any]

bearer = Security(
    HTTPBearer(
        auto_error=False,
        scheme_name="key",
        bearerFormat="ht_...",
        description="A key for a program, made by a person or by `hanhtrinh keys create`.",
    )
)
cookie = Security(
    APIKeyCookie(
        name=COOKIE,
        auto_error=False,
        scheme_name="session",
        description="The session of a person, from `POST /session`. Changes need the header "
        "`X-CSRF-Token` with it.",
    )
)
"""For the OpenAPI document; `ScopedRoute` does the work."""


@dataclass(frozen=True, slots=True)
class Session:
    """One request's transaction. noted: what the audit is to say of it, besides the address."""

    conn: AsyncConnection[Any]
    scope: Scope
    options: ApiOptions
    noted: dict[str, Any] = field(default_factory=dict)

    def require(self, ability: Ability) -> None:
        """Refuse a caller who may not do this. Raises Problem."""
        if ability not in self.scope.abilities:
            raise Problem("forbidden", f"expected a role and a key that may {ability!r}")


class ScopedRoute(APIRoute):
    """A route that runs in a transaction with the scope of its caller."""

    reads: Ability | None = "read"
    changes: Ability | None = "write"

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        is_safe = set(self.methods or ()) <= SAFE
        needed = self.reads if is_safe else self.changes

        async def scoped(request: Request) -> Response:
            credential = credential_of(request)
            if not is_safe:
                check_origin(request, credential)
            pacing: Pacing = request.app.state.pacing
            async with pacing.turn_of(credential.digest):
                # Before the transaction: a caller who sends slowly must not hold a connection.
                await request.body()
                pool: Pool = request.app.state.pool
                async with pool.connection() as conn:
                    async with conn.transaction():
                        taken = await _take(request, conn, credential, is_safe=is_safe)
                        if needed is not None:
                            taken.require(needed)
                        response = await handle(request)
                        if not is_safe:
                            await session.leave(conn)
                            await _keep_alive(taken)
                            await audit.record(conn, self._act(request, taken, response))
                    if is_safe:
                        await self._write_down(request, taken, response)
            return response

        return scoped

    async def _write_down(self, request: Request, taken: Session, response: Response) -> None:
        """What has to be kept of a read: that it showed personal data, that the session lives."""
        scope = taken.scope
        is_personal = (self.name in PERSONAL and "personal" in scope.abilities) or (
            self.name in WRITTEN and not scope.abilities.isdisjoint(TAKING_PART)
        )
        if not is_personal and scope.kind == "key":
            return
        async with taken.conn.transaction():
            await session.begin_at_gate(taken.conn)
            await _keep_alive(taken)
            if is_personal:
                await audit.record(taken.conn, self._act(request, taken, response))

    def _act(self, request: Request, taken: Session, response: Response) -> Act:
        subject = response.headers.get("location", request.url.path).removeprefix(ROOT)
        detail = {"query": request.url.query} if request.url.query else {}
        return Act(taken.scope.actor, address_of(request), self.name, subject, detail | taken.noted)


async def _keep_alive(taken: Session) -> None:
    """Note that a person's session is in use: it ends when it is not."""
    if taken.scope.kind == "session":
        await sessions.touch(taken.conn, taken.scope.id)


async def _take(
    request: Request, conn: AsyncConnection[Any], credential: Credential, *, is_safe: bool
) -> Session:
    """Begin the request's transaction. Raises Problem."""
    options: ApiOptions = request.app.state.options
    scope = await session.begin(
        conn, credential.digest, read_only=is_safe, timeout_s=options.statement_timeout_s
    )
    if scope is None:
        raise Problem("token_invalid", "expected a key or a session that is in force")
    if scope.is_limited:
        raise Problem("password_change_needed", "expected PUT /session/password first")
    request.state.session = Session(conn, scope, options)
    return request.state.session  # type: ignore[no-any-return]


def address_of(request: Request) -> str:
    """Where the request came from."""
    return "" if request.client is None else request.client.host


async def _session(request: Request) -> Session:
    found: Session = request.state.session
    return found


Asked = Annotated[Session, Depends(_session)]
"""The session of the request, for handlers of a `ScopedRoute`."""


def closed_router(
    tag: str, *, reads: Ability | None = "read", changes: Ability | None = "write"
) -> APIRouter:
    """A router whose every route needs a caller with these abilities; None: any caller."""

    class Route(ScopedRoute):
        pass

    Route.reads, Route.changes = reads, changes
    return APIRouter(
        prefix=ROOT,
        route_class=Route,
        dependencies=[bearer, cookie],
        tags=[tag],
        responses=problems(
            "token_missing", "token_invalid", "forbidden", "password_change_needed", "csrf_refused",
            "invalid_request", "too_many_requests", "internal_error", "database_unavailable",
            "query_timeout",
        ),
    )  # fmt: skip
