"""Drivers' personal data: shown as the role needs it, handed to the driver, erased."""

from typing import Any, Final, Literal

import msgspec
from psycopg import AsyncConnection

from storage.forgetting import SEARCH_BYTES, SEARCH_ROWS
from storage.queries import queries
from storage.reading.loading import rows_of, with_key
from storage.reading.paging import Page, page_of
from storage.registry.refusals import take_turn

SQL = queries("drivers")

MOST_ROWS: Final = 50_000
"""Of each kind in one file: years of driving."""

MOST_MESSAGES: Final = 1_000
"""Of the quarantine: 6 MB of excerpts."""


class Driver(msgspec.Struct, frozen=True):
    """A driver; name and licence are masked where the caller's role does not need them."""

    id: int
    licence: str
    name: str | None
    operator: str | None
    licence_class: str | None
    licence_until: str | None
    retired_at: str | None
    erased_at: str | None
    version: int


class Span(msgspec.Struct, frozen=True):
    """A stretch of driving."""

    plate: str
    started_at: str
    ended_at: str
    is_open: bool
    distance_m: float


class Written(msgspec.Struct, frozen=True):
    """A step of a review of a violation that names the driver. text: None where it is not shown."""

    violation: int
    at: str
    act: str
    step: str
    reason: str
    text: str | None
    role: str


class Attached(msgspec.Struct, frozen=True):
    """A file beside such a review; `id` of `violation`, by which it is handed out."""

    violation: int
    id: int
    added_at: str
    name: str
    type: str
    bytes: int
    sha256: str


class Mark(msgspec.Struct, frozen=True):
    """What formats carried while the driver drove that may tell who it was, so often."""

    key: str
    value: str
    times: int
    first_at: str
    last_at: str


class Quarantined(msgspec.Struct, frozen=True):
    """A message that could not be used and has the driver's number, or a card, in it.

    digest: SHA-256 of topic, a zero byte and the whole message, hexadecimal. excerpt: its bytes, 4
    KiB at most, in base64; skipped: how many there are before these.
    """

    id: int
    received: str
    last_seen: str
    topic: str
    reason: str
    payload_bytes: int
    digest: str
    skipped: int
    excerpt: str


class Erasure(msgspec.Struct, frozen=True):
    """What came of it. why: None: erased; law: kept until `kept_until`; review: one is under way.

    texts, files, extras: how many words of reviews, files beside them, and objects beside fixes and
    weighings were forgotten with the driver.
    """

    why: Literal["law", "review"] | None
    kept_until: str | None
    texts: int | None
    files: int | None
    extras: int | None


class Found(msgspec.Struct, frozen=True):
    """A violation that names the driver."""

    id: int
    kind: str
    plate: str
    started_at: str
    ended_at: str
    status: str
    review: str


async def drivers(
    conn: AsyncConnection[Any],
    *,
    operator: str | None,
    retired: bool,
    after: int | None,
    limit: int,
) -> Page[Driver, int]:
    """A page of drivers in order of their number; retired: those who drive no longer, too."""
    found = rows_of(conn, with_key(Driver))
    values = {"operator": operator, "retired": retired, "after": after, "rows": limit + 1}
    await found.execute(SQL["page"], values)
    return page_of(await found.fetchall(), limit)


async def driver(conn: AsyncConnection[Any], number: int) -> Driver | None:
    """One driver, if the caller may see it."""
    found = rows_of(conn, Driver)
    await found.execute(SQL["driver"], {"driver": number})
    return await found.fetchone()


async def spans(conn: AsyncConnection[Any], number: int) -> list[Span]:
    """When a driver drove what, newest first, MOST_ROWS + 1 at most."""
    found = rows_of(conn, Span)
    await found.execute(SQL["spans"], {"driver": number, "rows": MOST_ROWS + 1})
    return await found.fetchall()


async def violations(conn: AsyncConnection[Any], number: int) -> list[Found]:
    """Violations that name a driver, newest first, MOST_ROWS + 1 at most."""
    found = rows_of(conn, Found)
    await found.execute(SQL["violations"], {"driver": number, "rows": MOST_ROWS + 1})
    return await found.fetchall()


async def written(conn: AsyncConnection[Any], number: int) -> list[Written]:
    """Steps of reviews of violations that name a driver, newest first, MOST_ROWS + 1 at most."""
    found = rows_of(conn, Written)
    await found.execute(SQL["written"], {"driver": number, "rows": MOST_ROWS + 1})
    return await found.fetchall()


async def attached(conn: AsyncConnection[Any], number: int) -> list[Attached]:
    """Files beside those reviews, newest first, MOST_ROWS + 1 at most."""
    found = rows_of(conn, Attached)
    await found.execute(SQL["attached"], {"driver": number, "rows": MOST_ROWS + 1})
    return await found.fetchall()


async def marks(conn: AsyncConnection[Any], number: int) -> list[Mark]:
    """What was carried while a driver drove that may tell who it was; MOST_ROWS + 1 at most."""
    found = rows_of(conn, Mark)
    await found.execute(SQL["marks"], {"driver": number, "rows": MOST_ROWS + 1})
    return await found.fetchall()


async def quarantined(conn: AsyncConnection[Any], number: int) -> list[Quarantined]:
    """Messages in the quarantine that name a driver, oldest first, MOST_MESSAGES + 1 at most.

    For callers who may see the quarantine. All of it is looked at, in steps.
    """
    row = await (await conn.execute(SQL["names"], {"driver": number})).fetchone()
    assert row is not None
    if row[0] is None:
        return []
    found: list[Quarantined] = []
    step = {"names": row[0], "after": 0, "rows": SEARCH_ROWS, "bytes": SEARCH_BYTES}
    while len(found) <= MOST_MESSAGES:
        rows = await (await rows_of(conn, _of_step).execute(SQL["quarantined"], step)).fetchall()
        if not rows:
            break
        step["after"] = rows[0][0]
        found += [message for _, message in rows if message is not None]
    return found[: MOST_MESSAGES + 1]


def _of_step(until: int, number: int | None, *rest: Any) -> tuple[int, Quarantined | None]:
    return until, None if number is None else Quarantined(number, *rest)


async def erase(conn: AsyncConnection[Any], number: int, kept_days: int) -> Erasure | None:
    """Erase who a driver is; None: there is none that the caller may erase.

    kept_days: how long violations are kept, with words and files beside them.
    """
    await take_turn(conn)
    found = rows_of(conn, Erasure)
    await found.execute(SQL["erase"], {"driver": number, "kept_days": kept_days})
    return await found.fetchone()
