"""Tables of the registry as whole files: CSV or XLSX in, all of it written or nothing.

A table of drivers is compared with who they are: it needs the ability to know that, too.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from api.access import Asked, closed_router
from api.encoding import json_answer
from api.models.imports import ImportReport
from api.openapi import problems
from api.pacing import Pacing
from api.problems import Flaw, Problem
from api.queries import ImportQuery
from api.registering import raise_refused
from storage.bulk.importing import TableImport
from storage.bulk.kinds import TABLES
from storage.bulk.problems import Problems
from storage.bulk.reading import read_table
from storage.bulk.tables import TableError
from storage.errors import AlreadyThereError, NotAllowedError
from storage.registry import registering
from storage.registry.flaws import FlawedError

MOST_SHOWN: Final = 1_000
"""Problems in one answer; they are all counted."""

CSV: Final = "text/csv"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

authority = closed_router("imports", changes="register")
own = closed_router("imports")
"""What operators register themselves."""


def _handler(what: str) -> Callable[..., Awaitable[Response]]:
    async def handle(
        session: Asked, request: Request, query: Annotated[ImportQuery, Query()]
    ) -> Response:
        if what == "drivers":
            session.require("personal")
        pacing: Pacing = request.app.state.pacing
        try:
            async with pacing.table_reads:
                table = await asyncio.to_thread(read_table, await request.body(), query.sheet or "")
        except TableError as error:
            place = f"row {error.row}" if error.row else "body"
            raise Problem(
                "invalid_request", error.wrong, flaws=[Flaw(place, error.wrong)]
            ) from None
        found = Problems()
        zone = ZoneInfo(session.options.timezone)
        importing = TableImport(TABLES[what], table, "body", zone, found)
        await registering.note(session.conn, reason=query.reason or f"import of {what}")
        try:
            outcome = await importing.run(session.conn, dry_run=query.dry_run)
        except (FlawedError, AlreadyThereError, NotAllowedError) as error:
            raise_refused(error)
        if found.refused and not query.dry_run:
            flaws = [
                Flaw(f"body: row {problem.row}: {problem.column}", problem.wrong)
                for problem in found.kept[:MOST_SHOWN]
            ]
            detail = f"{found.refused} values are wrong, nothing was written"
            raise Problem("invalid_request", detail, flaws=flaws)
        session.noted.update(asdict(outcome))
        report = {
            "rows": len(table.rows),
            **asdict(outcome),
            "written": not query.dry_run,
            "problems": found.refused,
            "places": [
                {"row": problem.row, "column": problem.column, "wrong": problem.wrong}
                for problem in found.kept[:MOST_SHOWN]
            ],
        }
        return json_answer(report)

    return handle


def _add(router: APIRouter, what: str) -> None:
    example = ",".join(column.name for column in TABLES[what].columns) + "\n"
    sheet = {"schema": {"type": "string", "format": "binary"}}
    router.add_api_route(
        f"/imports/{what.replace('_', '-')}",
        _handler(what),
        methods=["POST"],
        name=f"import_{what}",
        summary=f"Import {what.replace('_', ' ')}",
        description="A table in CSV or XLSX, whose columns docs/registry-import.md shows. "
        "`dry_run=true` names everything that is wrong and says what would change.",
        response_model=ImportReport,
        responses=problems("already_there", "body_too_large", "malformed_request"),
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    CSV: {"schema": {"type": "string"}, "example": example},
                    XLSX: {**sheet, "example": "the bytes of a workbook"},
                },
            }
        },
    )


for _what in ("operators", "vehicles", "badges", "vehicle_routes", "stations", "calibrations"):
    _add(authority, _what)
for _what in ("devices", "assignments", "drivers"):
    _add(own, _what)
