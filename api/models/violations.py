"""Violations, their evidence and their earlier versions."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.models.base import Instant, Lat, Lon, Model, NextCursor
from api.models.journeys import FIX, Fix
from api.models.weighings import Weighing
from storage.reading.violations import Review, Status

VIOLATION: JsonDict = {
    "id": 42,
    "kind": "speeding",
    "subject": "",
    "rule_profile": "qcvn31",
    "vehicle_id": 17,
    "plate": "51B12345",
    "operator": "phuong-nam",
    "driver": "790123456789",
    "started_at": "2026-05-04T08:00:00.000Z",
    "ended_at": "2026-05-04T08:01:30.000Z",
    "duration_s": 90.0,
    "distance_m": 2310.4,
    "fixes": 4,
    "start_lon": 106.70098,
    "start_lat": 10.77689,
    "end_lon": 106.71811,
    "end_lat": 10.78902,
    "details": {
        "max_speed_kmh": 97.0,
        "mean_speed_kmh": 92.4,
        "limit_kmh": 80.0,
        "limit_source": "vehicle",
        "max_excess_kmh": 17.0,
        "band": "10_20",
    },
    "status": "final",
    "version": 1,
    "review": "new",
    "revised_under_review": False,
    "review_number": 0,
    "proposal": None,
    "first_seen_at": "2026-05-04T08:00:31.102Z",
    "changed_at": "2026-05-04T08:02:01.377Z",
}
DETAILS = (
    "What the rule itself has to say (docs/rules.md); the end of each name is its unit: "
    "_kmh, _m, _s, _kg, _percent."
)


class Violation(Model):
    """An interval in which a vehicle broke a rule."""

    model_config = ConfigDict(json_schema_extra={"examples": [VIOLATION]})

    id: Annotated[int, Field(description="Number of the violation (an identity, no unit).")]
    kind: Annotated[str, Field(description="The rule that was broken (docs/rules.md).")]
    subject: Annotated[
        str,
        Field(
            description="Code of the zone, route or weigh station it is about, or the map's id of "
            "the road; empty: none."
        ),
    ]
    rule_profile: Annotated[str, Field(description="The rule profile that found it.")]
    vehicle_id: Annotated[int, Field(description="Number of the vehicle (an identity, no unit).")]
    plate: Annotated[str, Field(description="Plate, letters and digits only.")]
    operator: Annotated[str, Field(description="Code of the operator.")]
    driver: Annotated[
        str | None,
        Field(description="Licence number of the driver, or its end; null: unknown, or not yours."),
    ]
    started_at: Annotated[Instant, Field(description="First fix, UTC.")]
    ended_at: Annotated[Instant, Field(description="Last fix so far, UTC.")]
    duration_s: Annotated[float, Field(description="From the first to the last fix, seconds.")]
    distance_m: Annotated[float, Field(description="Driven in it, metres.")]
    fixes: Annotated[int, Field(description="Clean fixes in it (count).")]
    start_lon: Annotated[Lon, Field(description="Longitude of the first fix, degrees WGS 84.")]
    start_lat: Annotated[Lat, Field(description="Latitude of the first fix, degrees WGS 84.")]
    end_lon: Annotated[Lon, Field(description="Longitude of the last fix, degrees WGS 84.")]
    end_lat: Annotated[Lat, Field(description="Latitude of the last fix, degrees WGS 84.")]
    details: Annotated[dict[str, Any], Field(description=DETAILS)]
    status: Annotated[
        Status,
        Field(
            description="open: still going on; final; revised: changed by late data; "
            "withdrawn: late data showed that there was none."
        ),
    ]
    version: Annotated[int, Field(description="Version of the facts (a count from 1).")]
    review: Annotated[Review, Field(description="What people made of it.")]
    revised_under_review: Annotated[
        bool, Field(description="The facts changed after people had judged them.")
    ]
    review_number: Annotated[
        int, Field(description="What has happened to the review, steps and files (count).")
    ]
    proposal: Annotated[
        int | None,
        Field(description="Number of the step (a count from 1) that waits for a second person."),
    ]
    first_seen_at: Annotated[Instant, Field(description="When it was first found, UTC.")]
    changed_at: Annotated[Instant, Field(description="When it last changed, UTC.")]


class ViolationPage(Model):
    """Violations, newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [VIOLATION], "next_cursor": None}]}
    )

    items: Annotated[list[Violation], Field(description="Violations.")]
    next_cursor: NextCursor


class EvidenceFix(Fix):
    """A fix that a violation rests on."""

    role: Annotated[
        Literal["before", "inside", "after"],
        Field(description="inside: of the interval; before, after: its nearest clean neighbours."),
    ]


class Evidence(Model):
    """What a violation rests on."""

    fixes: Annotated[
        list[EvidenceFix],
        Field(description="Stored fixes of the interval and one on either side, in time order."),
    ]
    is_truncated: Annotated[
        bool, Field(description="The interval has more fixes; the journey shows them all.")
    ]
    weighings: Annotated[
        list[Weighing], Field(description="The weighing that was judged, for overloads.")
    ]


class Version(Model):
    """Facts of a violation that a later version has superseded."""

    version: Annotated[int, Field(description="Version of the facts (a count from 1).")]
    superseded_at: Annotated[Instant, Field(description="When it was superseded, UTC.")]
    superseded_by: Annotated[str, Field(description="Who did it: worker, or a person.")]
    reason: Annotated[str, Field(description="Why.")]
    started_at: Annotated[Instant | None, Field(description="First fix, UTC.")]
    ended_at: Annotated[Instant | None, Field(description="Last fix, UTC.")]
    duration_s: Annotated[float | None, Field(description="Between them, seconds.")]
    distance_m: Annotated[float | None, Field(description="Driven in it, metres.")]
    fixes: Annotated[int | None, Field(description="Clean fixes in it (count).")]
    rule_profile: Annotated[str | None, Field(description="The rule profile that found it.")]
    status: Annotated[str | None, Field(description="Its status at that time.")]
    details: Annotated[dict[str, Any], Field(description=DETAILS)]


class ViolationDetail(Violation):
    """A violation with its evidence and history."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **VIOLATION,
                    "evidence": {
                        "fixes": [{**FIX, "role": "inside"}],
                        "is_truncated": False,
                        "weighings": [],
                    },
                    "versions": [],
                }
            ]
        }
    )

    evidence: Annotated[Evidence, Field(description="What it rests on.")]
    versions: Annotated[list[Version], Field(description="Earlier versions, newest first.")]
