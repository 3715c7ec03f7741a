"""Changing and retiring what is registered, many at once, or none with every flaw named.

Nothing is erased. What fixes are judged by is changed from an instant on: a vehicle's registration
ends there and the next one begins, with what the vehicle carries (decision 27). The rest is changed
in place, and the history keeps what was. All of it runs in the caller's transaction and with the
caller's rights.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from psycopg import AsyncConnection, sql

from storage.errors import NotAllowedError
from storage.queries import queries
from storage.registry.flaws import Flaw, FlawedError, flaws_of
from storage.registry.records import Record
from storage.registry.refusals import in_turn
from storage.registry.registering import NOUNS, as_rows

SQL = queries("changing")

Noun = Literal[
    "operator", "vehicle", "device", "assignment", "driver", "badge", "vehicle_route", "station",
    "calibration",
]  # fmt: skip

ENDED_BY: Final[Mapping[str, Sequence[str]]] = {
    "vehicle": (
        "end_vehicle_assignments", "end_vehicle_badges", "end_vehicle_vehicle_routes",
    ),
    "device": ("end_device_assignments",),
}  # fmt: skip
"""What ends with it."""

LICENCES: Final[Mapping[str, Sequence[str]]] = {
    "badges": ("number", "kind", "is_extra"),
    "vehicle_routes": ("route_code",),
}
"""Tables of what an operator is licensed to do with a vehicle, and the columns that say what."""


async def change(
    conn: AsyncConnection[Any], numbers: Sequence[int], records: Sequence[Record]
) -> list[int]:
    """Let the things of these numbers be as these records say, all of one kind.

    Operators, devices, drivers, stations and vehicles; what names a thing (code, ident, licence)
    stays. Of vehicles, numbers are those of registrations in force, `valid_from` says when the
    change takes effect (BEGINNING_US: now) and `valid_to` stays what it was. Returns the numbers
    afterwards, in the same order: a vehicle has another one where a registration followed. Raises
    FlawedError, AlreadyThereError, and NotAllowedError for a row that the caller may not change.
    """
    if not records:
        return []
    noun = NOUNS[type(records[0])]
    async with in_turn(conn, f"{len(records)} records of kind {noun}"):
        flaws = await find_change_flaws(conn, numbers, records)
        if flaws:
            raise FlawedError(flaws)
        text = _json(numbers, records)
        if noun == "vehicle":
            return await _change_vehicles(conn, numbers, text)
        done = await conn.execute(SQL[f"change_{noun}s"], {"records": text})
        _check_all(noun, done.rowcount, len(numbers))
    return list(numbers)


async def find_change_flaws(
    conn: AsyncConnection[Any], numbers: Sequence[int], records: Sequence[Record]
) -> list[Flaw]:
    """All that speaks against these changes, ascending by row."""
    flaws = [flaw for row, record in enumerate(records) for flaw in flaws_of(record, row)]
    wrong = {flaw.row for flaw in flaws}
    sound = [row for row in range(len(records)) if row not in wrong]
    if sound:
        noun = NOUNS[type(records[0])]
        values = {
            "records": _json([numbers[row] for row in sound], [records[row] for row in sound]),
            "id": [numbers[row] for row in sound],
        }
        found = await (await conn.execute(SQL[f"{noun}_change_flaws"], values)).fetchall()
        for place, field, value, expected in found:
            row = sound[place - 1]
            flaws.append(Flaw(row, field, getattr(records[row], field, value), expected))
    return sorted(flaws, key=lambda flaw: (flaw.row, flaw.field))


async def retire(
    conn: AsyncConnection[Any], noun: Noun, numbers: Sequence[int], at_us: int | None = None
) -> int:
    """End things: from now on, or spans of time from an instant on. Returns how many it ended.

    at_us: for assignments, badges, routes of vehicles and calibrations; None: now. What had not
    begun by then never holds. Raises FlawedError for operators that have vehicles.
    """
    values: dict[str, Any] = {"id": list(numbers), "at": at_us}
    if at_us is None:
        values["at"] = await _now_us(conn)
    async with in_turn(conn, f"{len(numbers)} of kind {noun}"):
        if noun == "operator":
            found = await (await conn.execute(SQL["operator_retire_flaws"], values)).fetchall()
            if found:
                raise FlawedError([Flaw(place - 1, *said) for place, *said in found])
        ended = (await conn.execute(SQL[f"retire_{noun}s"], values)).rowcount
        for statement in ENDED_BY.get(noun, ()):
            await conn.execute(SQL[statement], values)
    return ended


async def _change_vehicles(
    conn: AsyncConnection[Any], numbers: Sequence[int], text: str
) -> list[int]:
    corrected = await (await conn.execute(SQL["correct_vehicles"], {"records": text})).fetchall()
    values = {"records": text, "corrected": [int(row[0]) for row in corrected]}
    followed = await (await conn.execute(SQL["replace_vehicles"], values)).fetchall()
    _check_all("vehicle", len(corrected) + len(followed), len(numbers))
    if followed:
        old, new, at = (list(column) for column in zip(*followed, strict=True))
        moved = {"old": old, "new": new, "at": at}
        await conn.execute(SQL["move_assignments"], moved)
        for table, carried in LICENCES.items():
            await conn.execute(_moving(table, carried), moved)
        await conn.execute(SQL["move_devices"], moved)
    by_number = {before: after for before, after, _ in followed}
    return [by_number.get(number, number) for number in numbers]


def _moving(table: str, carried: Sequence[str]) -> sql.Composed:
    """The statement `move_licences` for a table of LICENCES."""
    text = SQL["move_licences"].decode()
    columns = sql.SQL(", ").join(map(sql.Identifier, carried))
    return sql.SQL(text).format(table=sql.Identifier(table), carried=columns)


def _check_all(noun: str, changed: int, wanted: int) -> None:
    if changed != wanted:  # row-level security hides from an UPDATE what it shows to a SELECT
        raise NotAllowedError(f"{noun}: expected {wanted} that may be changed, got {changed}")


async def _now_us(conn: AsyncConnection[Any]) -> int:
    row = await (await conn.execute(SQL["now_us"])).fetchone()
    assert row is not None
    return int(row[0])


def _json(numbers: Sequence[int], records: Sequence[Record]) -> str:
    rows = [
        {**fields, "id": number} for number, fields in zip(numbers, as_rows(records), strict=True)
    ]
    return msgspec.json.encode(rows).decode()
