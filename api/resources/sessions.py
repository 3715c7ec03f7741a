"""Sessions of people: coming in, one's own password and second factor, going out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.access import ROOT, address_of, cookie
from api.credentials import check_origin, session_credential, take_cookies
from api.encoding import json_answer
from api.identity_provider import COOKIE as OIDC_COOKIE
from api.identity_provider import LONGEST_S, Provider
from api.metrics import Metrics
from api.models.access import (
    Credentials,
    Done,
    FactorCode,
    Me,
    NewFactor,
    PasswordChange,
    PasswordProof,
)
from api.openapi import problems
from api.options import ApiOptions
from api.pacing import network_of, refuse
from api.problems import Problem
from api.signing_in import (
    FACTOR,
    at_gate,
    change_password,
    come_back,
    end_factor,
    own_session,
    refuse_locked,
    sign_in,
    use_code,
)
from storage.access import sealing, sessions, totp

COMMON: Final = ("invalid_request", "too_many_requests", "internal_error", "database_unavailable")
OWN: Final = ("token_missing", "token_invalid", "csrf_refused", *COMMON)

open_router = APIRouter(prefix=ROOT, tags=["session"], responses=problems(*COMMON))
router = APIRouter(prefix=ROOT, tags=["session"], dependencies=[cookie], responses=problems(*OWN))


@open_router.post(
    "/session",
    summary="Come in",
    response_model=Done,
    responses=problems(
        "login_failed", "second_factor_needed", "login_locked", "too_many_requests", "csrf_refused",
        "malformed_request",
    ),
)  # fmt: skip
async def open_session(request: Request, given: Credentials) -> Response:
    """Open a session: the answer sets its cookies.

    After five wrong passwords in a row a name is locked for a minute, then for twice as long with
    each further one, whether there is somebody of that name or not.
    """
    response = json_answer({"done": True})
    with _counted(request):
        await sign_in(request, response, given.username, given.password, given.code)
    return response


@router.get("/session", summary="Who am I?", response_model=Me)
async def show_session(request: Request) -> Response:
    """The person whose session it is."""
    async with own_session(request) as (_, scope):
        return json_answer(
            {
                "kind": scope.kind,
                "name": scope.name,
                "role": scope.role,
                "abilities": sorted(scope.abilities),
                "must_change_password": scope.is_limited,
            }
        )


@router.delete("/session", summary="Go out", response_model=Done)
async def close_session(request: Request) -> Response:
    """End the session."""
    async with own_session(request, "logout") as (conn, scope):
        await sessions.end(conn, scope.id)
    response = json_answer({"done": True})
    take_cookies(response)
    return response


@router.put(
    "/session/password",
    summary="Change one's password",
    response_model=Done,
    responses=problems("login_failed", "token_missing", "token_invalid", "password_refused",
                       "invalid_request", "login_locked", "too_many_requests", "malformed_request"),
)  # fmt: skip
async def put_password(request: Request, given: PasswordChange) -> Response:
    """Change the password. All other sessions of the person end."""
    await change_password(request, given.old, given.new)
    return json_answer({"done": True})


@router.post(
    "/session/factor",
    summary="Set up a second factor",
    response_model=NewFactor,
    responses=problems("not_set_up"),
)
async def begin_factor(request: Request) -> Response:
    """Make a secret for an authenticator app. It is asked for once a code of it was shown."""
    options: ApiOptions = request.app.state.options
    if options.secret is None:
        raise Problem("not_set_up", "expected api.secret to be set")
    secret = totp.new_secret()
    async with own_session(request, "begin_factor") as (conn, scope):
        assert scope.person_id is not None
        sealed = sealing.seal(options.secret, secret, FACTOR.format(scope.person_id))
        if not await sessions.set_factor(conn, scope.person_id, sealed):
            raise Problem("not_set_up", "expected no second factor yet: end the one there is first")
    return json_answer({"uri": totp.uri(secret, scope.name)})


@router.put(
    "/session/factor",
    summary="Prove the second factor",
    response_model=Done,
    responses=problems("login_failed", "token_missing", "token_invalid", "login_locked",
                       "too_many_requests", "malformed_request"),
)  # fmt: skip
async def prove_factor(request: Request, given: FactorCode) -> Response:
    """Show a code of the secret: from now on one is asked for at every login."""
    options: ApiOptions = request.app.state.options
    check_origin(request, session_credential(request))
    async with own_session(request) as (_, scope):
        name = scope.name
    async with at_gate(request) as conn:
        locked_s = await sessions.attempt(conn, name)
    refuse_locked(locked_s)
    async with own_session(request, "prove_factor") as (conn, scope):
        assert scope.person_id is not None
        sealed, _ = await sessions.factor(conn, scope.person_id)
        is_right = sealed is not None and await use_code(
            conn, options, scope.person_id, sealed, given.code
        )
        if not is_right:
            raise Problem("login_failed", "code: expected the six digits of the moment")
        await sessions.passed(conn, name)
    return json_answer({"done": True})


@router.post(
    "/session/factor/removal",
    summary="End the second factor",
    response_model=Done,
    responses=problems("login_failed", "token_missing", "token_invalid", "not_set_up",
                       "password_change_needed", "csrf_refused", "login_locked",
                       "too_many_requests", "malformed_request"),
)  # fmt: skip
async def remove_factor(request: Request, given: PasswordProof) -> Response:
    """From now on the password alone is asked for. All other sessions of the person end."""
    await end_factor(request, given.password)
    return json_answer({"done": True})


@open_router.get(
    "/session/identity-provider",
    include_in_schema=False,  # where browsers are led, no operation for programs
)
async def go_to_identity_provider(request: Request) -> Response:
    """Send the browser to the identity provider (OpenID Connect), which sends it back."""
    refuse(request.app.state.pacing.logins.take(network_of(address_of(request))))
    address, kept = await _provider(request).begin()
    response = RedirectResponse(address, 303)
    # Lax: it has to come along when the identity provider sends the browser back.
    response.set_cookie(
        OIDC_COOKIE, kept, max_age=LONGEST_S, path="/", secure=True, httponly=True, samesite="lax"
    )
    return response


@open_router.get(
    "/session/identity-provider/callback",
    include_in_schema=False,
)
async def come_from_identity_provider(request: Request) -> Response:
    """Open a session for whom the identity provider means, and send the browser to the start page.

    Nobody is made by this: it is somebody who was let in by an administrator.
    """
    refuse(request.app.state.pacing.logins.take(network_of(address_of(request))))
    provider = _provider(request)
    response = RedirectResponse(f"{provider.options.public_url}/", 303)
    with _counted(request):
        await come_back(request, response, provider)
    response.delete_cookie(OIDC_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return response


@contextmanager
def _counted(request: Request) -> Iterator[None]:
    """Count what comes of a login."""
    metrics: Metrics = request.app.state.metrics
    try:
        yield
    except Problem as problem:
        metrics.logins.labels(problem.code).inc()
        raise
    metrics.logins.labels("let_in").inc()


def _provider(request: Request) -> Provider:
    found: Provider | None = request.app.state.identity_provider
    if found is None:
        raise Problem("not_set_up", "expected api.oidc_issuer to be set")
    return found
