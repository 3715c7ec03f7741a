"""The quarantine: messages that could not be used, counted all, kept whole within limits.

Functions that write work in the caller's transaction. Instants are microseconds since 1970 UTC.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from socket import gethostname
from typing import Any, Final, NamedTuple

import numpy as np
from psycopg import AsyncConnection

from devices.describe import rfc3339
from storage.access import audit
from storage.access.audit import Act
from storage.arrays import Instant, Instants, Int4s, Int8s, cursor
from storage.quarantine_limits import Before, Limits, choose
from storage.queries import queries
from storage.texts import storable_text
from storage.wire import BEGINNING_US

SQL = queries("quarantine")

DEFAULT_LIMITS: Final = Limits()

MENDABLE: Final = frozenset({"unknown_device", "unknown_plate", "unknown_station"})
"""Reasons that registering somebody mends: what waits for them is worth more."""

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US

MOST_GROUPS: Final = 20_000
"""Groups of one hour that are counted one by one: 4 MB of rows."""

OTHERS: Final = "*"
"""The sender of all others then; no topic names it."""

CLEAN_ROWS: Final = 5000

MAX_PAYLOAD_BYTES: Final = 16 << 20
"""What is kept of a payload. Brokers pass on less than this by default, so that in practice every
message is whole; one that was cut cannot be released."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message to be quarantined. `at`, `detail`: where and what, as the codec said.

    ident: who is in doubt, which may be a plate. sender: whom the topic names; "": the ident.
    """

    topic: str
    payload: bytes
    received: int
    reason: str
    at: int = 0
    detail: str = ""
    ident: str = ""
    sender: str = ""


@dataclass(slots=True)
class _Arrived:
    """A message of a batch: how often it came, first and last; `entry` as it came last."""

    digest: bytes
    entry: Quarantined
    seen: int
    first: int
    last: int


class GroupKey(NamedTuple):
    """What is counted together. `hour`: its beginning."""

    hour: int
    reason: str
    sender: str


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days entries are kept once they were released, while they wait, and counts."""

    released_days: int = 7
    waiting_days: int = 90
    counts_days: int = 730


DEFAULT_RETENTION: Final = Retention()


class Cleaned(NamedTuple):
    """How many entries, and rows of counts, were deleted."""

    released: int
    waiting: int
    counts: int


class Group(NamedTuple):
    """What one sender sent that could not be used for one reason.

    messages: all arrivals, of payload_bytes together. kept: of them became entries. repeats: of
    them repeated one. waiting: entries that were not released yet, as of now.
    """

    reason: str
    sender: str
    messages: int
    payload_bytes: int
    kept: int
    repeats: int
    waiting: int
    first: int
    last: int


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


async def insert(
    conn: AsyncConnection, entries: Sequence[Quarantined], limits: Limits = DEFAULT_LIMITS
) -> None:
    """Quarantine messages: count every one, keep what the limits allow.

    A message (topic and payload) that waits already is counted there, and bears its newest reason.
    """
    arrived = _merged(entries)
    if not arrived:
        return
    waiting = await _count_repeats(conn, arrived)
    groups = await _grouped(conn, arrived)
    chosen: list[tuple[_Arrived, int]] = []
    before = await _count(conn, groups, waiting)
    kept: list[tuple[GroupKey, int, int]] = []
    for key, members in groups.items():
        new = [member for member in members if member.digest not in waiting]
        most = limits.mendable if key.reason in MENDABLE else limits.messages
        sizes = [min(len(member.entry.payload), MAX_PAYLOAD_BYTES) for member in new]
        choice = choose(sizes, before[key], most, limits.payload_bytes)
        chosen += [
            (new[index], length) for index, length in zip(choice.rows, choice.lengths, strict=True)
        ]
        kept.append((key, len(choice.rows), sum(choice.lengths)))
    await _keep(conn, chosen)
    await _count_kept(conn, kept)


def _merged(entries: Sequence[Quarantined]) -> list[_Arrived]:
    """Each different message once, in the order of its first arrival."""
    merged: dict[bytes, _Arrived] = {}
    for entry in entries:
        digest = sha256(entry.topic.encode("utf-8", "replace") + b"\0" + entry.payload).digest()
        known = merged.get(digest)
        if known is None:
            merged[digest] = _Arrived(digest, entry, 1, entry.received, entry.received)
            continue
        known.entry = entry
        known.seen += 1
        known.first = min(known.first, entry.received)
        known.last = max(known.last, entry.received)
    return list(merged.values())


async def _count_repeats(conn: AsyncConnection, arrived: Sequence[_Arrived]) -> set[bytes]:
    """Count those that wait already. Returns their digests."""
    cur = cursor(conn)
    await cur.execute(SQL["waiting"], {"digest": [member.digest for member in arrived]})
    found = {bytes(row[0]) for row in await cur.fetchall()}
    if not found:
        return found
    # What was released since it was found is not updated, and new again.
    await cur.execute(SQL["count_repeats"], _columns([m for m in arrived if m.digest in found]))
    return {bytes(row[0]) for row in await cur.fetchall()}


async def _grouped(
    conn: AsyncConnection, arrived: Sequence[_Arrived]
) -> dict[GroupKey, list[_Arrived]]:
    """By hour, reason and sender, in an order that all workers share.

    An hour that has `MOST_GROUPS` takes no new senders: those are counted together as `OTHERS`.
    """
    groups: dict[GroupKey, list[_Arrived]] = {}
    for member in arrived:
        entry = member.entry
        sender = storable_text(entry.sender or entry.ident or entry.topic)
        hour = member.first - member.first % HOUR_US
        groups.setdefault(GroupKey(hour, storable_text(entry.reason), sender), []).append(member)
    cur = cursor(conn)
    hours = sorted({key.hour for key in groups})
    await cur.execute(SQL["groups_of_hours"], {"hour": Instants(np.array(hours, np.int64))})
    full = {hour for hour, count in await cur.fetchall() if count + len(groups) > MOST_GROUPS}
    if full:
        await cur.execute(SQL["known_groups"], _key_columns(list(groups)))
        known = {GroupKey(*row) for row in await cur.fetchall()}
        for key in [key for key in groups if key.hour in full and key not in known]:
            groups.setdefault(key._replace(sender=OTHERS), []).extend(groups.pop(key))
    return {key: groups[key] for key in sorted(groups)}


async def _count(
    conn: AsyncConnection, groups: Mapping[GroupKey, Sequence[_Arrived]], waiting: set[bytes]
) -> dict[GroupKey, Before]:
    """Count all arrivals. Returns where each group stood before them."""
    new = {
        key: sum(member.digest not in waiting for member in members)
        for key, members in groups.items()
    }
    messages = [sum(member.seen for member in members) for members in groups.values()]
    params = _key_columns(list(groups)) | {
        "messages": Int8s(np.array(messages, np.int64)),
        "payload_bytes": Int8s(
            np.array(
                [
                    sum(m.seen * len(m.entry.payload) for m in members)
                    for members in groups.values()
                ],
                np.int64,
            )
        ),
        "repeats": Int8s(np.array(messages, np.int64) - np.array(list(new.values()), np.int64)),
        "first": Instants(np.array([min(m.first for m in g) for g in groups.values()], np.int64)),
        "last": Instants(np.array([max(m.last for m in g) for g in groups.values()], np.int64)),
    }
    cur = cursor(conn)
    await cur.execute(SQL["count"], params)
    found = {}
    for hour, reason, sender, after, kept, kept_bytes in await cur.fetchall():
        key = GroupKey(hour, reason, sender)
        found[key] = Before(after - new[key], kept, kept_bytes)
    return found


async def _keep(conn: AsyncConnection, chosen: Sequence[tuple[_Arrived, int]]) -> None:
    """Make entries of messages, with so many bytes of each."""
    if not chosen:
        return
    chosen = sorted(chosen, key=lambda one: one[0].first)  # ids are in the order of arrival
    arrived = [member for member, _ in chosen]
    payloads = [member.entry.payload[:length] for member, length in chosen]
    await cursor(conn).execute(SQL["insert"], _columns(arrived) | {"payload": payloads})


async def _count_kept(conn: AsyncConnection, kept: Sequence[tuple[GroupKey, int, int]]) -> None:
    some = [one for one in kept if one[1]]
    if some:
        params = _key_columns([key for key, _, _ in some]) | {
            "kept": Int8s(np.array([count for _, count, _ in some], np.int64)),
            "kept_bytes": Int8s(np.array([size for _, _, size in some], np.int64)),
        }
        await cursor(conn).execute(SQL["count_kept"], params)


def _columns(arrived: Sequence[_Arrived]) -> dict[str, Any]:
    entries = [member.entry for member in arrived]
    return {
        "received": Instants(np.array([member.first for member in arrived], np.int64)),
        "topic": [storable_text(e.topic) for e in entries],
        "payload_bytes": Int4s(np.array([len(e.payload) for e in entries])),
        "reason": [storable_text(e.reason) for e in entries],
        "at": Int4s(np.array([min(e.at, 2**31 - 1) for e in entries])),
        "detail": [storable_text(e.detail) for e in entries],
        "ident": [storable_text(e.ident) for e in entries],
        "sender": [storable_text(e.sender or e.ident or e.topic) for e in entries],
        "digest": [member.digest for member in arrived],
        "seen": Int4s(np.array([member.seen for member in arrived])),
        "last_seen": Instants(np.array([member.last for member in arrived], np.int64)),
    }


def _key_columns(keys: Sequence[GroupKey]) -> dict[str, Any]:
    return {
        "hour": Instants(np.array([key.hour for key in keys], np.int64)),
        "reason": [key.reason for key in keys],
        "sender": [key.sender for key in keys],
    }


async def page(
    conn: AsyncConnection,
    *,
    reason: str | None = None,
    sender: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[Waiting]:
    """What waits, oldest first: `limit` messages whose id is greater than `after`."""
    cur = cursor(conn)
    params = {"reason": reason, "sender": sender, "after": after, "limit": limit}
    await cur.execute(SQL["page"], params)
    return [Waiting(*row) for row in await cur.fetchall()]


async def counts(conn: AsyncConnection) -> list[ReasonCount]:
    """How many wait, by reason, the most frequent first."""
    cur = cursor(conn)
    await cur.execute(SQL["counts"])
    return [ReasonCount(*row) for row in await cur.fetchall()]


async def groups(
    conn: AsyncConnection,
    *,
    reason: str | None = None,
    sender: str | None = None,
    since: int = BEGINNING_US,
    limit: int = 100,
) -> list[Group]:
    """What arrived, by reason and sender, the most frequent first."""
    cur = cursor(conn)
    params = {"reason": reason, "sender": sender, "since": Instant(since), "limit": limit}
    await cur.execute(SQL["groups"], params)
    return [Group(*row) for row in await cur.fetchall()]


async def clean(conn: AsyncConnection, keep: Retention, now: int) -> Cleaned:
    """Delete what has been kept for long enough, a few thousand entries in each transaction.

    Each says in the audit what it deletes: a run that is stopped halfway has told of all it did.
    """
    return Cleaned(
        released=await _drop(conn, "drop_released", now - keep.released_days * DAY_US),
        waiting=await _drop(conn, "drop_waiting", now - keep.waiting_days * DAY_US),
        counts=await _drop(conn, "drop_counts", now - keep.counts_days * DAY_US),
    )


async def _drop(conn: AsyncConnection, statement: str, before: int) -> int:
    """Delete what is older, in portions; how many rows."""
    dropped = 0
    while True:
        async with conn.transaction():
            cur = cursor(conn)
            await cur.execute(SQL[statement], {"before": Instant(before), "limit": CLEAN_ROWS})
            if cur.rowcount:
                detail = {"statement": statement, "before": rfc3339(before), "rows": cur.rowcount}
                act = Act("retention", gethostname(), "clean_quarantine", "quarantine", detail)
                await audit.record(conn, act)
        dropped += cur.rowcount
        if cur.rowcount < CLEAN_ROWS:
            return dropped


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
