"""The quarantine in numbers. Payloads are looked at with `hanhtrinh quarantine`, not here."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from storage.reading.blocks import load_blocks
from storage.reading.loading import rows_of

SQL = load_blocks("quarantine.sql")


class QuarantineReason(msgspec.Struct, frozen=True):
    reason: str
    payloads: int
    seen: int
    first_received: str
    last_seen: str


async def quarantine_reasons(conn: AsyncConnection[Any]) -> list[QuarantineReason]:
    cursor = await rows_of(conn, QuarantineReason).execute(SQL["quarantine_reasons"])
    return await cursor.fetchall()


class QuarantineGroup(msgspec.Struct, frozen=True):
    reason: str
    sender: str
    messages: int
    payload_bytes: int
    kept: int
    waiting: int
    first_received: str
    last_seen: str


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """Which groups; None: any. `since`: whole hours, from the one that it lies in."""

    reason: str | None = None
    sender: str | None = None
    since: datetime | None = None


async def quarantine_groups(
    conn: AsyncConnection[Any], wanted: GroupFilter, limit: int
) -> list[QuarantineGroup]:
    params = {
        "reason": wanted.reason, "sender": wanted.sender, "since": wanted.since, "limit": limit,
    }  # fmt: skip
    cursor = await rows_of(conn, QuarantineGroup).execute(SQL["quarantine_groups"], params)
    return await cursor.fetchall()
