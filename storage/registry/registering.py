"""Registering: records become rows, many at once, or none with every flaw named.

What is wrong with a record by itself is in `storage.registry.flaws`. Here it meets what stands in
the database: found by one query for all records, so that each flaw has its row and field; triggers
and unique indexes have the last word over what others write meanwhile. History is written by
triggers. All of it runs in the caller's transaction and with the caller's rights.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from psycopg import AsyncConnection

from devices.texts import normal_plate
from storage.queries import queries
from storage.registry.flaws import Flaw, FlawedError, flaws_of
from storage.registry.records import (
    AssignmentRecord,
    BadgeRecord,
    CalibrationRecord,
    DeviceRecord,
    DriverRecord,
    OperatorRecord,
    Record,
    StationRecord,
    VehicleRecord,
    VehicleRouteRecord,
    fields_of,
)
from storage.registry.refusals import in_turn

SQL = queries("registering")

NOUNS: Final[dict[type[Record], str]] = {
    OperatorRecord: "operator",
    VehicleRecord: "vehicle",
    DeviceRecord: "device",
    AssignmentRecord: "assignment",
    DriverRecord: "driver",
    BadgeRecord: "badge",
    VehicleRouteRecord: "vehicle_route",
    StationRecord: "station",
    CalibrationRecord: "calibration",
}
"""What the history and the queries call each."""


async def note(conn: AsyncConnection[Any], actor: str = "", reason: str = "") -> None:
    """Say who writes in this transaction, and why, for the history.

    The actor of a caller of the API is taken from its key or session, whatever is said here.
    """
    await conn.execute(SQL["note"], {"actor": actor, "reason": reason})


async def find_flaws(conn: AsyncConnection[Any], records: Sequence[Record]) -> list[Flaw]:
    """All that speaks against registering these records, all of one kind; ascending by row.

    Rows that are wrong by themselves are not compared with the database.
    """
    flaws = [flaw for row, record in enumerate(records) for flaw in flaws_of(record, row)]
    wrong = {flaw.row for flaw in flaws}
    sound = [row for row in range(len(records)) if row not in wrong]
    if sound:
        noun = NOUNS[type(records[0])]
        values = {"records": _json([records[row] for row in sound])}
        found = await (await conn.execute(SQL[f"{noun}_flaws"], values)).fetchall()
        for place, field, value, expected in found:
            row = sound[place - 1]
            flaws.append(Flaw(row, field, getattr(records[row], field, value), expected))
    return sorted(flaws, key=lambda flaw: (flaw.row, flaw.field))


async def register(conn: AsyncConnection[Any], records: Sequence[Record]) -> list[int]:
    """Register things, all of one kind. Returns their numbers, in the same order.

    Raises FlawedError, and nothing is written, if anything speaks against any of them;
    AlreadyThereError where somebody else, or somebody whom the caller cannot see, has it.
    """
    if not records:
        return []
    noun = NOUNS[type(records[0])]
    async with in_turn(conn, f"{len(records)} records of kind {noun}"):
        flaws = await find_flaws(conn, records)
        if flaws:
            raise FlawedError(flaws)
        if noun == "driver":
            return await _register_drivers(conn, records)
        return await _make(conn, noun, records)


async def _make(conn: AsyncConnection[Any], noun: str, records: Sequence[Record]) -> list[int]:
    found = await conn.execute(SQL[f"make_{noun}s"], {"records": _json(records)})
    # Numbers are given in the order of the rows; RETURNING promises none.
    return sorted(int(row[0]) for row in await found.fetchall())


async def _register_drivers(conn: AsyncConnection[Any], records: Sequence[Record]) -> list[int]:
    """Those whom feeds have named are taken over, the others are new."""
    licences = [fields_of(record)["licence"] for record in records]
    claimed: dict[str, int] = dict(
        await (await conn.execute(SQL["claim_drivers"], {"records": _json(records)})).fetchall()
    )
    known = [
        {**fields_of(record), "id": claimed[licence]}
        for record, licence in zip(records, licences, strict=True)
        if licence in claimed
    ]
    if known:
        text = msgspec.json.encode(known).decode()
        await conn.execute(SQL["complete_drivers"], {"records": text})
    new = {
        licence: record
        for licence, record in sorted(zip(licences, records, strict=True), key=lambda one: one[0])
        if licence not in claimed
    }
    # In the order in which `ensure_drivers` of a worker, which takes no turn, makes its own.
    made = await _make(conn, "driver", list(new.values())) if new else []
    numbers = claimed | dict(zip(new, made, strict=True))
    return [numbers[licence] for licence in licences]


def as_rows(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Fields as statements take them; plates as they are compared, and as they were written."""
    rows = []
    for record in records:
        fields = fields_of(record)
        written = fields.get("plate", fields.get("vehicle"))
        if written is not None:
            fields |= {"plate": normal_plate(written), "plate_raw": written}
        rows.append(fields)
    return rows


def _json(records: Sequence[Record]) -> str:
    return msgspec.json.encode(as_rows(records)).decode()
