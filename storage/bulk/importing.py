"""Importing a table: every row becomes a record, is compared with what stands, and is written.

All of a table is written or nothing, in the caller's transaction and with the caller's rights. What
is wrong with one cell never hides what is wrong with another: rows with wrong cells are compared
with the database without them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from psycopg import AsyncConnection
from psycopg.types.json import set_json_loads

from devices.texts import normal_plate
from storage.bulk.cells import shown
from storage.bulk.columns import Found, find_columns
from storage.bulk.kinds import TableKind
from storage.bulk.problems import Problem, Problems
from storage.bulk.tables import Row, Table
from storage.errors import AlreadyThereError
from storage.queries import queries
from storage.registry.changing import change, find_change_flaws
from storage.registry.flaws import Flaw, flaws_of
from storage.registry.records import Record
from storage.registry.refusals import take_turn
from storage.registry.registering import NOUNS, find_flaws, register

SQL = queries("bulk")

PLATES: Final = frozenset({"plate", "vehicle"})
"""Fields in which separators make no difference."""


@dataclass(slots=True)
class Outcome:
    """How many rows are new, change what stands, or say what stands already."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class _Given:
    """A row of the file. said: values by field, of the cells that are right and not empty.

    cleared: fields whose cells are empty.
    """

    row: Row
    said: dict[str, Any]
    cleared: set[str]
    record: Record | None = None
    number: int = 0
    """Of what stands under its name; 0: it is new."""


@dataclass(slots=True)
class TableImport:
    """One table on its way into the registry.

    file: what messages call it. Problems are added to `problems`, in order of rows at the end.
    usual: by field, the texts that something goes by; others are noted, for they may be misspelt.
    """

    kind: TableKind
    table: Table
    file: str
    zone: ZoneInfo
    problems: Problems
    usual: Mapping[str, frozenset[str]] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=Outcome)
    _columns: dict[str, Found] = field(default_factory=dict)
    _wrong: list[Problem] = field(default_factory=list)

    async def run(self, conn: AsyncConnection[Any], *, dry_run: bool) -> Outcome:
        """Check everything; write if nothing is wrong and this is no dry run.

        Problems found while writing are reported as well: who finds any must undo what was written.
        Raises AlreadyThereError and NotAllowedError where only the database knows why not.
        """
        rows = self._read_header() and self._read_rows()
        if rows and not dry_run:  # before it is compared: what others do meanwhile is then seen
            await take_turn(conn)
        if rows:
            new, changed = await self._compare(conn, rows)
            await self._find_flaws(conn, new, changed)
            if not dry_run and not self._wrong:
                try:
                    await register(conn, [_record(given) for given in new])
                    await change(conn, [g.number for g in changed], [_record(g) for g in changed])
                except AlreadyThereError as error:
                    if not await self._report_taken(conn, [*new, *changed], error):
                        raise
        for problem in sorted(self._wrong, key=lambda problem: problem.row):
            self.problems.add(problem)
        return self.outcome

    def _read_header(self) -> bool:
        """Find the columns; whether the rows can be read by them."""
        if not self.table.header:
            self._report(0, None, "expected a header and rows, got an empty table")
            return False
        found, wrong = find_columns(self.table, self.kind.columns)
        self._columns = {one.column.field: one for one in found}
        for at, said in wrong:
            self._report(self.table.header_row, at, said)
        missing = [name for name in self.kind.key if name not in self._columns]
        for name in missing:
            self._report(self.table.header_row, None, f"expected a column {name}, got none")
        return not missing

    def _read_rows(self) -> list[_Given]:
        """The rows that have a name of their own, with what their cells say."""
        rows: list[_Given] = []
        first: dict[tuple[Any, ...], int] = {}
        for row in self.table.rows:
            for at, said in row.wrong:
                self._report(row.number, at, said)
            given = self._read_row(row)
            if given is None:
                continue
            name = _name(self.kind, given.said)
            if first.setdefault(name, row.number) != row.number:
                at = self._columns[self.kind.key[0]].at
                said = f"expected once, got {shown(row.cells[at])} as in row {first[name]}"
                self._report(row.number, at, said)
            else:
                rows.append(given)
        return rows

    def _read_row(self, row: Row) -> _Given | None:
        given = _Given(row, {}, set())
        broken = {at for at, _ in row.wrong}
        for name, found in self._columns.items():
            cell = row.cells[found.at]
            if cell == "":
                if found.at not in broken:
                    given.cleared.add(name)
                continue
            try:
                value = found.column.read(cell, self.zone)
            except ValueError as error:
                self._report(row.number, found.at, f"expected {error}, got {shown(cell)}")
                continue
            if found.factor != 1.0:
                value = round(value * found.factor, 6)
            given.said[name] = value
            if name in self.usual and value not in self.usual[name]:
                self._note(row.number, found.at, unusual(cell, self.usual[name]))
        for name in self.kind.key:
            if name in given.cleared:
                self._report(row.number, self._columns[name].at, "expected a value, got nothing")
        return given if given.said.keys() >= set(self.kind.key) else None

    async def _compare(
        self, conn: AsyncConnection[Any], rows: Sequence[_Given]
    ) -> tuple[list[_Given], list[_Given]]:
        """The rows that are new, and those that change what stands."""
        standing = await _standing(conn, self.kind, rows)
        new, changed = [], []
        lacking: Counter[str] = Counter()
        for place, given in enumerate(rows, 1):
            number, there = standing.get(place, (0, None))
            if there is None:
                given.record = self._new_record(given, lacking)
                new += [given] if given.record is not None else []
                continue
            given.record, given.number = _merged(self.kind, given, there), number
            if _is_same(given, there):
                self._check_end(given, there)
                self.outcome.unchanged += 1
            elif self.kind.is_changed:
                self._check_end(given, there)
                changed.append(given)
            else:
                new.append(given)
        for name, count in lacking.items():
            said = f"expected a column {name} for the {count} rows that are new, got none"
            self._report(self.table.header_row, None, said)
        self.outcome.added, self.outcome.changed = len(new), len(changed)
        return new, changed

    def _new_record(self, given: _Given, lacking: Counter[str]) -> Record | None:
        """The record of a row that is new; None where something is missing that it must say."""
        fields = _fields(self.kind.record)
        missing = [name for name, one in fields.items() if one.required and name not in given.said]
        for name in missing:
            found = self._columns.get(name)
            if found is None:
                lacking[name] += 1
            elif name in given.cleared:
                self._report(given.row.number, found.at, "expected a value, got nothing")
        return None if missing else self.kind.record(**given.said)

    def _check_end(self, given: _Given, there: Record) -> None:
        """Refuse another end than the one that stands."""
        if "valid_to" in given.said and given.said["valid_to"] != getattr(there, "valid_to", None):
            found = self._columns["valid_to"]
            said = "expected the end that is registered, or none: an import ends nothing"
            cell = shown(given.row.cells[found.at])
            self._report(given.row.number, found.at, f"{said}, got {cell}")

    async def _find_flaws(
        self, conn: AsyncConnection[Any], new: Sequence[_Given], changed: Sequence[_Given]
    ) -> None:
        """Report what is wrong with records by themselves, and with the rest of them then."""
        sound_new, sound_changed = self._sound(new), self._sound(changed)
        flaws = await find_flaws(conn, [_record(given) for given in sound_new])
        self._report_flaws(sound_new, flaws)
        numbers = [given.number for given in sound_changed]
        records = [_record(given) for given in sound_changed]
        self._report_flaws(sound_changed, await find_change_flaws(conn, numbers, records))

    async def _report_taken(
        self, conn: AsyncConnection[Any], rows: Sequence[_Given], error: AlreadyThereError
    ) -> bool:
        """Report rows that clash with what the caller cannot see; False: which, is not known."""
        key = self.kind.key[0]
        if error.field is not None:
            name, taken = error.field, {error.value}
        else:
            names = [given.said[key] for given in rows]
            params = {"kind": NOUNS[self.kind.record], "names": names}
            found = await conn.execute(SQL["taken_names"], params)
            name, taken = key, {str(row[0]) for row in await found.fetchall()}
        before = len(self._wrong)
        for place, given in enumerate(rows):
            value = given.said.get(name)
            if value is not None and (normal_plate(value) if name in PLATES else value) in taken:
                flaw = Flaw(place, name, value, "what nobody has at that time, somebody has it")
                self._report_flaws(rows, [flaw])
        return len(self._wrong) > before

    def _sound(self, rows: Sequence[_Given]) -> list[_Given]:
        """Rows without what is wrong with them by themselves, which is reported.

        A row whose name or another field that it must have is wrong is left out.
        """
        sound = []
        for given in rows:
            flaws = flaws_of(_record(given))
            if flaws:
                self._report_flaws([given], flaws)
                if not _mend(given, {flaw.field for flaw in flaws}):
                    continue
            sound.append(given)
        return sound

    def _report_flaws(self, rows: Sequence[_Given], flaws: Sequence[Flaw]) -> None:
        for flaw in flaws:
            row = rows[flaw.row].row
            found = self._columns.get(flaw.field)
            if found is None:
                self._report(row.number, None, f"{flaw.field}: expected {flaw.expected}")
            else:
                cell = row.cells[found.at]
                got = "nothing" if cell == "" else shown(cell)
                self._report(row.number, found.at, f"expected {flaw.expected}, got {got}")

    def _note(self, row: int, at: int, said: str) -> None:
        self.problems.add(Problem(self.file, row, self.table.column(at), said, "noted"))

    def _report(self, row: int, at: int | None, said: str) -> None:
        column = "" if at is None else self.table.column(at)
        self._wrong.append(Problem(self.file, row, column, said))


def unusual(value: object, usual: frozenset[str]) -> str:
    """What is said of a text that nothing goes by."""
    return f"nothing goes by {value!r}, but by {', '.join(sorted(usual))}"


def _name(kind: TableKind, said: Mapping[str, Any]) -> tuple[Any, ...]:
    """What no other row of a table may have: the key, and from when it holds."""
    keys = (normal_plate(said[k]) if k in PLATES else said[k] for k in kind.key)
    return (*keys, said.get("valid_from"))


async def _standing(
    conn: AsyncConnection[Any], kind: TableKind, rows: Sequence[_Given]
) -> dict[int, tuple[int, Record]]:
    """Number and record of what stands under the names of rows, by place from 1."""
    keys = []
    for given in rows:
        fields = {name: given.said[name] for name in kind.key}
        plate = next((fields[name] for name in kind.key if name in PLATES), None)
        if plate is not None:
            fields["plate"] = normal_plate(plate)
        if "valid_from" in kind.record.__struct_fields__:
            fields["valid_from"] = given.said.get("valid_from", _default(kind, "valid_from"))
        keys.append(fields)
    statement = SQL[f"standing_{NOUNS[kind.record]}s"]
    cursor = conn.cursor()
    set_json_loads(msgspec.json.decode, cursor)
    found = await cursor.execute(statement, {"rows": msgspec.json.encode(keys).decode()})
    return {
        place: (number, msgspec.convert(fields, kind.record, strict=False))
        for place, number, fields in await found.fetchall()
    }


@cache
def _fields(record: type[Record]) -> Mapping[str, msgspec.structs.FieldInfo]:
    """The fields of a kind of record, by name: msgspec evaluates annotations at each question."""
    return {one.name: one for one in msgspec.structs.fields(record)}


def _default(kind: TableKind, name: str) -> Any:
    fields = _fields(kind.record)
    return None if fields[name].required else fields[name].default


def _merged(kind: TableKind, given: _Given, there: Record) -> Record:
    """What stands, with what the row says. Columns that a file has not stay as they are."""
    fields = _fields(kind.record)
    said = dict(given.said)
    for name in given.cleared:
        if not fields[name].required and name not in ("valid_from", "valid_to"):
            said[name] = fields[name].default
    for name in PLATES & said.keys():
        if normal_plate(said[name]) == normal_plate(getattr(there, name)):
            said[name] = getattr(there, name)
    if "valid_from" in fields:  # of a change: from when; nothing said is now
        said.setdefault("valid_from", _default(kind, "valid_from"))
    return msgspec.structs.replace(there, **said)


def _is_same(given: _Given, there: Record) -> bool:
    """Whether a row says what stands, its span aside."""
    record = _record(given)
    names = [name for name in record.__struct_fields__ if name not in ("valid_from", "valid_to")]
    return all(getattr(record, name) == getattr(there, name) for name in names)


def _mend(given: _Given, names: set[str]) -> bool:
    """Take wrong values out of a record; False where it cannot be without them."""
    fields = _fields(type(_record(given)))
    if any(name not in fields or fields[name].required for name in names):
        return False
    if "valid_to" in names:
        return False
    defaults = {name: fields[name].default for name in names}
    given.record = msgspec.structs.replace(_record(given), **defaults)
    return not flaws_of(given.record)


def _record(given: _Given) -> Record:
    assert given.record is not None
    return given.record
