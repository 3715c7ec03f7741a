"""The audit: rows are added, read, and checked to be what was written.

The chain's digests are made by the database (`audit_append`) and checked here, by other code.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec
from psycopg import AsyncConnection

from storage.arrays import cursor
from storage.errors import AuditError
from storage.queries import queries
from storage.reading.loading import rows_of, with_key
from storage.reading.paging import Page, page_of
from storage.texts import storable_text

SQL = queries("audit")
BATCH: Final = 5_000
ZERO: Final = bytes(32)
"""What the first row is chained to."""


class Act(NamedTuple):
    """What is to be written down. detail: what else is worth knowing; never a secret."""

    actor: str
    address: str
    action: str
    subject: str
    detail: Mapping[str, Any] = {}


class Row(NamedTuple):
    """A row as it was chained; at_us: microseconds since 1970-01-01 UTC."""

    seq: int
    at_us: int
    actor: str
    address: str
    action: str
    subject: str
    detail: str
    previous: bytes
    hash: bytes

    def digest(self) -> bytes:
        """What its hash has to be."""
        fields = [str(self.seq), str(self.at_us), *self[2:7]]
        encoded = [field.encode() for field in fields]
        return sha256(
            self.previous + b"".join(b"%d:%b," % (len(part), part) for part in encoded)
        ).digest()


class Anchor(NamedTuple):
    """A place in the chain that was written down elsewhere: nothing before it can change unseen."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Shown:
    """A row as the API shows it."""

    seq: int
    at: str
    actor: str
    address: str
    action: str
    subject: str
    detail: Any


async def record(conn: AsyncConnection[Any], act: Act) -> int:
    """Write one row, in the transaction that did it; last, because others wait from here on."""
    params = {
        "actor": storable_text(act.actor),
        "address": storable_text(act.address),
        "action": act.action,
        "subject": storable_text(act.subject),
        "detail": storable_text(msgspec.json.encode(act.detail).decode()),
    }
    row = await (await conn.execute(SQL["append"], params)).fetchone()
    assert row is not None
    return int(row[0])


async def rows(conn: AsyncConnection[Any], after: int = 0) -> AsyncIterator[Row]:
    """Every row after one, in order."""
    while True:
        cur = cursor(conn)
        await cur.execute(SQL["rows"], {"after": after, "rows": BATCH})
        found = await cur.fetchall()
        for row in found:
            yield Row(*row)
        if len(found) < BATCH:
            return
        after = found[-1][0]


async def page(
    conn: AsyncConnection[Any],
    *,
    actor: str | None,
    action: str | None,
    before: int | None,
    limit: int,
) -> Page[Shown, int]:
    """A page of the audit, newest first."""
    found = rows_of(conn, with_key(Shown))
    params = {"actor": actor, "action": action, "before": before, "rows": limit + 1}
    await found.execute(SQL["page"], params)
    return page_of(await found.fetchall(), limit)


async def verify(conn: AsyncConnection[Any], anchor: Anchor | None = None) -> Anchor:
    """Walk the chain from its beginning. Returns its end.

    In one transaction of one snapshot. Raises AuditError at the first row that is missing, altered,
    out of its order or put in, and where the chain does not pass through `anchor`.
    """
    seq, last = 0, ZERO
    async for row in rows(conn):
        if row.seq != seq + 1:
            raise AuditError(f"audit row {seq + 1}: expected one, got row {row.seq}")
        if row.previous != last:
            raise AuditError(f"audit row {row.seq}: does not follow the row before it")
        if row.digest() != row.hash:
            raise AuditError(f"audit row {row.seq}: has been altered")
        seq, last = row.seq, row.hash
        if anchor is not None and anchor.seq == seq and anchor.hash != last.hex():
            raise AuditError(f"audit row {seq}: the chain has been written anew")
    found = await (await conn.execute(SQL["head"])).fetchone()
    if found is None or (int(found[0]), bytes(found[1])) != (seq, last):
        at = "no end" if found is None else f"an end at row {found[0]}"
        raise AuditError(f"audit row {seq + 1}: expected none, got {at}")
    if anchor is not None and anchor.seq > seq:
        raise AuditError(f"audit row {seq + 1}: expected rows up to {anchor.seq}, got none")
    return Anchor(seq, last.hex())
