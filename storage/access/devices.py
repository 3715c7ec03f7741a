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
    """When a device was last heard of. refused_24h: messages that could not be used."""

    ident: str
    codec: str | None
    provider: str | None
    last_fix_at: str | None
    last_received_at: str | None
    refused_24h: int


async def health(
    conn: AsyncConnection[Any],
    *,
    provider: str | None,
    silent_since: datetime | None,
    after: int | None,
    limit: int,
) -> Page[DeviceHealth, int]:
    """A page of devices in order of their number."""
    found = rows_of(conn, with_key(DeviceHealth))
    await found.execute(
        SQL["health"],
        {"provider": provider, "silent_since": silent_since, "after": after, "rows": limit + 1},
    )
    return page_of(await found.fetchall(), limit)
