"""Messages of JSON read as columns: which members are known, and what many payloads say of them.

Belongs here: the tables for the compiled reader (devices/json_kernel.py) and what it read, for
codecs. A codec says which members its messages mostly have; payloads that are odd are left to its
reader of single payloads. Both must say the same; tests hold them together.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self

import msgspec
import numpy as np

from devices.batch import F64, I32, I64, U8, U32, UNKNOWN, Bool
from devices.checks import assemble
from devices.codec import MAX_PAYLOAD_BYTES, Decoded
from devices.distinct import distinct
from devices.errors import DecodeError
from devices.extra import extra_bytes
from devices.input_names import OFF, ON
from devices.json_input import JSON_ERRORS
from devices.json_kernel import (
    HASHES,
    INSTANT,
    NUMBER,
    OBJECT,
    RAW,
    REQUIRED,
    TEXT,
    TRUTH,
    Out,
    Table,
    hash_of,
    read_messages,
)
from devices.json_texts import BESIDE, INNER, NO_PART, join_members, read_pairs
from devices.merging import merged
from devices.rows import FixRows, decode_each
from devices.texts import Names, known_licence

Path = tuple[str, ...]

_BYTES_A_NOTE: Final = 8
"""Payloads of more unknown members than one in so many bytes are odd."""

_OBJECT: Final = msgspec.json.Decoder(dict[str, Any])
_OBJECTS: Final = msgspec.json.Decoder(list[dict[str, Any]])
_BEHIND: Final = b"\0" * 32
"""Stands behind the last payload: nothing that the kernel looks at together reaches over it."""


class Shape:
    """The messages of a format as they mostly are.

    members: by path ("position", "attributes", "sat"), what each may be: kinds of
    devices.json_kernel. The objects around them are known, too, and need be given only where they
    may be something else (NULL).
    """

    def __init__(self, members: Mapping[Path, int]) -> None:
        paths: dict[Path, int] = {}
        for path, flags in members.items():
            for depth in range(1, len(path)):
                paths.setdefault(path[:depth], 0)
                paths[path[:depth]] |= OBJECT
            paths[path] = paths.get(path, 0) | flags
        self.objects: dict[Path, int] = {(): 0}
        for path, flags in paths.items():
            if flags & OBJECT:
                self.objects[path] = len(self.objects)
        self.numbers: dict[Path, int] = {}
        self.texts: dict[Path, int] = {}
        for path, flags in paths.items():
            if flags & (NUMBER | INSTANT | TRUTH):
                self.numbers[path] = len(self.numbers)
            elif flags & (TEXT | RAW):
                self.texts[path] = len(self.texts)
        self.least_bytes = 1 + sum(
            len(f'"{path[-1]}":0,') for path, flags in paths.items() if flags & REQUIRED
        )
        self.table = _table(paths, self.objects, {**self.numbers, **self.texts})


def _table(
    paths: Mapping[Path, int], objects: Mapping[Path, int], slots: Mapping[Path, int]
) -> Table:
    names = [path[-1].encode() for path in paths]
    inside = [objects[path[:-1]] for path in paths]
    look = np.full(HASHES, -1, np.int64)
    for member, (name, around) in enumerate(zip(names, inside, strict=True)):
        place = hash_of(name[0], name[-1], len(name), around)
        while look[place] >= 0:
            place = (place + 1) % HASHES
        look[place] = member
    return Table(
        keys=np.frombuffer(b"".join(names), np.uint8),
        start=np.cumsum([0, *map(len, names)]),
        inside=np.array(inside, np.int64),
        flags=np.array([*paths.values()], np.int64),
        slot=np.array([slots.get(path, -1) for path in paths], np.int64),
        child=np.array([objects.get(path, -1) for path in paths], np.int64),
        above=np.array([objects[path[:-1]] for path in objects], np.int64),
        look=look,
        required=sum(1 << k for k, flags in enumerate(paths.values()) if flags & REQUIRED),
    )


class Written(NamedTuple):
    """The JSON of payloads in one buffer, a zero behind each.

    begin, end: shape (n,), where that of each stands. odd: shape (n,), payloads that have none.
    """

    data: bytes
    begin: I64
    end: I64
    odd: Bool

    @classmethod
    def of(cls, texts: Sequence[bytes]) -> Self:
        """Texts one behind the other; those larger than a payload may be are odd."""
        sizes = np.fromiter(map(len, texts), np.int64, len(texts))
        ends = np.cumsum(sizes + 1) - 1
        data = b"\0".join([*texts, _BEHIND])
        return cls(data, ends - sizes, ends, sizes > MAX_PAYLOAD_BYTES)

    @classmethod
    def of_buffer(cls, buffer: U8, begin: I64, end: I64, odd: Bool) -> Self:
        """What a kernel wrote in this form."""
        return cls(buffer.tobytes() + _BEHIND, begin, end, odd)


class Kept(NamedTuple):
    """The unknown members of an object: of each row their kind (of devices.json_texts), and JSON.

    The JSON of kind NOTHING is b"".
    """

    kind: U8
    texts: list[bytes]


class Columns:
    """What payloads of a shape say, one row a message.

    odd: shape (payloads,), those that are of another shape, and have no rows.
    """

    def __init__(self, shape: Shape, written: Written) -> None:
        self._shape = shape
        self._data = written.data
        rows = len(self._data) // shape.least_bytes + 1
        out = Out(
            values=np.empty((rows, max(len(shape.numbers), 1)), np.float64),
            places=np.empty((rows, max(len(shape.texts), 1), 2), np.int64),
            owner=np.empty(rows, np.int32),
            at=np.empty(rows, np.int64),
            noted=np.empty((len(self._data) // _BYTES_A_NOTE + 1, 4), np.int64),
        )
        self.odd: Bool = written.odd.copy()
        raw, follows = (
            np.frombuffer(self._data, np.uint8),
            np.zeros(len(shape.table.flags) + 1, np.int64),
        )
        n, noted = read_messages(
            raw, written.begin, written.end, shape.table, follows, out, self.odd
        )
        self._out = Out(
            out.values[:n], out.places[:n], out.owner[:n], out.at[:n], out.noted[:noted]
        )
        self._read_long_numbers()
        self.drop_odd()

    def __len__(self) -> int:
        return len(self._out.owner)

    @property
    def owner(self) -> I32:
        """The payload of each row, ascending."""
        return self._out.owner

    @property
    def at(self) -> I64:
        """The number of each row within its payload."""
        return self._out.at

    def number(self, *path: str) -> F64:
        """Numbers, instants (seconds) or truths (1 and 0); NaN for none."""
        return self._out.values[:, self._shape.numbers[path]]

    def texts(self, *path: str) -> tuple[I32, list[bytes]]:
        """Texts, or values as they are written: the number of each (-1 none), and the texts."""
        places = self._out.places[:, self._shape.texts[path]]
        return distinct(self._data, places[:, 0], places[:, 1])

    def written(self, *path: str) -> dict[int, bytes]:
        """Values as they are written, by row."""
        places = self._out.places[:, self._shape.texts[path]]
        data = self._data
        rows = np.flatnonzero(places[:, 1]).tolist()
        return {row: data[slice(*places[row].tolist())] for row in rows}

    def unread(self, *path: str) -> dict[int, bytes]:
        """By row, the members of an object that are not known, as they are written."""
        row, _, begin, end = self._out.noted[self._out.noted[:, 1] == self._shape.objects[path]].T
        # Members side by side are one text.
        first = np.ones(len(row), np.bool_)
        first[1:] = (row[1:] != row[:-1]) | (begin[1:] != end[:-1] + 1)
        last = np.append(first[1:], True)[: len(row)]
        data, written = self._data, dict[int, bytes]()
        places = zip(row[first].tolist(), begin[first].tolist(), end[last].tolist(), strict=True)
        for number, a, b in places:
            before = written.get(number)
            written[number] = data[a:b] if before is None else b"%b,%b" % (before, data[a:b])
        return written

    def kept(self, *path: str) -> "Kept":
        """`unread`, each an object that can be stored as it is if it is of a kind that says so."""
        return self.joined(path)

    def joined(self, *paths: Path, inner: Path | None = None) -> "Kept":
        """`kept` of some objects as one, that of `inner` under its name inside it.

        A name that would stand there twice makes it OTHER.
        """
        noted, n = self._out.noted, len(self)
        part = np.full(len(self._shape.objects), NO_PART, np.uint8)
        part[[self._shape.objects[path] for path in paths]] = BESIDE
        front = b""
        if inner is not None:
            part[self._shape.objects[inner]] = INNER
            front = b'{"%b":' % inner[-1].encode()
        size = int((noted[:, 3] - noted[:, 2] + 2).sum()) + n * (len(front) + 1)
        kind, place = np.zeros(n, np.uint8), np.zeros((n, 2), np.int64)
        raw, starts = np.frombuffer(self._data, np.uint8), np.frombuffer(front, np.uint8)
        out = np.empty(size, np.uint8)
        size = join_members(raw, noted, part, starts, kind, out, place)
        data = out[:size].tobytes()
        ends = zip(
            *place.T.tolist(), strict=True
        )  # no object for each: they keep the collector busy
        return Kept(kind, [data[begin:end] for begin, end in ends])

    def pairs(self, *path: str) -> F64:
        """Texts of two numbers, "21.5,105.8": shape (2, n), NaN for others and none."""
        found = np.empty((2, len(self)), np.float64)
        read_pairs(
            np.frombuffer(self._data, np.uint8),
            self._out.places[:, self._shape.texts[path]],
            found,
        )
        return found

    def others(self, *path: str, only: Bool | None = None) -> dict[int, dict[str, Any]]:
        """`unread` as objects; bad JSON makes the payload odd. only: of these rows."""
        written = self.unread(*path)
        if only is not None:
            written = {row: text for row, text in written.items() if only[row]}
        try:
            found = _OBJECTS.decode(b"[{%b}]" % b"},{".join(written.values()) if written else b"[]")
        except JSON_ERRORS:
            return self._one_by_one(written)
        return dict(zip(written, found, strict=True))

    def _one_by_one(self, written: Mapping[int, bytes]) -> dict[int, dict[str, Any]]:
        found = {}
        for row, text in written.items():
            try:
                found[row] = _OBJECT.decode(b"{%b}" % text)
            except JSON_ERRORS:
                self.odd[self.owner[row]] = True
        return found

    def stored(self, values: Mapping[int, Mapping[str, Any]]) -> dict[int, bytes]:
        """`extra` of objects by row, without empty ones; what cannot be stored is odd."""
        extra = {}
        for row, kept in values.items():
            try:
                if kept:
                    extra[row] = extra_bytes(kept)
            except DecodeError:
                self.odd[self.owner[row]] = True
        return extra

    def leave(self, rows: Bool) -> None:
        """Make the payloads of these rows odd."""
        self.odd[self.owner[rows]] = True

    def drop_odd(self) -> bool:
        """Drop the rows of payloads that were found odd since; whether there were any."""
        good = ~self.odd[self.owner]
        if good.all():
            return False
        out = self._out
        number = np.cumsum(good) - 1
        noted = out.noted[good[out.noted[:, 0]]]
        noted[:, 0] = number[noted[:, 0]]
        self._out = Out(out.values[good], out.places[good], out.owner[good], out.at[good], noted)
        return True

    def _read_long_numbers(self) -> None:
        """Numbers of many digits, or with an exponent."""
        out = self._out
        for row, what, begin, end in out.noted[out.noted[:, 1] < 0].tolist():
            value = float(self._data[begin:end])
            out.values[row, -1 - what] = value
            if not np.isfinite(value):
                self.odd[out.owner[row]] = True


class Said(NamedTuple):
    """What the rows of Columns say.

    columns: by FixBatch's names, shape (n,) each. ident, driver: of each row
    the number of a text (-1 none), and the texts; none where nobody is named. extra: by row.
    """

    columns: Mapping[str, Any]
    ident: tuple[I32, Sequence[bytes]] | None
    driver: tuple[I32, Sequence[bytes]] | None
    extra: Mapping[int, bytes]


def decode_columns(
    payloads: Sequence[bytes],
    received: I64,
    shape: Shape,
    say: Callable[[Columns], Said],
    read: Callable[[bytes, FixRows], None],
    written: Written | None = None,
) -> Decoded:
    """Decode payloads: those of the shape as columns, the others one by one with `read`.

    say: what rows say; marks those that cannot be said as odd, and is then asked for the others.
    written: the JSON that says what the payloads do, if they are not JSON themselves.
    """
    columns = Columns(shape, Written.of(payloads) if written is None else written)
    with np.errstate(over="ignore"):  # 1e308 becomes infinite, and is refused as such
        said = say(columns)
        if columns.drop_odd():
            said = say(columns)
    idents, drivers = Names(), Names()
    found = assemble(
        {
            **said.columns,
            "time": np.rint(said.columns["time"]),
            "driver": _named(said.driver, len(columns), _licence, drivers),
        },
        payload=columns.owner,
        at=columns.at,
        received=received,
        extra=said.extra,
        ident=_named(said.ident, len(columns), bytes.decode, idents),
        idents=idents.known(),
        drivers=drivers.known(),
    )
    odd = np.flatnonzero(columns.odd).tolist()
    return merged([found, decode_each(payloads, received, read, odd)]) if odd else found


def _named(
    texts: tuple[I32, Sequence[bytes]] | None, n: int, name: Callable[[bytes], str], names: Names
) -> I32:
    """The number of each row's name, -1 for nobody."""
    if texts is None:
        return np.full(n, UNKNOWN, np.int32)
    return np.array([*names.numbers(map(name, texts[1])), UNKNOWN], np.int32)[texts[0]]


@lru_cache(maxsize=1 << 17)
def _licence(raw: bytes) -> str:
    return known_licence(raw.decode())


def words_of(states: Mapping[str, F64]) -> U32:
    """The words of inputs by name: 1 is on, 0 is off, NaN unknown."""
    word: Any = np.uint32(0)
    for name, state in states.items():
        on, off = np.uint32(ON[name]), np.uint32(OFF[name])
        word = word | np.where(state == 1, on, np.where(state == 0, off, np.uint32(0)))
    return word  # type: ignore[no-any-return]
