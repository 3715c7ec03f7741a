"""Files beside the review of a violation."""

import base64
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import Path, Query, Request, Response

from api import reviewing
from api.access import Asked, Session, closed_router
from api.cursors import MOST_INTEGER
from api.encoding import Listed, json_answer
from api.models.access import Done
from api.models.reviews import Attachment, Attachments
from api.openapi import problems
from api.problems import Problem
from api.queries import AttachmentQuery
from api.resources.violations import ThisViolation
from storage.reviews import attachments
from storage.reviews.files import EXTENSIONS

router = closed_router("reviews", changes="read")

ThisAttachment = Annotated[
    int,
    Path(ge=1, le=MOST_INTEGER, description="Number of the file (an identity, no unit).",
         examples=[5]),
]  # fmt: skip

SANDBOX: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""Should anything show a file after all, no script of it runs, and it has no origin."""

BINARY: Final = {"type": "string", "format": "binary"}
UPLOAD: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The file itself. What it is, is told from its content.",
        "content": {
            "application/octet-stream": {"schema": BINARY, "example": "Lenh van chuyen so 17"}
        },
    }
}
DOWNLOAD: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file as it was added.",
        "content": {kind: {"schema": BINARY, "example": "..."} for kind in EXTENSIONS},
    }
}


@router.get(
    "/violations/{violation_id}/attachments",
    summary="List files of a violation",
    response_model=Attachments,
    responses=problems("violation_not_found"),
)
async def list_attachments(session: Asked, violation_id: ThisViolation) -> Response:
    """Files beside the review, in the order in which they came; for those who take part in it."""
    reviewing.require_part(session)
    await reviewing.standing(session, violation_id)
    return json_answer(Listed(await attachments.attachments(session.conn, violation_id), None))


@router.post(
    "/violations/{violation_id}/attachments",
    status_code=201,
    summary="Add a file to a violation",
    response_model=Attachment,
    responses=problems(
        "forbidden", "violation_not_found", "too_many_files", "body_too_large", "file_refused",
        "invalid_request",
    ),
    openapi_extra=UPLOAD,
)  # fmt: skip
async def make_attachment(
    request: Request,
    session: Asked,
    violation_id: ThisViolation,
    query: Annotated[AttachmentQuery, Query()],
) -> Response:
    """A JPEG, PNG, PDF or plain text (UTF-8). Its SHA-256 is kept, and it never changes.

    Whoever added it can take it back until the next step of the review, which leans on it.
    """
    reviewing.require_part(session)
    await reviewing.standing(session, violation_id)
    content = await request.body()
    most = session.options.most_attachment_bytes
    if len(content) > most:
        raise Problem("body_too_large", f"expected at most {most} bytes")
    room = attachments.Room(
        session.options.most_attachments, session.options.most_attachment_bytes_per_day
    )
    with reviewing.said_as_problems():
        number = await attachments.add(
            session.conn, violation_id, query.name, content, room, session.scope.operator_id
        )
    kept = await _found(session, violation_id, number)
    session.noted.update(attachment=number, sha256=kept.sha256)
    return json_answer(kept, 201)


@router.get(
    "/violations/{violation_id}/attachments/{attachment_id}",
    summary="Hand out a file of a violation",
    response_class=Response,
    responses={**DOWNLOAD, **problems("violation_not_found", "attachment_not_found")},
)
async def show_attachment(
    session: Asked, violation_id: ThisViolation, attachment_id: ThisAttachment
) -> Response:
    """The file as it was added, to be saved and not shown; for those who take part in the review.

    It may hold personal data: that it was handed out is written down. Files are not searched for
    viruses.
    """
    reviewing.require_part(session)
    await reviewing.standing(session, violation_id)
    kept = await _found(session, violation_id, attachment_id)
    content = await attachments.content(session.conn, violation_id, attachment_id)
    digest = base64.b64encode(bytes.fromhex(kept.sha256)).decode()
    # A Response would guess a charset; browsers must not guess anything.
    charset = "; charset=utf-8" if kept.type == "text/plain" else ""
    return Response(
        content,
        headers={
            "Content-Type": kept.type + charset,
            "Content-Disposition": _disposition(kept),
            "Content-Security-Policy": SANDBOX,
            "Repr-Digest": f"sha-256=:{digest}:",
        },
    )


@router.delete(
    "/violations/{violation_id}/attachments/{attachment_id}",
    summary="Take a file back",
    response_model=Done,
    responses=problems("violation_not_found", "attachment_not_found", "must_be_kept"),
)
async def delete_attachment(
    session: Asked, violation_id: ThisViolation, attachment_id: ThisAttachment
) -> Response:
    """It is gone, if nothing was done in the review since; only whoever added it takes it back."""
    reviewing.require_part(session)
    await reviewing.standing(session, violation_id)
    kept = await _found(session, violation_id, attachment_id)
    if not await attachments.remove(session.conn, violation_id, attachment_id):
        raise Problem("must_be_kept", "expected a file of your own, and no step since it came")
    session.noted.update(sha256=kept.sha256)
    return json_answer({"done": True})


async def _found(session: Session, violation: int, number: int) -> attachments.Attachment:
    for found in await attachments.attachments(session.conn, violation, number):
        return found
    raise Problem("attachment_not_found", f"file {number}: expected one of violation {violation}")


def _disposition(kept: attachments.Attachment) -> str:
    """To be saved, under its name (RFC 6266); for old clients, under one that is safe."""
    safe = f"attachment-{kept.id}{EXTENSIONS[kept.type][0]}"
    return f"attachment; filename=\"{safe}\"; filename*=UTF-8''{quote(kept.name, safe='')}"
