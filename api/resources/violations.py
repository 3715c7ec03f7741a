"""Violations, newest first, and one of them with its evidence."""

from typing import Annotated

import msgspec
from fastapi import Path, Query, Response

from api.access import Asked, closed_router
from api.cursors import MOST_INTEGER, encode_cursor, time_cursor
from api.encoding import Listed, json_answer
from api.models.violations import ViolationDetail, ViolationPage
from api.openapi import problems
from api.problems import Problem
from api.queries import ViolationQuery
from api.reviewing import etag
from storage.reading import journeys, violations, weighings
from storage.reading.violations import STANDING, Version, Violation, ViolationFilter
from storage.reading.weighings import Weighing

router = closed_router("violations")

ThisViolation = Annotated[
    int,
    Path(
        ge=1,
        le=MOST_INTEGER,
        description="Number of the violation (an identity, no unit).",
        examples=[42],
    ),
]


class Evidence(msgspec.Struct, frozen=True):
    fixes: list[journeys.EvidenceFix]
    is_truncated: bool
    weighings: list[Weighing]


class ViolationWithEvidence(Violation, frozen=True):
    evidence: Evidence
    versions: list[Version]


@router.get(
    "/violations",
    summary="List violations",
    response_model=ViolationPage,
    responses=problems("invalid_request", "cursor_invalid"),
)
async def list_violations(session: Asked, query: Annotated[ViolationQuery, Query()]) -> Response:
    """Violations that began in the window, newest first.

    Violations that are found while pages are being read neither shift nor repeat what follows.
    """
    wanted = ViolationFilter(
        kinds=query.kind or None,
        vehicle=query.vehicle,
        operator=query.operator,
        subject=query.subject,
        start=query.start,
        end=query.end,
        statuses=query.status or STANDING,
        reviews=query.review or None,
        is_flagged=query.flagged,
        is_proposed=query.proposed,
        min_duration_s=query.min_duration_s,
    )
    before = time_cursor("violations", query.cursor)
    page = await violations.violations(session.conn, wanted, before=before, limit=query.limit)
    cursor = None if page.last is None else encode_cursor("violations", *page.last)
    return json_answer(Listed(page.rows, cursor))


@router.get(
    "/violations/{violation_id}",
    summary="Show a violation with its evidence",
    response_model=ViolationDetail,
    responses=problems("violation_not_found"),
)
async def show_violation(session: Asked, violation_id: ThisViolation) -> Response:
    """A violation, the fixes or the weighing that it rests on, and its earlier versions.

    A step of its review names the `ETag` that comes with it.
    """
    found = await violations.violation(session.conn, violation_id)
    if found is None:
        raise Problem(
            "violation_not_found", f"violation {violation_id}: expected one that you may see"
        )
    violation, (started_us, ended_us) = found
    fixes, is_truncated = await journeys.evidence(
        session.conn,
        violation.vehicle_id,
        started_us,
        ended_us,
        most=session.options.most_evidence_fixes,
    )
    weighed: list[Weighing] = []
    if violation.kind.startswith("overload_"):
        weighed = await weighings.weighings_at(
            session.conn, violation.vehicle_id, violation.subject, started_us
        )
    shown = ViolationWithEvidence(
        **msgspec.structs.asdict(violation),
        evidence=Evidence(fixes, is_truncated, weighed),
        versions=await violations.versions(session.conn, violation_id),
    )
    return json_answer(shown, headers=etag(violation.version, violation.review_number))
