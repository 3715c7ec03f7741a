"""Drivers: shown as the caller's role needs it, handed their data, erased."""

from typing import Annotated

import msgspec
from fastapi import Path, Query, Response

from api.access import Asked, Session, closed_router
from api.changing import etag
from api.cursors import encode_cursor, id_cursor
from api.encoding import Listed, json_answer
from api.models.base import MOST_ID
from api.models.drivers import Driver, DriverFile, DriverPage
from api.openapi import problems
from api.problems import Problem
from api.queries import DriverQuery
from storage.access import drivers
from storage.access.drivers import MOST_MESSAGES, MOST_ROWS
from storage.access.roles import TAKING_PART
from storage.reading import registered
from storage.reading.registered import Change

router = closed_router("drivers", changes="erase")

ThisDriver = Annotated[
    int,
    Path(ge=1, le=MOST_ID, description="Number of the driver (an identity, no unit).",
         examples=[3]),
]  # fmt: skip


class FileOfDriver(msgspec.Struct, frozen=True):
    driver: drivers.Driver
    driving: list[drivers.Span]
    violations: list[drivers.Found]
    reviews: list[drivers.Written]
    files: list[drivers.Attached]
    marks: list[drivers.Mark]
    quarantined: list[drivers.Quarantined] | None
    history: list[Change]
    is_truncated: bool


@router.get(
    "/drivers",
    summary="List drivers",
    response_model=DriverPage,
    responses=problems("invalid_request", "cursor_invalid"),
)
async def list_drivers(session: Asked, query: Annotated[DriverQuery, Query()]) -> Response:
    """Drivers in order of their number; masked unless the role needs who they are."""
    page = await drivers.drivers(
        session.conn,
        operator=query.operator,
        retired=query.retired,
        after=id_cursor("drivers", query.cursor),
        limit=query.limit,
    )
    cursor = None if page.last is None else encode_cursor("drivers", page.last)
    return json_answer(Listed(page.rows, cursor))


@router.get(
    "/drivers/{driver_id}",
    summary="Show a driver",
    response_model=Driver,
    responses=problems("driver_not_found"),
)
async def show_driver(session: Asked, driver_id: ThisDriver) -> Response:
    """A driver; masked unless the role needs who it is."""
    found = await _found(session, driver_id)
    return json_answer(found, headers=etag(found.version))


@router.get(
    "/drivers/{driver_id}/data",
    summary="Hand out all data of a driver",
    response_model=DriverFile,
    responses=problems("driver_not_found"),
)
async def export_driver(session: Asked, driver_id: ThisDriver) -> Response:
    """All that is held about a driver, for whoever has to give it to that driver.

    Words and files of reviews are for callers who take part in them; a file is handed out by
    `/violations/{violation}/attachments/{id}`. Messages that nobody could read are for callers who
    may see the quarantine: others may be named in them.
    """
    session.require("personal")
    found = await _found(session, driver_id)
    may_read = not session.scope.abilities.isdisjoint(TAKING_PART)
    driving = await drivers.spans(session.conn, driver_id)
    violations = await drivers.violations(session.conn, driver_id)
    reviews = await drivers.written(session.conn, driver_id) if may_read else []
    files = await drivers.attached(session.conn, driver_id) if may_read else []
    marks = await drivers.marks(session.conn, driver_id)
    may_look = "quarantine" in session.scope.abilities
    messages = await drivers.quarantined(session.conn, driver_id) if may_look else None
    changes = await registered.history(
        session.conn, "driver", driver_id, before=None, limit=MOST_ROWS
    )
    return json_answer(
        FileOfDriver(
            found, driving[:MOST_ROWS], violations[:MOST_ROWS], reviews[:MOST_ROWS],
            files[:MOST_ROWS], marks[:MOST_ROWS],
            None if messages is None else messages[:MOST_MESSAGES], changes.rows,
            changes.last is not None
            or max(len(driving), len(violations), len(reviews), len(files), len(marks)) > MOST_ROWS
            or len(messages or ()) > MOST_MESSAGES,
        )
    )  # fmt: skip


@router.delete(
    "/drivers/{driver_id}",
    summary="Erase a driver",
    response_model=Driver,
    responses=problems("driver_not_found", "must_be_kept"),
)
async def erase_driver(session: Asked, driver_id: ThisDriver) -> Response:
    """Forget who a driver is. Journeys and violations stay, of a driver whom nobody knows.

    Words and files of the reviews of these violations go, and what may tell beside fixes and
    weighings who drove. Messages that nobody could read and that name the driver lose their bytes
    with the next round of upkeep. Refused while a violation that the law has kept names the driver,
    or one whose review waits for a decision.
    """
    done = await drivers.erase(session.conn, driver_id, session.options.kept_days)
    if done is None:
        raise Problem("driver_not_found", f"driver {driver_id}: expected one that you may erase")
    if done.why == "law":
        raise Problem(
            "must_be_kept", f"a violation names this driver: it is kept until {done.kept_until}"
        )
    if done.why == "review":
        raise Problem(
            "must_be_kept", "a violation names this driver, and its review waits for a decision"
        )
    session.noted.update(texts=done.texts, files=done.files, extras=done.extras)
    return json_answer(await _found(session, driver_id))


async def _found(session: Session, number: int) -> drivers.Driver:
    found = await drivers.driver(session.conn, number)
    if found is None:
        raise Problem("driver_not_found", f"driver {number}: expected one that you may see")
    return found
