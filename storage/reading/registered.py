"""What is registered, as the API shows it, with its history; and the locks that changes begin with.

Vehicles have their own file; drivers and devices are in `storage.access`, because who asks decides
what is shown of them.
"""

from typing import Any, Final, Literal, NamedTuple, TypeVar

import msgspec
from psycopg import AsyncConnection

from storage.reading.blocks import load_blocks
from storage.reading.loading import rows_of, with_key
from storage.reading.paging import Page, page_of
from storage.registry.changing import Noun
from storage.registry.refusals import take_turn

SQL = load_blocks("registered.sql")

Shown = TypeVar("Shown", bound=msgspec.Struct)


class Operator(msgspec.Struct, frozen=True):
    id: int
    code: str
    name: str
    province: str | None
    tax_code: str | None
    licence_no: str | None
    retired_at: str | None
    version: int


class Assignment(msgspec.Struct, frozen=True):
    id: int
    device: str
    device_id: int
    vehicle: str
    vehicle_id: int
    operator: str
    valid_from: str | None
    valid_to: str | None
    version: int


class Badge(msgspec.Struct, frozen=True):
    id: int
    number: str
    kind: str
    vehicle: str
    vehicle_id: int
    operator: str
    is_extra: bool
    valid_from: str | None
    valid_to: str | None
    version: int


class VehicleRoute(msgspec.Struct, frozen=True):
    id: int
    vehicle: str
    vehicle_id: int
    operator: str
    route: str
    valid_from: str | None
    valid_to: str | None
    version: int


class Station(msgspec.Struct, frozen=True):
    id: int
    code: str
    name: str
    province: str | None
    lon: float
    lat: float
    kind: str
    tolerance: float
    approach: msgspec.Raw | None
    corridor_m: float | None
    is_two_way: bool
    weekly_hours: msgspec.Raw | None
    column_map: msgspec.Raw | None
    is_calibrated: bool
    retired_at: str | None
    version: int


class Calibration(msgspec.Struct, frozen=True):
    id: int
    station: str
    certificate: str
    valid_from: str | None
    valid_to: str | None
    version: int


class Change(msgspec.Struct, frozen=True):
    """One change: what the row was before and after it; None: there was none."""

    id: int
    at: str
    actor: str
    reason: str
    action: Literal["made", "changed", "deleted"]
    before: msgspec.Raw | None
    after: msgspec.Raw | None


class Held(NamedTuple):
    """A row, locked until the transaction ends."""

    version: int
    is_over: bool


FILTERS: Final = ("id", "operator", "vehicle", "device", "route", "code")


async def page(
    conn: AsyncConnection[Any],
    shown: type[Shown],
    *,
    retired: bool = False,
    after: int | None = None,
    limit: int = 1,
    **filters: int | str | None,
) -> Page[Shown, int]:
    """Rows of one of the structs of this file in order of number, of numbers greater than `after`.

    retired: show those that are over, too. filters: of FILTERS, those that the list has.
    """
    values = {name: filters.get(name) for name in FILTERS}
    values |= {"retired": retired, "after": after, "rows": limit + 1}
    statement = SQL[LISTS[shown]]
    cursor = await rows_of(conn, with_key(shown)).execute(statement, values)
    return page_of(await cursor.fetchall(), limit)


LISTS: Final[dict[type[msgspec.Struct], str]] = {
    Operator: "operators",
    Assignment: "assignments",
    Badge: "badges",
    VehicleRoute: "vehicle_routes",
    Station: "stations",
    Calibration: "calibrations",
}


async def hold(conn: AsyncConnection[Any], noun: Noun, number: int) -> Held | None:
    """Lock a row when it is one's turn; None: there is none that the caller may change."""
    await take_turn(conn)
    found = await conn.execute(SQL[f"hold_{noun}"], {"id": number})
    row = await found.fetchone()
    return None if row is None else Held(*row)


async def operator_code(conn: AsyncConnection[Any], number: int) -> str | None:
    """The code of an operator that the caller sees."""
    row = await (await conn.execute(SQL["operator_code"], {"id": number})).fetchone()
    return None if row is None else str(row[0])


async def history(
    conn: AsyncConnection[Any], noun: Noun, number: int, *, before: int | None, limit: int
) -> Page[Change, int]:
    """What became of a thing as far as the caller may see it, newest first.

    Of a vehicle, that of all its registrations.
    """
    values = {"kind": noun, "id": number, "before": before, "rows": limit + 1}
    cursor = await rows_of(conn, with_key(Change)).execute(SQL["history"], values)
    return page_of(await cursor.fetchall(), limit)
