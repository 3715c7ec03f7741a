"""The quarantine in numbers. Payloads are looked at with `hanhtrinh quarantine`, not here."""

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
