"""Keys of programs: a person makes, sees and ends its own; administrators see and end all."""

from typing import Annotated

from fastapi import Path, Response

from api.access import Asked, closed_router
from api.encoding import Listed, json_answer
from api.models.access import Done, Keys, MadeKey, NewKey
from api.models.base import MOST_ID
from api.openapi import problems
from api.problems import Flaw, Problem
from storage.access import keys

router = closed_router("keys", reads=None, changes=None)

ThisKey = Annotated[
    int,
    Path(ge=1, le=MOST_ID, description="Number of the key (an identity, no unit).", examples=[7]),
]


@router.get("/keys", summary="List keys", response_model=Keys)
async def list_keys(session: Asked) -> Response:
    """One's own keys; administrators are shown everybody's."""
    return json_answer(Listed(await keys.keys(session.conn), None))


@router.post(
    "/keys",
    status_code=201,
    summary="Make a key",
    response_model=MadeKey,
    responses=problems("forbidden", "invalid_request", "malformed_request"),
)
async def make_key(session: Asked, given: NewKey) -> Response:
    """A key that may do what its maker may, or less. It is shown this once.

    It ends with its time, and with its maker's role. Only people make keys: a key makes none.
    """
    scope = session.scope
    if scope.person_id is None or scope.kind != "session":
        raise Problem("forbidden", "expected the session of a person")
    beyond = set(given.scopes or ()) - scope.abilities
    if beyond:
        flaw = Flaw("body.scopes", "none that you do not have")
        raise Problem("invalid_request", f"scopes: expected none of {sorted(beyond)}", flaws=[flaw])
    made = await keys.create(
        session.conn, given.name, scope.role, scope.reach,
        days=given.days, scopes=given.scopes, person_id=scope.person_id,
    )  # fmt: skip
    may = sorted(scope.abilities if given.scopes is None else given.scopes)
    session.noted.update(key=made.id, scopes=may, days=given.days)
    return json_answer(made._asdict(), 201)


@router.delete(
    "/keys/{key_id}",
    summary="End a key",
    response_model=Done,
    responses=problems("key_not_found"),
)
async def revoke_key(session: Asked, key_id: ThisKey) -> Response:
    """It opens nothing from now on."""
    if not await keys.revoke(session.conn, key_id):
        raise Problem("key_not_found", f"key {key_id}: expected one in force that is yours")
    return json_answer({"done": True})
