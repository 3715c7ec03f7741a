"""The audit: rows are added, read, and checked to be what was written.

The chain's digests are made by the database (`audit_append`) and checked here, by other code.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec
from psycopg import AsyncConnection

from storage.arrays import Instant, cursor
from storage.errors import AuditError
from storage.queries import queries
from storage.reading.loading import rows_of, with_key
from storage.reading.paging import Page, page_of
from storage.texts import storable_text

SQL = queries("audit")
BATCH: Final = 5_000
REMOVAL: Final = "remove_audit"
"""What a row says of those before it that were taken out; its subject is the last one's anchor."""


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
    """Walk the chain from its beginning, while others add to it. Returns an end that it had.

    Raises AuditError at the first row that is missing, altered, out of its order or put in, where
    the chain does not pass through `anchor`, and where rows were taken out and none of the others
    says so.
    """
    seq, last = await _row_of(conn, "start")
    taken_out = Anchor(seq, last.hex())
    is_told = seq == 0
    _compare(anchor, taken_out)
    while True:
        walked_from = seq
        async for row in rows(conn, seq):
            _check_follows(row, seq, last)
            seq, last = row.seq, row.hash
            _compare(anchor, Anchor(seq, last.hex()))
            is_told |= row.action == REMOVAL and row.subject == str(taken_out)
        found = await (await conn.execute(SQL["head"])).fetchone()
        # A row and the end that it moves are committed at once: what is beyond was added meanwhile.
        if found is None or int(found[0]) <= seq or seq == walked_from:
            break
    if not is_told:
        raise AuditError(f"audit row {taken_out.seq}: has been taken out, and no row says so")
    if found is None or (int(found[0]), bytes(found[1])) != (seq, last):
        at = "no end" if found is None else f"an end at row {found[0]}"
        raise AuditError(f"audit row {seq + 1}: expected none, got {at}")
    if anchor is not None and anchor.seq > seq:
        raise AuditError(f"audit row {seq + 1}: expected rows up to {anchor.seq}, got none")
    if anchor is not None and anchor.seq < taken_out.seq:
        raise AuditError(f"audit row {anchor.seq}: expected an anchor from {taken_out.seq} on")
    return Anchor(seq, last.hex())


def _check_follows(row: Row, seq: int, last: bytes) -> None:
    """Refuse a row that is not the next one after that number and hash. Raises AuditError."""
    if row.seq != seq + 1:
        raise AuditError(f"audit row {seq + 1}: expected one, got row {row.seq}")
    if row.previous != last:
        raise AuditError(f"audit row {row.seq}: does not follow the row before it")
    if row.digest() != row.hash:
        raise AuditError(f"audit row {row.seq}: has been altered")


def _compare(anchor: Anchor | None, passed: Anchor) -> None:
    if anchor is not None and anchor.seq == passed.seq and anchor.hash != passed.hash:
        raise AuditError(f"audit row {anchor.seq}: the chain has been written anew")


async def remove(
    conn: AsyncConnection[Any], until: Anchor, before_us: int, actor: str, host: str
) -> int:
    """Take out the rows up to one that was handed over; how many. A new row says so.

    In one transaction. before_us: younger rows are refused. The whole chain is verified first:
    what is taken out is whole, and is what `until` was written down of. Raises AuditError.
    """
    await verify(conn, until)
    params = {"seq": until.seq, "before": Instant(before_us)}
    found = await (await cursor(conn).execute(SQL["age"], params)).fetchone()
    if found is None or not found[0]:
        raise AuditError(f"audit row {until.seq}: expected one that is old enough to be taken out")
    (gone,) = await _row_of(conn, "remove", {"seq": until.seq})
    await record(conn, Act(actor, host, REMOVAL, str(until), {"rows": gone}))
    return int(gone)


async def _row_of(
    conn: AsyncConnection[Any], statement: str, params: Mapping[str, Any] | None = None
) -> tuple[Any, ...]:
    row = await (await conn.execute(SQL[statement], params)).fetchone()
    assert row is not None
    return tuple(row)
