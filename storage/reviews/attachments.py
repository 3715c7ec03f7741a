"""Files beside a review, in the database: they are small, few, and go where the evidence goes.

Everything runs in the caller's transaction, with its rights.
"""

from hashlib import sha256
from typing import Any

import msgspec
from psycopg import AsyncConnection

from storage.errors import ReviewError
from storage.queries import queries
from storage.reading.loading import rows_of
from storage.reviews.files import format_of, name_for

SQL = queries("reviews")


class Attachment(msgspec.Struct, frozen=True):
    """What is known of a file. by: None where it is not the caller's to know."""

    id: int
    number: int
    added_at: str
    name: str
    type: str
    bytes: int
    sha256: str
    by: str | None
    role: str
    operator: str | None


class Room(msgspec.Struct, frozen=True):
    """How much may be added: files of a violation, bytes of an operator in a day."""

    files: int
    bytes_per_day: int


async def add(
    conn: AsyncConnection[Any],
    violation: int,
    name: str,
    content: bytes,
    room: Room,
    operator_id: int | None,
) -> int:
    """Keep a file of a violation that the caller sees; its number. Raises ReviewError.

    Of several at once each waits for the one before to be kept, and is counted with it.
    """
    media_type = format_of(content)
    whose = {"violation": violation, "operator": operator_id}
    # A statement of its own: the next one sees what was committed while this one waited.
    await conn.execute(SQL["take_turn"], whose)
    found = await conn.execute(SQL["room"], whose)
    row = await found.fetchone()
    assert row is not None
    files, today = row
    if files >= room.files:
        raise ReviewError("too_many_files", f"expected at most {room.files} files of a violation")
    if today + len(content) > room.bytes_per_day:
        raise ReviewError(
            "too_many_files", f"expected at most {room.bytes_per_day} bytes of an operator in a day"
        )
    kept = await conn.execute(
        SQL["add"],
        {
            "violation": violation,
            "name": name_for(name, media_type),
            "type": media_type,
            "bytes": len(content),
            "sha256": sha256(content).digest(),
            "content": content,
        },
    )
    [(number,)] = await kept.fetchall()
    return int(number)


async def attachments(
    conn: AsyncConnection[Any], violation: int, attachment: int | None = None
) -> list[Attachment]:
    """Files of a violation in the order in which they came; attachment: only that."""
    found = rows_of(conn, Attachment)
    await found.execute(SQL["attachments"], {"violation": violation, "attachment": attachment})
    return await found.fetchall()


async def content(conn: AsyncConnection[Any], violation: int, attachment: int) -> bytes | None:
    """What is in a file; None: there is none that the caller may see."""
    found = await conn.cursor(binary=True).execute(
        SQL["content"], {"violation": violation, "attachment": attachment}
    )
    row = await found.fetchone()
    return None if row is None else bytes(row[0])


async def remove(conn: AsyncConnection[Any], violation: int, attachment: int) -> bool:
    """Take a file back. Returns whether it was the caller's, and nothing leaned on it yet."""
    found = await conn.execute(SQL["remove"], {"violation": violation, "attachment": attachment})
    return found.rowcount == 1
