"""Drivers, as far as the caller may know who they are, and what is held about them."""

from datetime import date
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.models.base import Instant, Model, NextCursor

Operator = Annotated[str | None, Field(description="Code of whom the driver drives for.")]


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


DRIVER: JsonDict = {
    "id": 3, "licence": "790000000001", "name": "An", "operator": "north", "licence_class": "FC",
    "licence_until": "2028-11-30", "retired_at": None, "erased_at": None, "version": 1,
}  # fmt: skip


class Driver(Model):
    """A driver; name and licence are masked unless the caller's role needs them."""

    model_config = _example(**DRIVER)

    id: Annotated[int, Field(description="Number of the driver (an identity, no unit).")]
    licence: Annotated[str, Field(description="Driving licence, or the end of it.")]
    name: Annotated[str | None, Field(description="Name, or the beginning of it.")]
    operator: Operator
    licence_class: Annotated[str | None, Field(description="What it allows to be driven.")]
    licence_until: Annotated[date | None, Field(description="Last day of the licence.")]
    retired_at: Annotated[Instant | None, Field(description="Drives no longer since, UTC.")]
    erased_at: Annotated[Instant | None, Field(description="When the person was erased, UTC.")]
    version: Annotated[int, Field(description="Changes (a count from 1).")]


class DriverPage(Model):
    """A page of drivers."""

    model_config = _example(
        items=[{**DRIVER, "licence": "*********001", "name": "A***"}], next_cursor=None
    )

    items: Annotated[list[Driver], Field(description="In order of their number.")]
    next_cursor: NextCursor


class DrivenSpan(Model):
    """A stretch of driving."""

    plate: Annotated[str, Field(description="Plate of the vehicle.")]
    started_at: Annotated[Instant, Field(description="When it began, UTC.")]
    ended_at: Annotated[Instant, Field(description="When it ended, or its last known fix, UTC.")]
    is_open: Annotated[bool, Field(description="It is going on.")]
    distance_m: Annotated[float, Field(description="Distance, metres.")]


class DriverViolation(Model):
    """A violation that names the driver."""

    id: Annotated[int, Field(description="Number of the violation (an identity, no unit).")]
    kind: Annotated[str, Field(description="Kind (docs/rules.md).")]
    plate: Annotated[str, Field(description="Plate of the vehicle.")]
    started_at: Annotated[Instant, Field(description="When it began, UTC.")]
    ended_at: Annotated[Instant, Field(description="When it ended, UTC.")]
    status: Annotated[str, Field(description="open, final, revised or withdrawn.")]
    review: Annotated[str, Field(description="What became of it.")]


class DriverRow(Model):
    """A driver as the registry has it; without who it is where the caller's role needs it not."""

    id: Annotated[int, Field(description="Number of the driver (an identity, no unit).")]
    licence: Annotated[str | None, Field(description="Driving licence.")]
    name: Annotated[str | None, Field(description="Name.")]
    operator_id: Annotated[
        int | None, Field(description="Number of the operator (an identity, no unit).")
    ]
    licence_class: Annotated[str | None, Field(description="What it allows to be driven.")]
    licence_until: Annotated[date | None, Field(description="Last day of the licence.")]
    retired_at: Annotated[Instant | None, Field(description="Drives no longer since.")]
    erased_at: Annotated[Instant | None, Field(description="When the person was erased.")]
    version: Annotated[int, Field(description="Changes (a count from 1).")]


class DriverChange(Model):
    """One change of what is registered of a driver."""

    id: Annotated[int, Field(description="Place in the history (an identity, no unit).")]
    at: Annotated[Instant, Field(description="When, UTC.")]
    actor: Annotated[str, Field(description="Who: a person, a key, a command.")]
    reason: Annotated[str, Field(description="Why; empty where nothing was said.")]
    action: Annotated[str, Field(description="made, changed or deleted.")]
    before: Annotated[DriverRow | None, Field(description="What it was; null: it was made.")]
    after: Annotated[DriverRow | None, Field(description="What it became.")]


class DriverHistory(Model):
    """A page of a driver's history."""

    model_config = _example(
        items=[
            {
                "id": 7, "at": "2026-05-04T08:00:00.000Z", "actor": "person chi", "reason": "",
                "action": "made", "before": None,
                "after": {
                    "id": 3, "licence": "790000000001", "name": "An", "operator_id": 1,
                    "licence_class": "FC", "licence_until": "2028-11-30", "retired_at": None,
                    "erased_at": None, "version": 1,
                },
            }
        ],
        next_cursor=None,
    )  # fmt: skip

    items: Annotated[list[DriverChange], Field(description="The newest first.")]
    next_cursor: NextCursor


class DriverReview(Model):
    """What somebody did, and wrote, in the review of a violation that names the driver."""

    violation: Annotated[int, Field(description="Number of the violation (an identity, no unit).")]
    at: Annotated[Instant, Field(description="When, UTC.")]
    act: Annotated[str, Field(description="taken, proposed, agreed, refused or withdrawn.")]
    step: Annotated[str, Field(description="Which step (docs/reviews.md).")]
    reason: Annotated[str, Field(description="Code of the reason; empty where there is none.")]
    text: Annotated[str | None, Field(description="Words; empty where there are none.")]
    role: Annotated[str, Field(description="Role of who did it.")]


class DriverAttachment(Model):
    """A file beside such a review, handed out by `/violations/{violation}/attachments/{id}`."""

    violation: Annotated[int, Field(description="Number of the violation (an identity, no unit).")]
    id: Annotated[int, Field(description="Number of the file (an identity, no unit).")]
    added_at: Annotated[Instant, Field(description="When it was added, UTC.")]
    name: Annotated[str, Field(description="Its name.")]
    type: Annotated[str, Field(description="Its media type.")]
    bytes: Annotated[int, Field(description="Its size, bytes.")]
    sha256: Annotated[str, Field(description="SHA-256 of its content, hexadecimal.")]


class DriverMark(Model):
    """What a format carried beside fixes and weighings while the driver drove: a key, a card."""

    key: Annotated[str, Field(description="What the format calls it.")]
    value: Annotated[str, Field(description="What it was.")]
    times: Annotated[int, Field(description="How often it came (count).")]
    first_at: Annotated[Instant, Field(description="When first, UTC.")]
    last_at: Annotated[Instant, Field(description="When last, UTC.")]


class DriverMessage(Model):
    """A message that could not be used and has the driver's number, or a card, in its bytes."""

    id: Annotated[int, Field(description="Number of the message (an identity, no unit).")]
    received: Annotated[Instant, Field(description="When it came first, UTC.")]
    last_seen: Annotated[Instant, Field(description="When it came last, UTC.")]
    topic: Annotated[str, Field(description="Topic, which says from whom.")]
    reason: Annotated[str, Field(description="Why it could not be used.")]
    payload_bytes: Annotated[int, Field(description="Its size, bytes.")]
    digest: Annotated[
        str, Field(description="SHA-256 of topic, a zero byte and the message, hexadecimal.")
    ]
    skipped: Annotated[int, Field(description="Size of what lies before the excerpt, bytes.")]
    excerpt: Annotated[str, Field(description="Its bytes in base64, 4 KiB at most.")]


class DriverFile(Model):
    """All that is held about a driver, for the driver."""

    model_config = _example(
        driver=DRIVER, driving=[], violations=[], reviews=[], files=[], marks=[], quarantined=[],
        history=[], is_truncated=False,
    )  # fmt: skip

    driver: Annotated[Driver, Field(description="Who it is.")]
    driving: Annotated[list[DrivenSpan], Field(description="When and what, newest first.")]
    violations: Annotated[list[DriverViolation], Field(description="Newest first.")]
    reviews: Annotated[list[DriverReview], Field(description="Of these, newest first.")]
    files: Annotated[list[DriverAttachment], Field(description="Of these, newest first.")]
    marks: Annotated[
        list[DriverMark], Field(description="What may tell, beside fixes and weighings, who drove.")
    ]
    quarantined: Annotated[
        list[DriverMessage] | None,
        Field(
            description="Messages that nobody could read and that name the driver, oldest first; "
            "null where the caller may not see the quarantine."
        ),
    ]
    history: Annotated[
        list[DriverChange], Field(description="What was registered of the driver, newest first.")
    ]
    is_truncated: Annotated[
        bool, Field(description="There is more: than 50,000 of a kind, or 1,000 messages.")
    ]
