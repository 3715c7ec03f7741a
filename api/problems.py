"""Problem details (RFC 9457): every error that a caller can be shown, by its stable code.

Belongs here: the table of codes and how exceptions become problems. What an error says to the
caller is written where it is raised; nothing of an unforeseen error ever leaves the process.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from psycopg import errors as pg
from psycopg_pool import PoolClosed, PoolTimeout
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from storage.errors import AlreadyThereError, RegistryError

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 5
"""Long enough for a restarted database to come back, short enough for a person to wait."""

logger = structlog.get_logger("api")

CODES: Final[Mapping[str, tuple[int, str]]] = {
    "malformed_request": (400, "The request cannot be read"),
    "token_missing": (401, "A key or a session is needed"),
    "token_invalid": (401, "The key or session is unknown, expired or revoked"),
    "login_failed": (401, "Username, password or code is wrong"),
    "second_factor_needed": (401, "The code of the second factor is needed, too"),
    "forbidden": (403, "The caller may not do this"),
    "other_person_needed": (403, "Somebody else has to do this"),
    "csrf_refused": (403, "The change may come from another site"),
    "password_change_needed": (403, "The password has to be changed first"),
    "not_found": (404, "There is no such page"),
    "vehicle_not_found": (404, "There is no such vehicle"),
    "operator_not_found": (404, "There is no such operator"),
    "violation_not_found": (404, "There is no such violation"),
    "zone_not_found": (404, "There is no such zone"),
    "route_not_found": (404, "There is no such route"),
    "driver_not_found": (404, "There is no such driver"),
    "device_not_found": (404, "There is no such device"),
    "assignment_not_found": (404, "There is no such assignment"),
    "badge_not_found": (404, "There is no such badge"),
    "vehicle_route_not_found": (404, "The vehicle is not registered for the route"),
    "station_not_found": (404, "There is no such weigh station"),
    "calibration_not_found": (404, "There is no such calibration"),
    "person_not_found": (404, "There is no such person"),
    "attachment_not_found": (404, "There is no such file"),
    "key_not_found": (404, "There is no such key"),
    "method_not_allowed": (405, "The page does not take this method"),
    "code_taken": (409, "The code is taken"),
    "already_there": (409, "Somebody else has it"),
    "begins_too_early": (409, "The version would begin before the one it replaces"),
    "retired": (409, "It is retired"),
    "step_not_possible": (409, "The review does not stand so that this can be done"),
    "too_many_files": (409, "There are too many files"),
    "must_be_kept": (409, "It has to be kept"),
    "not_set_up": (409, "It is not set up here"),
    "version_mismatch": (412, "Somebody else changed it meanwhile"),
    "body_too_large": (413, "The body is too large"),
    "invalid_request": (422, "A value is not what it should be"),
    "cursor_invalid": (422, "The cursor is not one of this list"),
    "window_too_long": (422, "The stretch of time is too long"),
    "file_refused": (422, "The file is none of the formats that are taken"),
    "area_too_large": (422, "The area holds too much"),
    "geometry_invalid": (422, "The geometry is not valid"),
    "password_refused": (422, "The password is not good enough"),
    "login_locked": (429, "Too many wrong passwords"),
    "too_many_requests": (429, "Too many requests"),
    "internal_error": (500, "Something went wrong here"),
    "database_unavailable": (503, "The database cannot be reached"),
    "query_timeout": (503, "The answer took too long to find"),
    "busy": (503, "Somebody else is changing it"),
    "not_ready": (503, "The service is not ready"),
}
"""Code: status and title. A code never changes its meaning; docs/api.md explains each."""


class Flaw(msgspec.Struct, frozen=True):
    """One value that is not what it should be: where it stands, and what was expected."""

    location: str
    expected: str


class Problem(Exception):  # noqa: N818 - it is a problem in RFC 9457's words
    """An error with a code of `CODES`; `detail` tells the caller what to do about this one."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        flaws: Sequence[Flaw] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.status, self.title = CODES[code]
        self.detail = detail
        self.flaws = tuple(flaws)
        self.headers = dict(headers or {})
        super().__init__(f"{code}: {detail}")


def problem_response(problem: Problem, path: str) -> Response:
    """The problem as RFC 9457 writes it."""
    body: dict[str, Any] = {
        "type": f"urn:hanhtrinh:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": path,
        "code": problem.code,
    }
    if problem.flaws:
        body["errors"] = problem.flaws
    headers = dict(problem.headers)
    if problem.status == 401:
        error = "" if problem.code == "token_missing" else ', error="invalid_token"'
        headers["WWW-Authenticate"] = f'Bearer realm="hanhtrinh"{error}'
    if problem.status == 503:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    return Response(
        msgspec.json.encode(body), problem.status, headers=headers, media_type=MEDIA_TYPE
    )


def problem_of_http(error: HTTPException) -> Problem:
    """What the framework refused by itself."""
    if error.status_code == 404:
        return Problem("not_found", "expected a path of the API: see /api/v1/openapi.json")
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        detail = f"expected one of {allowed}" if allowed else "expected another method"
        return Problem("method_not_allowed", detail, headers=error.headers)
    return Problem("malformed_request", "expected a body that is JSON")


WORDS: Final = {"extra_forbidden": "nothing of this name", "missing": "a value, got none"}
"""What was expected where pydantic says no such thing, by its types of errors."""


def problem_of_validation(error: RequestValidationError) -> Problem:
    """Values that the models refused. What was sent is not repeated: it may be a secret."""
    flaws = []
    for flaw in error.errors():
        location = ".".join(str(part) for part in flaw["loc"])
        said = str(flaw["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
        expected = WORDS.get(flaw["type"]) or said[:1].lower() + said[1:]
        flaws.append(Flaw(location, expected))
    named = "; ".join(f"{flaw.location}: expected {flaw.expected}" for flaw in flaws[:3])
    return Problem("invalid_request", named, flaws=flaws)


def problem_of_database(error: psycopg.Error) -> Problem | None:
    """What the database refused for a reason that is the caller's business; None: a fault here."""
    if isinstance(error, pg.InsufficientPrivilege):
        return Problem("forbidden", "it belongs to somebody else, or to everybody")
    if isinstance(error, pg.LockNotAvailable | pg.DeadlockDetected | pg.SerializationFailure):
        return Problem("busy", "nothing was written: try again in a few seconds")
    if isinstance(error, pg.QueryCanceled):
        return Problem("query_timeout", "ask for a shorter stretch of time, or filter more")
    if isinstance(error, pg.UniqueViolation):
        return Problem("code_taken", "expected a code that nobody uses; codes are never used again")
    unavailable = PoolTimeout | PoolClosed | psycopg.OperationalError | psycopg.InterfaceError
    if isinstance(error, unavailable):
        return Problem("database_unavailable", "try again in a few seconds")
    return None


def problem_of_registry(error: RegistryError) -> Problem:
    """A change that contradicts what the registry holds by now."""
    if isinstance(error, AlreadyThereError):
        return Problem("code_taken", "expected a code that nobody uses; codes are never used again")
    return Problem("version_mismatch", "expected the version that was read: read it again")


def _allowed(app: FastAPI, request: Request) -> list[str]:
    """Every method of a path; the framework knows those of the first route alone."""
    return sorted({
        method.upper()
        for template, operations in app.openapi()["paths"].items()
        if compile_path(template)[0].match(request.url.path)
        for method in operations
    })  # fmt: skip


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return problem_response(error, request.url.path)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 405:
            error.headers = {"Allow": ", ".join(_allowed(app, request))}
        return problem_response(problem_of_http(error), request.url.path)

    async def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem_response(problem_of_validation(error), request.url.path)

    async def on_registry(request: Request, error: Exception) -> Response:
        assert isinstance(error, RegistryError)
        return problem_response(problem_of_registry(error), request.url.path)

    async def on_database(request: Request, error: Exception) -> Response:
        assert isinstance(error, psycopg.Error)
        problem = problem_of_database(error)
        if problem is None:
            return await on_fault(request, error)
        if problem.status == 503:
            logger.warning("database.failed", path=request.url.path, error=type(error).__name__)
        return problem_response(problem, request.url.path)

    async def on_fault(request: Request, error: Exception) -> Response:
        logger.error("request.failed", path=request.url.path, exc_info=error)
        problem = Problem("internal_error", "it has been logged; the request can be tried again")
        return problem_response(problem, request.url.path)

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(RegistryError, on_registry)
    app.add_exception_handler(psycopg.Error, on_database)
    app.add_exception_handler(Exception, on_fault)
