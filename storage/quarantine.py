"""The quarantine: messages that could not be used, whole, with the reason, until released.

Functions that write work in the caller's transaction. Instants are microseconds since 1970 UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, NamedTuple

import numpy as np
from psycopg import AsyncConnection

from storage.arrays import Instants, Int4s, Int8s, cursor
from storage.queries import queries
from storage.texts import storable_text

SQL = queries("quarantine")

MAX_PAYLOAD_BYTES: Final = 16 << 20
"""What is kept of a payload. Brokers pass on less than this by default, so that in practice every
message is whole; one that was cut cannot be released."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message to be quarantined. `at`, `detail`: where and what, as the codec said."""

    topic: str
    payload: bytes
    received: int
    reason: str
    at: int = 0
    detail: str = ""
    ident: str = ""


class Waiting(NamedTuple):
    """A message in the quarantine. `seen`: how often it came; `payload_bytes`: its full length."""

    id: int
    received: int
    topic: str
    payload_bytes: int
    reason: str
    at: int
    detail: str
    ident: str
    seen: int
    last_seen: int


class ReasonCount(NamedTuple):
    """How many messages wait for one reason, and how often they came."""

    reason: str
    messages: int
    seen: int
    first: int
    last: int


class Message(NamedTuple):
    """A message to be sent through once more."""

    id: int
    topic: str
    payload: bytes


async def insert(conn: AsyncConnection, entries: Sequence[Quarantined]) -> None:
    """Quarantine messages, one entry for each.

    A message (topic and payload) that waits already is counted, and bears its newest reason.
    """
    merged: dict[bytes, tuple[Quarantined, int, int]] = {}
    for entry in entries:
        digest = sha256(entry.topic.encode("utf-8", "replace") + b"\0" + entry.payload).digest()
        _, seen, last = merged.get(digest, (entry, 0, entry.received))
        first = merged[digest][0].received if digest in merged else entry.received
        merged[digest] = (
            replace(entry, received=min(first, entry.received)),
            seen + 1,
            max(last, entry.received),
        )
    if not merged:
        return
    kept = [entry for entry, _, _ in merged.values()]
    await cursor(conn).execute(
        SQL["insert"],
        {
            "received": Instants(np.array([e.received for e in kept], np.int64)),
            "topic": [storable_text(e.topic) for e in kept],
            "payload": [e.payload[:MAX_PAYLOAD_BYTES] for e in kept],
            "payload_bytes": Int4s(np.array([len(e.payload) for e in kept])),
            "reason": [storable_text(e.reason) for e in kept],
            "at": Int4s(np.array([min(e.at, 2**31 - 1) for e in kept])),
            "detail": [storable_text(e.detail) for e in kept],
            "ident": [storable_text(e.ident) for e in kept],
            "digest": list(merged),
            "seen": Int4s(np.array([seen for _, seen, _ in merged.values()])),
            "last_seen": Instants(np.array([last for _, _, last in merged.values()], np.int64)),
        },
    )


async def page(
    conn: AsyncConnection, *, reason: str | None = None, after: int = 0, limit: int = 100
) -> list[Waiting]:
    """What waits, oldest first: `limit` messages whose id is greater than `after`."""
    cur = cursor(conn)
    await cur.execute(SQL["page"], {"reason": reason, "after": after, "limit": limit})
    return [Waiting(*row) for row in await cur.fetchall()]


async def counts(conn: AsyncConnection) -> list[ReasonCount]:
    """How many wait, by reason, the most frequent first."""
    cur = cursor(conn)
    await cur.execute(SQL["counts"])
    return [ReasonCount(*row) for row in await cur.fetchall()]


async def messages(conn: AsyncConnection, ids: Sequence[int]) -> list[Message]:
    """Waiting messages with their bytes, oldest first; cut ones are left out."""
    cur = cursor(conn)
    await cur.execute(SQL["payloads"], {"id": Int8s(np.array(ids, np.int64))})
    return [Message(*row) for row in await cur.fetchall()]


async def release(conn: AsyncConnection, ids: Sequence[int]) -> int:
    """Note that messages were sent through once more. Returns how many still waited.

    Should one fail again, it is quarantined anew.
    """
    cur = cursor(conn)
    await cur.execute(SQL["release"], {"id": Int8s(np.array(ids, np.int64))})
    return cur.rowcount


async def newest(conn: AsyncConnection) -> int:
    """The id of the newest message that waits, 0 if none does."""
    row = await (await conn.execute(SQL["newest"])).fetchone()
    assert row is not None
    return int(row[0])
