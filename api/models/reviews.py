"""Reviews: the steps of one, what is asked, and the files beside it."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from api.models.base import Instant, Model, NextCursor
from storage.access.roles import ROLES, Role
from storage.reading.violations import Review
from storage.reviews.files import EXTENSIONS
from storage.reviews.moves import Act, Step, What
from storage.reviews.reasons import LONGEST_TEXT, REASONS

WRITTEN = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
"""No control characters, nor those that turn the direction of what stands beside them."""

FILE_NAME = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069/\\]*$"

ETAG = r'^(W/)?"?\d{1,10}-\d{1,10}"?$'

ReasonCode = Annotated[
    str,
    Field(
        max_length=40,
        pattern=r"^[a-z_]*$",
        description="Why, by code (docs/reviews.md): of " + ", ".join(REASONS) + "; empty: none.",
        json_schema_extra={"enum": ["", *REASONS]},
    ),
]
Words = Annotated[
    str,
    StringConstraints(max_length=LONGEST_TEXT, pattern=WRITTEN),
    Field(description="Why, in words; empty: none."),
]
StepOrAnswer = Annotated[
    What,
    Field(
        description="acknowledge, appeal: of the operator; excuse, confirm, dismiss: of the "
        "authority; agree, refuse, withdraw: about what is proposed."
    ),
]
OfViolation = Annotated[
    int, Field(ge=1, lt=1 << 63, description="Number of the violation (an identity, no unit).")
]


class NewStep(Model):
    """What is to be done with a violation, and why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"step": "confirm", "reason": "evidence_stands", "text": ""}]
        }
    )

    step: StepOrAnswer
    reason: ReasonCode = ""
    text: Words = ""


REVIEW: JsonDict = {
    "number": 2, "at": "2026-05-05T02:11:09.512Z", "act": "taken", "step": "confirm",
    "from_state": "acknowledged", "to_state": "confirmed", "version": 1,
    "reason": "evidence_stands", "text": "", "by": "person binh", "role": "inspector",
    "operator": None, "province": "Ha Noi",
}  # fmt: skip


class TakenStep(Model):
    """What somebody did in a review."""

    model_config = ConfigDict(json_schema_extra={"examples": [REVIEW]})

    number: Annotated[
        int, Field(description="Its place among what happened to the review (a count from 1).")
    ]
    at: Annotated[Instant, Field(description="When, UTC.")]
    act: Annotated[
        Act,
        Field(
            description="taken: took effect at once; proposed: waits for another person; agreed: "
            "took effect; refused, withdrawn: will not."
        ),
    ]
    step: Annotated[Step, Field(description="What was done or proposed.")]
    from_state: Annotated[Review, Field(description="State of the review before.")]
    to_state: Annotated[
        Review, Field(description="Where the step leads; it went there if taken or agreed.")
    ]
    version: Annotated[
        int, Field(description="Version of the facts that were judged (a count from 1).")
    ]
    reason: Annotated[str, Field(description="Why, by code; empty: none.")]
    text: Annotated[
        str | None, Field(description="Why, in words; null: for those who take part in reviews.")
    ]
    by: Annotated[
        str | None,
        Field(description="Who: a person or a key; null: somebody of an authority or operator."),
    ]
    role: Annotated[Role, Field(description=f"Whose role: of {', '.join(ROLES)}.")]
    operator: Annotated[str | None, Field(description="Code of the operator of who did it.")]
    province: Annotated[str | None, Field(description="Province of who did it; null: none.")]


class ReviewHistory(Model):
    """What happened to a review, and what may happen next."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"items": [REVIEW], "possible": ["appeal"], "next_cursor": None}]
        }
    )

    items: Annotated[list[TakenStep], Field(description="The newest first, 1,000 at most.")]
    possible: Annotated[
        list[What], Field(description="What the caller may do next, with the right why.")
    ]
    next_cursor: Annotated[None, Field(description="Always null: there is one page.")]


class StepOfMany(NewStep):
    """A step on one of several violations."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"violation": 42, "etag": "1-0", "step": "acknowledge", "reason": "", "text": ""}
            ]
        }
    )

    violation: OfViolation
    etag: Annotated[
        str,
        Field(pattern=ETAG, max_length=30, description="The violation's ETag, as it was read."),
    ]


class NewSteps(Model):
    """Steps on several violations, each for itself."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"steps": [{"violation": 42, "etag": "1-0", "step": "acknowledge"}]}]
        }
    )

    steps: Annotated[
        list[StepOfMany], Field(min_length=1, max_length=100, description="At most 100.")
    ]


class StepOutcome(Model):
    """What came of a step on one violation."""

    violation: OfViolation
    act: Annotated[Act | None, Field(description="What was done; null: nothing.")]
    review: Annotated[
        Review | None, Field(description="State of the review now; null: nothing was done.")
    ]
    etag: Annotated[
        str | None, Field(description="The violation's ETag now; null: nothing was done.")
    ]
    code: Annotated[str | None, Field(description="Why nothing was done: the problem's code.")]
    detail: Annotated[str | None, Field(description="And what was expected.")]


class StepOutcomes(Model):
    """What came of steps on several violations."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {"violation": 42, "act": "taken", "review": "acknowledged", "etag": "1-1",
                         "code": None, "detail": None}
                    ]
                }
            ]
        }
    )  # fmt: skip

    items: Annotated[list[StepOutcome], Field(description="In the order of what was asked.")]


ATTACHMENT: JsonDict = {
    "id": 5, "number": 1, "added_at": "2026-05-05T01:40:00.000Z", "name": "lenh-van-chuyen.pdf",
    "type": "application/pdf", "bytes": 48211,
    "sha256": "9f0c4f0e7a0d6f3b1c5e8a2d4f6b8c0e1a3c5e7f9b1d3f5a7c9e0b2d4f6a8c0e",
    "by": "person chi", "role": "operator", "operator": "north",
}  # fmt: skip


class Attachment(Model):
    """A file that somebody added."""

    model_config = ConfigDict(json_schema_extra={"examples": [ATTACHMENT]})

    id: Annotated[int, Field(description="Number of the file (an identity, no unit).")]
    number: Annotated[
        int, Field(description="Its place among what happened to the review (a count from 1).")
    ]
    added_at: Annotated[Instant, Field(description="When, UTC.")]
    name: Annotated[str, Field(description="Its name, with the ending of what it is.")]
    type: Annotated[
        Literal["image/jpeg", "image/png", "application/pdf", "text/plain"],
        Field(description=f"What it is, by its content: of {', '.join(EXTENSIONS)}."),
    ]
    bytes: Annotated[int, Field(description="Its size, bytes.")]
    sha256: Annotated[str, Field(description="SHA-256 of its content, hexadecimal.")]
    by: Annotated[
        str | None,
        Field(description="Who: a person or a key; null: somebody of an authority or operator."),
    ]
    role: Annotated[Role, Field(description=f"Whose role: of {', '.join(ROLES)}.")]
    operator: Annotated[str | None, Field(description="Code of the operator of who added it.")]


class Attachments(Model):
    """Files beside a review."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [ATTACHMENT], "next_cursor": None}]}
    )

    items: Annotated[list[Attachment], Field(description="In the order in which they came.")]
    next_cursor: NextCursor
