"""Health of devices, for whoever keeps them running."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from storage.queries import queries
from storage.reading.loading import rows_of, with_key
from storage.reading.paging import Page, page_of

SQL = queries("devices")


class DeviceHealth(msgspec.Struct, frozen=True):
    """A device, and when it was last heard of. refused_24h: messages that could not be used.

    operator, vehicle_id: whose it is and what it is in; None also where the caller may not know.
    """

    id: int
    ident: str
    codec: str | None
    provider: str | None
    last_fix_at: str | None
    last_received_at: str | None
    refused_24h: int
    operator: str | None
    vehicle_id: int | None
    note: str | None
    retired_at: str | None
    version: int


async def health(
    conn: AsyncConnection[Any],
    *,
    number: int | None = None,
    ident: str | None = None,
    provider: str | None = None,
    operator: str | None = None,
    silent_since: datetime | None = None,
    retired: bool = False,
    after: int | None = None,
    limit: int = 1,
) -> Page[DeviceHealth, int]:
    """A page of devices in order of their number; `number`: that one alone."""
    found = rows_of(conn, with_key(DeviceHealth))
    await found.execute(
        SQL["health"],
        {
            "id": number,
            "ident": ident,
            "provider": provider,
            "operator": operator,
            "silent_since": silent_since,
            "retired": retired,
            "after": after,
            "rows": limit + 1,
        },
    )
    return page_of(await found.fetchall(), limit)
