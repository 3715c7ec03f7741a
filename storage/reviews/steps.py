"""Steps of reviews, as they are kept. Everything runs in the caller's transaction, with its rights.

A step is one row, and its effect on the violation belongs to that row's own statement: where the
violation is not any more as it was read, there is neither.
"""

from typing import Any, Final

import msgspec
from psycopg import AsyncConnection
from psycopg.errors import CheckViolation, SerializationFailure, UniqueViolation

from storage.errors import ReviewError
from storage.queries import queries
from storage.reading.loading import rows_of
from storage.reading.violations import Review
from storage.reviews.moves import STATES, Asked, Caller, Outcome, Proposal, Standing, judge

SQL = queries("reviews")

OF_PROPOSALS: Final = {"four_eyes", "answered_proposal"}
"""Constraints that fail where a proposal is not any more the one that was read."""


class TakenStep(msgspec.Struct, frozen=True):
    """A step as the caller may see it. text, by: None where they are not the caller's to know.

    operator, province: whose the one is who took it; neither: the nation's.
    """

    number: int
    at: str
    act: str
    step: str
    from_state: str
    to_state: str
    version: int
    reason: str
    text: str | None
    by: str | None
    role: str
    operator: str | None
    province: str | None


async def flagged(conn: AsyncConnection[Any]) -> dict[Review, int]:
    """How many violations' facts were revised under a review, by how that stands; for the owner."""
    counts = dict(await (await conn.execute(SQL["flagged"])).fetchall())
    return {state: counts.get(state, 0) for state in STATES if state != "new"}


async def standing(conn: AsyncConnection[Any], violation: int) -> Standing | None:
    """How a review stands; None: no such violation, or none that the caller sees."""
    found = await conn.execute(SQL["standing"], {"violation": violation})
    row = await found.fetchone()
    if row is None:
        return None
    kind, status, version, review, number, is_flagged, proposed, step, person, confirmers = row
    proposal = None if proposed is None else Proposal(proposed, step, person)
    return Standing(
        kind, status, version, review, number, is_flagged, proposal, frozenset(confirmers)
    )


async def take(
    conn: AsyncConnection[Any],
    violation: int,
    read: Standing,
    caller: Caller,
    asked: Asked,
    *,
    four_eyes: bool,
) -> Outcome:
    """Take a step on a violation that stands as it was `read`. Raises ReviewError.

    Of two who take a step on the same reading, one is too late: `version_mismatch`. The transaction
    goes on after that.
    """
    outcome = judge(read, caller, asked, four_eyes=four_eyes)
    try:
        async with conn.transaction():
            await conn.execute(
                SQL["take"],
                {
                    "violation": violation,
                    "number": read.number + 1,
                    "act": outcome.act,
                    **outcome.move._asdict(),
                    "version": read.version,
                    "reason": asked.reason,
                    "text": asked.text,
                },
            )
    except (SerializationFailure, UniqueViolation, CheckViolation) as error:
        if isinstance(error, CheckViolation) and error.diag.constraint_name not in OF_PROPOSALS:
            raise
        raise ReviewError(
            "version_mismatch", "expected the violation as it was read: it has changed meanwhile"
        ) from error
    return outcome


async def history(
    conn: AsyncConnection[Any], violation: int, number: int | None = None
) -> list[TakenStep]:
    """What happened to a review, the newest first; number: only that."""
    found = rows_of(conn, TakenStep)
    await found.execute(SQL["steps"], {"violation": violation, "number": number})
    return await found.fetchall()
