"""How people come in: by password and second factor, or by an identity provider.

Whether there is somebody of a name is told by nothing: attempts are counted and locked by name
whoever has it, an unknown name is checked against nobody's password, and all answers are the same.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import Request, Response
from psycopg import AsyncConnection

from api.access import Pool, address_of
from api.credentials import check_origin, give_cookies, session_credential
from api.identity_provider import COOKIE as OIDC_COOKIE
from api.identity_provider import Provider
from api.options import ApiOptions
from api.pacing import Pacing, network_of, refuse
from api.problems import Problem
from storage.access import audit, passwords, people, sealing, sessions, totp
from storage.access.audit import Act
from storage.access.sessions import Candidate, Login
from storage.errors import PasswordError
from storage.reading import session
from storage.reading.session import Scope

DAY_S: Final = 86_400
FACTOR: Final = "second factor of {}"
"""What a sealed secret is bound to."""

BY_PROVIDER: Final = {"proven_by": "identity_provider"}
"""What the audit says of a login by the identity provider."""


@asynccontextmanager
async def at_gate(request: Request) -> AsyncIterator[AsyncConnection[Any]]:
    """A transaction that deals with proofs of who somebody is."""
    pool: Pool = request.app.state.pool
    async with pool.connection() as conn, conn.transaction():
        await session.begin_at_gate(conn)
        yield conn


@asynccontextmanager
async def own_session(
    request: Request, action: str | None = None
) -> AsyncIterator[tuple[AsyncConnection[Any], Scope]]:
    """The same, with the session that asks about itself, limited or not. Raises Problem.

    action: what the audit calls the change; None: nothing is changed.
    """
    credential = session_credential(request)
    if action is not None:
        check_origin(request, credential)
    pacing: Pacing = request.app.state.pacing
    options: ApiOptions = request.app.state.options
    pool: Pool = request.app.state.pool
    async with pacing.turn_of(credential.digest), pool.connection() as conn, conn.transaction():
        scope = await session.begin(
            conn, credential.digest, read_only=action is None,
            timeout_s=options.statement_timeout_s,
        )  # fmt: skip
        if scope is None:
            raise Problem("token_invalid", "expected a session that is in force")
        await session.leave(conn)
        yield conn, scope
        if action is not None:
            act = Act(scope.actor, address_of(request), action, f"person {scope.name}")
            await audit.record(conn, act)


async def sign_in(
    request: Request, response: Response, username: str, password: str, code: str | None
) -> None:
    """Open a session and give its cookies. Raises Problem."""
    check_origin(request)
    pacing: Pacing = request.app.state.pacing
    refuse(pacing.logins.take(network_of(address_of(request))))
    username = username.strip().lower()
    async with at_gate(request) as conn:
        locked_s = await sessions.attempt(conn, username)
        found = await sessions.candidate(conn, username)
        if locked_s:
            await _write_down(conn, request, "login_locked", _named(found))
    refuse_locked(locked_s)
    async with pacing.password_checks:
        is_right = await asyncio.to_thread(
            passwords.matches, None if found is None else found.password, password
        )
    if found is None or not is_right:
        async with at_gate(request) as conn:
            await _write_down(conn, request, "login_failed", _named(found))
        raise Problem("login_failed", "expected username and password of somebody who may come in")
    await _check_factor(request, found, code)
    proven_by = "password" if found.factor is None else "password+code"
    await _open(request, response, found, password, proven_by)


def refuse_locked(locked_s: float) -> None:
    """Raises Problem where a name is locked for so many seconds; 0: it is not."""
    if locked_s:
        after = str(round(locked_s + 0.5))
        raise Problem("login_locked", f"try again in {after} s", headers={"Retry-After": after})


async def _check_factor(request: Request, found: Candidate, code: str | None) -> None:
    """The code, if the person has a second factor. Raises Problem."""
    if found.factor is None:
        return
    options: ApiOptions = request.app.state.options
    async with at_gate(request) as conn:
        if code is None:
            await sessions.forgive(conn, found.username)
            is_right = False
        else:
            is_right = await use_code(conn, options, found.id, found.factor, code)
            if not is_right:
                await _write_down(conn, request, "login_failed", _named(found))
    if code is None:
        raise Problem("second_factor_needed", "send `code`, too: six digits of the moment")
    if not is_right:
        raise Problem("login_failed", "expected username and password of somebody who may come in")


async def use_code(
    conn: AsyncConnection[Any], options: ApiOptions, person: int, sealed: bytes, code: str
) -> bool:
    """Whether a code is right and was not used before."""
    secret = sealing.unseal(options.secret or "", sealed, FACTOR.format(person))
    step = None if secret is None else totp.step_of(secret, code, time.time())
    return step is not None and await sessions.use_step(conn, person, step)


async def _open(
    request: Request, response: Response, found: Candidate, password: str, proven_by: str
) -> None:
    options: ApiOptions = request.app.state.options
    is_old = 0 < options.password_days * DAY_S < found.password_age_s
    assert found.password is not None
    anew = None
    if passwords.is_outdated(found.password):
        anew = await asyncio.to_thread(passwords.hashed, password)
    async with at_gate(request) as conn:
        await sessions.passed(conn, found.username)
        if anew is not None:
            await sessions.rehash(conn, found.id, anew)
        await let_in(
            conn, request, response, (found.id, found.username), proven_by,
            is_limited=found.must_change or is_old,
        )  # fmt: skip


async def let_in(
    conn: AsyncConnection[Any],
    request: Request,
    response: Response,
    person: tuple[int, str],
    proven_by: str,
    *,
    is_limited: bool = False,
) -> None:
    """Open a session of a person (number, username) and give its cookies."""
    options: ApiOptions = request.app.state.options
    longest_s = round(options.session_hours * 3600)
    token = await sessions.open_session(
        conn,
        Login(
            person[0], round(options.session_idle_minutes * 60), longest_s, address_of(request),
            proven_by, is_limited,
        ),
    )  # fmt: skip
    act = Act(
        f"person {person[1]}", address_of(request), "login", f"person {person[1]}",
        {"proven_by": proven_by},
    )  # fmt: skip
    await audit.record(conn, act)
    give_cookies(response, token, longest_s)


async def come_back(request: Request, response: Response, provider: Provider) -> None:
    """Open a session for whom the identity provider means, and give its cookies. Raises Problem."""
    said = request.query_params
    try:
        claimed = await provider.finish(
            said.get("code", ""), said.get("state", ""), request.cookies.get(OIDC_COOKIE)
        )
    except Problem as problem:
        if problem.code == "login_failed":
            async with at_gate(request) as conn:
                await _write_down(conn, request, problem.code, detail=BY_PROVIDER)
        raise
    async with at_gate(request) as conn:
        found = await sessions.by_subject(conn, claimed.subject, claimed.username)
        if found is None:
            detail = {**BY_PROVIDER, "identity": claimed.subject}
            await _write_down(conn, request, "login_failed", detail=detail)
        else:
            await let_in(conn, request, response, found, BY_PROVIDER["proven_by"])
    if found is None:
        raise Problem("login_failed", "expected somebody whom an administrator has let in")


async def prove_password(request: Request, given: str, place: str) -> tuple[Scope, list[str]]:
    """Who asks, with what is kept of its passwords, once it has shown the present one.

    place: the field of the body that holds it. Raises Problem.
    """
    check_origin(request, session_credential(request))
    async with own_session(request) as (conn, scope):
        assert scope.person_id is not None
        past = await people.past_passwords(conn, scope.person_id)
    # Counted and committed before it is checked: nobody guesses here either.
    async with at_gate(request) as conn:
        locked_s = await sessions.attempt(conn, scope.name)
    refuse_locked(locked_s)
    pacing: Pacing = request.app.state.pacing
    async with pacing.password_checks:
        present = past[0] if past else None
        if not await asyncio.to_thread(passwords.matches, present, given):
            raise Problem("login_failed", f"{place}: expected the present password")
    async with at_gate(request) as conn:
        await sessions.passed(conn, scope.name)
    return scope, past


async def end_factor(request: Request, password: str) -> None:
    """End the second factor of who asks, and its other sessions. Raises Problem."""
    await prove_password(request, password, "password")
    async with own_session(request, "end_factor") as (conn, scope):
        assert scope.person_id is not None
        if scope.is_limited:
            raise Problem("password_change_needed", "expected PUT /session/password first")
        if not await people.end_factor(conn, scope.person_id, but=scope.id):
            raise Problem("not_set_up", "expected a second factor that is asked for")


async def change_password(request: Request, old: str, new: str) -> None:
    """Change the password of who asks, and end its other sessions. Raises Problem."""
    scope, past = await prove_password(request, old, "old")
    pacing: Pacing = request.app.state.pacing
    async with pacing.password_checks:
        try:
            await asyncio.to_thread(passwords.check_choice, new, scope.name, past)
        except PasswordError as error:
            raise Problem("password_refused", f"new: {error}") from error
        kept = await asyncio.to_thread(passwords.hashed, new)
    async with own_session(request, "change_password") as (conn, scope):
        assert scope.person_id is not None
        await people.set_password(conn, scope.person_id, kept, must_change=False, session=scope.id)
        await sessions.free(conn, scope.id)


def _named(found: Candidate | None) -> str:
    """Whom an attempt was about. A name that nobody has is not repeated: it may be a password."""
    return "nobody" if found is None else f"person {found.username}"


async def _write_down(
    conn: AsyncConnection[Any],
    request: Request,
    action: str,
    subject: str = "nobody",
    detail: Mapping[str, str] | None = None,
) -> None:
    """An attempt that failed."""
    await audit.record(conn, Act("nobody", address_of(request), action, subject, detail or {}))
