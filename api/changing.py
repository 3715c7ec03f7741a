"""What the writing of zones and of routes has in common: whose it is, which version, what is wrong.

The database enforces who may write what; here the refusals get their words.
"""

from typing import Annotated, NoReturn

from fastapi import Header, Path

from api.access import Session
from api.models.base import TEXT
from api.problems import Flaw, Problem
from geofence.errors import GeometryError, RegistryError
from storage.reading import changes
from storage.reading.changes import Held
from storage.registry.versions import Versioned

ThisCode = Annotated[str, Path(min_length=1, max_length=100, pattern=TEXT, description="Its code.")]
IfMatch = Annotated[
    str | None,
    Header(
        max_length=100,
        description="The ETag that was read: the change is refused if there is a newer version.",
        examples=['"2"'],
    ),
]


def etag(version: int) -> dict[str, str]:
    return {"ETag": f'"{version}"'}


async def owner_of(session: Session, operator: str | None) -> int | None:
    """The operator that a new zone or route is to belong to; None: everybody's. Raises Problem.

    What an operator writes without naming one is its own.
    """
    if operator is None:
        return session.scope.operator_id
    found = await changes.operator_id(session.conn, operator)
    if found is not None:
        return found
    if session.scope.operator_id is not None:
        raise Problem("forbidden", "operator: expected your own")
    flaw = Flaw("body.operator", "the code of an operator")
    raise Problem("invalid_request", "operator: expected the code of an operator", flaws=[flaw])


async def hold(
    session: Session, noun: Versioned, code: str, if_match: str | None, from_us: int | None = None
) -> Held:
    """The newest version, locked for the change. Raises Problem where it may not be changed."""
    held = await changes.hold(session.conn, noun, code, from_us)
    if held is None:
        if await changes.is_known(session.conn, noun, code):
            raise Problem("forbidden", f"{noun} {code!r} is everybody's: expected your own")
        raise_not_found(noun, code)
    check_match(f"{noun} {code!r}", held.version, if_match)
    if held.is_too_early:
        expected = f"an instant after {held.valid_from}, when version {held.version} began"
        flaw = Flaw("body.valid_from", expected)
        raise Problem("begins_too_early", f"valid_from: expected {expected}", flaws=[flaw])
    return held


def check_match(what: str, version: int, if_match: str | None) -> None:
    """Refuse a change of another version than the one that was read. Raises Problem."""
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in (if_match or "*").split(",")]
    if "*" not in tags and str(version) not in tags:
        raise Problem("version_mismatch", f"{what} is at version {version}")


async def check_owner(session: Session, held: Held, operator: str | None) -> None:
    """A zone or route never changes hands. Raises Problem."""
    if operator is not None and await owner_of(session, operator) != held.operator_id:
        flaw = Flaw("body.operator", "the operator that it has, or null")
        raise Problem("invalid_request", f"operator: expected {flaw.expected}", flaws=[flaw])


def raise_not_found(noun: Versioned, code: str) -> NoReturn:
    raise Problem(f"{noun}_not_found", f"{noun} {code!r}: expected one that you may see")


def raise_refused(error: RegistryError | OverflowError) -> NoReturn:
    """What the judging core found wrong, as a problem with the place of it."""
    cause = error.__cause__
    if isinstance(cause, GeometryError):
        place, reason, code = cause.place, cause.reason, "geometry_invalid"
    elif isinstance(error, OverflowError):
        place, reason, code = "geometry.coordinates", "expected degrees", "geometry_invalid"
    else:
        place, _, reason = str(cause or error).partition(": ")
        code = "invalid_request"
    raise Problem(code, f"{place}: {reason}", flaws=[Flaw(f"body.{place}", reason)])
