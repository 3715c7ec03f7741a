"""Messages of JSON read as columns: which members are known, and what many payloads say of them.

Belongs here: the tables for the compiled reader (devices/json_kernel.py) and what it read, for
codecs. A codec says which members its messages mostly have; payloads that are odd are left to its
reader of single payloads. Both must say the same; tests hold them together.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from devices.batch import F64, I32, I64, Bool
from devices.codec import MAX_PAYLOAD_BYTES
from devices.distinct import distinct
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

Path = tuple[str, ...]

_BYTES_A_NOTE: Final = 8
"""Payloads of more unknown members than one in so many bytes are odd."""

_OBJECT: Final = msgspec.json.Decoder(dict[str, Any])
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


class Columns:
    """What payloads of a shape say, one row a message.

    odd: shape (payloads,), those that are of another shape, and have no rows.
    """

    def __init__(self, shape: Shape, payloads: Sequence[bytes]) -> None:
        self._shape = shape
        sizes = np.fromiter(map(len, payloads), np.int64, len(payloads))
        self._data = b"\0".join([*payloads, _BEHIND])
        ends = np.cumsum(sizes + 1) - 1
        rows = len(self._data) // shape.least_bytes + 1
        out = Out(
            values=np.empty((rows, max(len(shape.numbers), 1)), np.float64),
            places=np.empty((rows, max(len(shape.texts), 1), 2), np.int64),
            owner=np.empty(rows, np.int32),
            at=np.empty(rows, np.int64),
            noted=np.empty((len(self._data) // _BYTES_A_NOTE + 1, 4), np.int64),
        )
        self.odd: Bool = sizes > MAX_PAYLOAD_BYTES
        raw, follows = (
            np.frombuffer(self._data, np.uint8),
            np.zeros(len(shape.table.flags) + 1, np.int64),
        )
        n, noted = read_messages(raw, ends - sizes, ends, shape.table, follows, out, self.odd)
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

    def others(self) -> dict[int, dict[Path, dict[str, Any]]]:
        """By row, the members that are not known, as objects by the path of what they stand in.

        Members that are no JSON make the payload odd.
        """
        paths = list(self._shape.objects)
        written: dict[int, dict[Path, list[bytes]]] = {}
        data = self._data
        members = self._out.noted[self._out.noted[:, 1] >= 0]
        for row, inside, begin, end in members.tolist():
            written.setdefault(row, {}).setdefault(paths[inside], []).append(data[begin:end])
        found: dict[int, dict[Path, dict[str, Any]]] = {}
        for row, objects in written.items():
            try:
                found[row] = {path: _object(members) for path, members in objects.items()}
            except JSON_ERRORS:
                self.odd[self.owner[row]] = True
        return found

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


def _object(members: list[bytes]) -> dict[str, Any]:
    """The object of members as they are written. Raises JSON_ERRORS."""
    return _OBJECT.decode(b"{%b}" % b",".join(members))
