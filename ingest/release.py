"""Release from the quarantine: what was set aside goes through the broker again.

The entries are marked and the messages published in one transaction that commits only after the
broker has them (docs/decisions/0004-release-through-the-broker.md).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection

from storage import quarantine as quarantine_table

PAGE = 500
"""Messages published and marked at a time: what is lost by a crash is sent twice, no more."""

Publish = Callable[[Sequence[tuple[str, bytes]]], Awaitable[None]]
"""Given (topic, payload) of some messages: returns when the broker has all of them, and raises if
there is one that it does not take."""


@dataclass(frozen=True, slots=True)
class Release:
    """How a release went. `cut`: messages of which the quarantine kept only a part."""

    released: int
    cut: int


async def release(
    conn: AsyncConnection,
    publish: Publish,
    *,
    reason: str | None = None,
    sender: str | None = None,
    ids: frozenset[int] | None = None,
    progress: Callable[[int], None] = lambda _count: None,
) -> Release:
    """Send through again what waits for a reason (None: for any), or only the given entries.

    sender: only what that one sent. Messages that were counted and not kept cannot come again.

    Entries that arrive while it runs are left alone, so that a message which is refused again
    does not go round in circles.
    """
    released = cut = after = 0
    last = await quarantine_table.newest(conn)
    while page := await quarantine_table.page(
        conn, reason=reason, sender=sender, after=after, limit=PAGE
    ):
        after = page[-1].id
        chosen = [e.id for e in page if e.id <= last and (ids is None or e.id in ids)]
        async with conn.transaction():
            messages = await quarantine_table.messages(conn, chosen)
            await quarantine_table.release(conn, [m.id for m in messages])
            await publish([(message.topic, message.payload) for message in messages])
        released += len(messages)
        cut += len(chosen) - len(messages)
        progress(released)
        if after >= last:
            break
    return Release(released, cut)
