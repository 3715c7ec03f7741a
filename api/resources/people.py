"""People, for administrators: made, listed, let in no longer."""

import asyncio
from typing import Annotated

import msgspec
from fastapi import Path, Response
from psycopg import AsyncConnection

from api.access import ROOT, Asked, closed_router
from api.encoding import Listed, json_answer
from api.models.access import MadePerson, NewPerson, People
from api.openapi import problems
from api.problems import Flaw, Problem
from storage.access import passwords, people
from storage.access.people import USERNAME, Person
from storage.access.roles import Reach
from storage.errors import AlreadyThereError, NotThereError, RegistryError
from storage.reading import changes

router = closed_router("people", reads="people", changes="people")

ThisPerson = Annotated[str, Path(pattern=USERNAME, description="Username.", examples=["an"])]


class PersonWithPassword(Person, frozen=True):
    first_password: str | None


@router.get("/people", summary="List people", response_model=People)
async def list_people(session: Asked) -> Response:
    """Everybody, also who is let in no longer."""
    return json_answer(Listed(await people.people(session.conn), None))


@router.post(
    "/people",
    status_code=201,
    summary="Let somebody in",
    response_model=MadePerson,
    responses=problems("code_taken", "invalid_request", "malformed_request"),
)
async def make_person(session: Asked, given: NewPerson) -> Response:
    """Somebody new. The first password is in the answer, once, and has to be changed."""
    first = None if given.identity_provider else passwords.first_password()
    new = people.NewPerson(
        given.username, given.role, await _reach(session.conn, given), given.name
    )
    kept = None if first is None else await asyncio.to_thread(passwords.hashed, first)
    try:
        await people.create(session.conn, new, kept)
    except (AlreadyThereError, NotThereError):
        raise
    except RegistryError as error:  # the username was checked: what is left is the reach
        expected = "an operator, province or provider that fits the role (docs/access.md)"
        flaw = Flaw("body.role", expected)
        raise Problem("invalid_request", f"role: expected {expected}", flaws=[flaw]) from error
    said = given.model_dump(include={"role", "operator", "province", "provider"})
    session.noted.update({name: value for name, value in said.items() if value is not None})
    [made] = await people.people(session.conn, given.username)
    shown = PersonWithPassword(**msgspec.structs.asdict(made), first_password=first)
    return json_answer(shown, 201, headers={"Location": f"{ROOT}/people/{given.username}"})


@router.delete(
    "/people/{username}",
    summary="Let somebody in no longer",
    response_model=People,
    responses=problems("person_not_found"),
)
async def disable_person(session: Asked, username: ThisPerson) -> Response:
    """Sessions and keys of the person end with it. Nothing that it did is forgotten."""
    try:
        await people.set_disabled(session.conn, username, disabled=True)
    except NotThereError as error:
        raise Problem("person_not_found", str(error)) from error
    return json_answer(Listed(await people.people(session.conn, username), None))


@router.delete(
    "/people/{username}/factor",
    summary="End somebody's second factor",
    response_model=People,
    responses=problems("person_not_found", "other_person_needed"),
)
async def revoke_factor(session: Asked, username: ThisPerson) -> Response:
    """The password alone is asked for, until another one is set up. The person's sessions end.

    One's own is ended by `POST /session/factor/removal`, which asks for the password.
    """
    try:
        person = await people.person_id(session.conn, username)
    except NotThereError as error:
        raise Problem("person_not_found", str(error)) from error
    if person == session.scope.person_id:
        raise Problem("other_person_needed", "expected somebody else: your own needs a password")
    session.noted.update(ended=await people.end_factor(session.conn, person))
    return json_answer(Listed(await people.people(session.conn, username), None))


async def _reach(conn: AsyncConnection, given: NewPerson) -> Reach:
    """The operator, province or provider that is named. Raises Problem."""
    operator = provider = None
    if given.operator is not None:
        operator = await changes.operator_id(conn, given.operator)
        if operator is None:
            _refuse("operator")
    if given.provider is not None:
        try:
            provider = await people.provider_id(conn, given.provider)
        except NotThereError:
            _refuse("provider")
    return Reach(operator, given.province, provider)


def _refuse(what: str) -> None:
    flaw = Flaw(f"body.{what}", f"the code of a known {what}")
    raise Problem("invalid_request", f"{what}: expected {flaw.expected}", flaws=[flaw])
