"""What the pages of registered things have in common: made, shown, changed, retired, with history.

A `Thing` says what is particular about one; the functions below add its operations to a router. The
registry says what is wrong (`storage.registry`), the database who may; here both become answers.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, NoReturn

import msgspec
from fastapi import APIRouter, Path, Query, Response

from api.access import ROOT, Asked, Session
from api.changing import IfMatch, check_match, etag
from api.cursors import encode_cursor, id_cursor
from api.encoding import Listed, json_answer, microseconds
from api.models.base import MOST_ID, Model
from api.models.registry import History
from api.openapi import problems
from api.problems import Flaw, Problem
from api.queries import EndQuery, HistoryQuery, ReasonQuery
from api.queries import Query as QueryModel
from storage.errors import AlreadyThereError, NotAllowedError
from storage.reading import registered
from storage.registry import changing, registering
from storage.registry.changing import Noun
from storage.registry.flaws import FlawedError
from storage.registry.records import Record

ALIASES: Final = {"vehicle_class": "class"}
"""Fields that a body calls otherwise than a record."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A kind of thing that is registered.

    noun: what the registry calls it. path: of its list. words: for people, with their article.
    shown: model of one. find: one that the caller may see, with its `version`; None: there is none.
    """

    noun: Noun
    path: str
    words: str
    shown: type[Model]
    find: Callable[[Session, int], Awaitable[Any | None]]

    async def found(self, session: Session, number: int) -> Any:
        """One that the caller may see. Raises Problem."""
        found = await self.find(session, number)
        if found is None:
            raise Problem(
                f"{self.noun}_not_found", f"{self.noun} {number}: expected one that you may see"
            )
        return found

    async def answer(self, session: Session, number: int, status: int = 200) -> Response:
        """One as it is now, with its ETag."""
        found = await self.found(session, number)
        headers = etag(found.version)
        if status == 201:
            headers["Location"] = f"{ROOT}{self.path}/{number}"
        return json_answer(found, status, headers=headers)

    async def hold(self, session: Session, number: int, if_match: str | None) -> registered.Held:
        """Lock one for a change. Raises Problem where the caller may not change it."""
        held = await registered.hold(session.conn, self.noun, number)
        if held is None:
            await self.found(session, number)
            raise Problem("forbidden", f"{self.noun} {number}: expected one that you may change")
        check_match(f"{self.noun} {number}", held.version, if_match)
        return held


def add_list(
    router: APIRouter, thing: Thing, shown: type[msgspec.Struct], query: type[QueryModel], page: Any
) -> None:
    """GET of all of them, by the filters of `query`."""

    async def handle(session: Asked, query: Any) -> Response:
        asked = query.model_dump()
        after = id_cursor(thing.path, asked.pop("cursor"))
        found = await registered.page(session.conn, shown, after=after, **asked)
        cursor = None if found.last is None else encode_cursor(thing.path, found.last)
        return json_answer(Listed(found.rows, cursor))

    _add(
        router, thing, "GET", handle, {"query": Annotated[query, Query()]},
        name=f"list_{thing.noun}s", summary=f"List {thing.path[1:].replace('-', ' ')}", model=page,
        description="In order of their number; those that are over only where they are asked for.",
        errors=("cursor_invalid",),
    )  # fmt: skip


def add_show(router: APIRouter, thing: Thing) -> None:
    """GET of one."""

    async def handle(session: Asked, number: int) -> Response:
        return await thing.answer(session, number)

    _add(
        router, thing, "GET", handle, {}, name=f"show_{thing.noun}", summary=f"Show {thing.words}",
        path="/{}", model=thing.shown, errors=(f"{thing.noun}_not_found",),
        description="As it is now, whether it is over or not; its ETag is for changing it.",
    )  # fmt: skip


def add_make(
    router: APIRouter,
    thing: Thing,
    new: type[Model],
    record: Callable[[Session, Any], Awaitable[Record]],
) -> None:
    """POST of a new one."""

    async def handle(
        session: Asked, facts: Any, query: Annotated[ReasonQuery, Query()]
    ) -> Response:
        given = await record(session, facts)
        await registering.note(session.conn, reason=query.reason or "")
        try:
            [number] = await registering.register(session.conn, [given])
        except (FlawedError, AlreadyThereError) as error:
            raise_refused(error)
        return await thing.answer(session, number, 201)

    _add(
        router, thing, "POST", handle, {"facts": new}, name=f"make_{thing.noun}", status=201,
        summary=f"Register {thing.words}", model=thing.shown,
        errors=("already_there", "body_too_large", "malformed_request"),
        description="All that is wrong with it is said at once, each flaw with its field.",
    )  # fmt: skip


def add_put(
    router: APIRouter,
    thing: Thing,
    facts: type[Model],
    record: Callable[[Session, Any, Any], Awaitable[Record]],
    description: str = "Every fact is given anew; what it was stands in the history.",
) -> None:
    """PUT of its facts."""

    async def handle(
        session: Asked,
        number: int,
        facts: Any,
        query: Annotated[ReasonQuery, Query()],
        if_match: IfMatch = None,
    ) -> Response:
        held = await thing.hold(session, number, if_match)
        if held.is_over:
            raise Problem("retired", f"{thing.noun} {number} is retired: expected one that is not")
        given = await record(session, await thing.found(session, number), facts)
        await registering.note(session.conn, reason=query.reason or "")
        try:
            [now] = await changing.change(session.conn, [number], [given])
        except (FlawedError, AlreadyThereError, NotAllowedError) as error:
            raise_refused(error)
        return await thing.answer(session, now)

    _add(
        router, thing, "PUT", handle, {"facts": facts}, name=f"put_{thing.noun}", path="/{}",
        summary=f"Change {thing.words}", model=thing.shown, description=description,
        errors=(
            f"{thing.noun}_not_found", "already_there", "retired", "version_mismatch",
            "body_too_large", "malformed_request",
        ),
    )  # fmt: skip


def add_retire(router: APIRouter, thing: Thing, *, spans: bool = False, path: str = "") -> None:
    """DELETE of one, which ends it. spans: at an instant that can be given.

    path: where one is erased by DELETE, the page whose POST retires it.
    """

    async def handle(session: Asked, number: int, query: Any, if_match: IfMatch = None) -> Response:
        held = await thing.hold(session, number, if_match)
        if not held.is_over:
            await registering.note(session.conn, reason=query.reason or "")
            at = query.at if spans else None
            at_us = None if at is None else microseconds(at)
            try:
                await changing.retire(session.conn, thing.noun, [number], at_us)
            except FlawedError as error:
                raise_refused(error)
        return await thing.answer(session, number)

    _add(
        router, thing, "POST" if path else "DELETE", handle,
        {"query": Annotated[EndQuery if spans else ReasonQuery, Query()]},
        name=f"{'retire' if path else 'delete'}_{thing.noun}", path="/{}" + path,
        summary=f"End {thing.words}" if spans else f"Retire {thing.words}", model=thing.shown,
        description="It ends, and stays readable; what had not begun by then never holds.",
        errors=(f"{thing.noun}_not_found", "version_mismatch"),
    )  # fmt: skip


def add_history(router: APIRouter, thing: Thing, model: type[Model] = History) -> None:
    """GET of what became of one."""

    async def handle(
        session: Asked, number: int, query: Annotated[HistoryQuery, Query()]
    ) -> Response:
        await thing.found(session, number)
        name = f"{thing.path}/history"
        found = await registered.history(
            session.conn, thing.noun, number, before=id_cursor(name, query.cursor),
            limit=query.limit,
        )  # fmt: skip
        cursor = None if found.last is None else encode_cursor(name, found.last)
        return json_answer(Listed(found.rows, cursor))

    _add(
        router, thing, "GET", handle, {}, name=f"show_{thing.noun}_history",
        path="/{}/history", model=model, summary=f"Show the history of {thing.words}",
        description="Who changed what, when and why, newest first.",
        errors=(f"{thing.noun}_not_found", "cursor_invalid"),
    )  # fmt: skip


def raise_refused(error: Exception) -> NoReturn:
    """What the registry refused, as a problem with every flaw."""
    if isinstance(error, FlawedError):
        flaws = [
            Flaw(f"body.{ALIASES.get(flaw.field, flaw.field)}", flaw.expected)
            for flaw in error.flaws
        ]
        said = "; ".join(f"{flaw.location}: expected {flaw.expected}" for flaw in flaws[:3])
        raise Problem("invalid_request", said, flaws=flaws) from error
    if isinstance(error, NotAllowedError):
        raise Problem("forbidden", "it belongs to somebody else") from error
    expected = "what nobody has at that time; somebody may have it whom you cannot see"
    raise Problem("already_there", f"expected {expected}") from error


def _add(
    router: APIRouter,
    thing: Thing,
    method: str,
    handle: Callable[..., Any],
    types: dict[str, Any],
    *,
    name: str,
    summary: str,
    description: str,
    model: Any,
    errors: tuple[str, ...] = (),
    path: str = "",
    status: int = 200,
) -> None:
    """Add a handler. types: of its parameters that are particular to the thing; {}: its number."""
    key = f"{thing.noun}_id"
    number = Path(
        alias=key, ge=1, le=MOST_ID, description="Its number (an identity, no unit).", examples=[3]
    )
    if path:
        types = {**types, "number": Annotated[int, number]}
    handle.__annotations__.update(types)
    router.add_api_route(
        thing.path + path.replace("{}", f"{{{key}}}"),
        handle,
        methods=[method],
        name=name,
        status_code=status,
        summary=summary,
        description=description,
        response_model=model,
        responses=problems("invalid_request", *errors),
    )
