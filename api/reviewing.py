"""What the pages of reviews have in common: who asks, about which violation, as it was read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

from fastapi import Header

from api.access import Session
from api.problems import Flaw, Problem
from storage.access.roles import TAKING_PART
from storage.errors import ReviewError
from storage.reviews import steps
from storage.reviews.moves import Caller, Standing, needs_four_eyes

IfMatch = Annotated[
    str | None,
    Header(
        max_length=100,
        description="The ETag of the violation that was read; without it nothing is done.",
        examples=['"1-0"'],
    ),
]

UNREAD: Final = "expected If-Match with the ETag of the violation as it was read"


def etag_of(version: int, number: int) -> str:
    """Names the facts and what has happened to the review."""
    return f"{version}-{number}"


def etag(version: int, number: int) -> dict[str, str]:
    return {"ETag": f'"{etag_of(version, number)}"'}


async def standing(session: Session, violation: int) -> Standing:
    """How the review of a violation that the caller sees stands. Raises Problem."""
    found = await steps.standing(session.conn, violation)
    if found is None:
        raise Problem(
            "violation_not_found", f"violation {violation}: expected one that you may see"
        )
    return found


def caller_of(session: Session) -> Caller:
    return Caller(session.scope.person_id, session.scope.abilities)


def four_eyes(session: Session, read: Standing) -> bool:
    """Whether two people decide about this one."""
    return needs_four_eyes(read.kind, session.options.four_eyes)


def require_part(session: Session) -> None:
    """Refuse a caller who takes no part in reviews. Raises Problem."""
    session.require("read")
    if session.scope.abilities.isdisjoint(TAKING_PART):
        raise Problem("forbidden", "expected a role and a key that may 'answer' or 'decide'")


def check_read(read: Standing, given: str | None) -> None:
    """Refuse a step by somebody who has not read what there is now. Raises Problem."""
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in (given or "").split(",")]
    if etag_of(read.version, read.number) not in tags:
        at = f"version {read.version} of the facts, {read.number} of the review"
        raise Problem("version_mismatch", f"{UNREAD}; it is at {at}")


@contextmanager
def said_as_problems() -> Iterator[None]:
    """What the review refuses, in the API's words."""
    try:
        yield
    except ReviewError as error:
        flaws = [Flaw(f"body.{error.place}", error.detail)] if error.place else []
        raise Problem(error.code, str(error), flaws=flaws) from error
