"""The service itself: its health, its quarantine, and its problems."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from api.models.base import Instant, Model


class Health(Model):
    """The process lives."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "alive"}]})

    status: Annotated[Literal["alive"], Field(description="Always alive, or there is no answer.")]


class Readiness(Model):
    """The process can answer."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ready"}]})

    status: Annotated[
        Literal["ready"],
        Field(description="The database answers, and its schema is the right one."),
    ]


class QuarantineReason(Model):
    """Payloads that were refused for one reason and not released."""

    reason: Annotated[str, Field(description="Why (docs/codecs.md).")]
    payloads: Annotated[int, Field(description="Different payloads (count).")]
    seen: Annotated[int, Field(description="Times that any of them arrived (count).")]
    first_received: Annotated[Instant, Field(description="When the first arrived, UTC.")]
    last_seen: Annotated[Instant, Field(description="When one last arrived, UTC.")]


class QuarantineSummary(Model):
    """What waits in the quarantine, by reason."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "reason": "unknown_device",
                            "payloads": 12,
                            "seen": 4031,
                            "first_received": "2026-05-04T08:00:01.250Z",
                            "last_seen": "2026-05-04T09:14:55.003Z",
                        }
                    ],
                    "next_cursor": None,
                }
            ]
        }
    )

    items: Annotated[list[QuarantineReason], Field(description="The most frequent first.")]
    next_cursor: Annotated[None, Field(description="Always null: there is one page.")]


class QuarantineGroup(Model):
    """What one sender sent that could not be used for one reason."""

    reason: Annotated[str, Field(description="Why (docs/codecs.md).")]
    sender: Annotated[
        str,
        Field(description="Whom the topic names; else the topic; *: all others of a full hour."),
    ]
    messages: Annotated[int, Field(description="Messages that arrived (count).")]
    payload_bytes: Annotated[int, Field(description="Their payloads together, bytes.")]
    kept: Annotated[int, Field(description="Of them, those that were kept (count).")]
    waiting: Annotated[int, Field(description="Kept ones that wait for their release now (count).")]
    first_received: Annotated[Instant, Field(description="When the first arrived, UTC.")]
    last_seen: Annotated[Instant, Field(description="When the last arrived, UTC.")]


class QuarantineGroups(Model):
    """What could not be used, by reason and sender."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "reason": "bad_checksum",
                            "sender": "352093081429150",
                            "messages": 1000000,
                            "payload_bytes": 61000000,
                            "kept": 1100,
                            "waiting": 1100,
                            "first_received": "2026-05-04T08:00:01.250Z",
                            "last_seen": "2026-05-04T08:42:10.118Z",
                        }
                    ],
                    "next_cursor": None,
                }
            ]
        }
    )

    items: Annotated[list[QuarantineGroup], Field(description="The most frequent first.")]
    next_cursor: Annotated[None, Field(description="Always null: there is one page.")]


class Flaw(Model):
    """One value that is not what it should be."""

    location: Annotated[str, Field(description="Where it stands, such as query.limit.")]
    expected: Annotated[str, Field(description="What was expected there.")]


class ProblemDetails(Model):
    """What went wrong (RFC 9457)."""

    type: Annotated[str, Field(description="URN of the kind of problem.")]
    title: Annotated[str, Field(description="The kind of problem in words.")]
    status: Annotated[int, Field(description="HTTP status (a code, no unit).")]
    detail: Annotated[str, Field(description="This problem in words: what was expected.")]
    instance: Annotated[str, Field(description="Path of the request.")]
    code: Annotated[str, Field(description="Stable name of the kind of problem (docs/api.md).")]
    errors: Annotated[
        list[Flaw],
        Field(default_factory=list, description="The values at fault, where there are any."),
    ]
