"""WayPoints of many messages read as columns, by one kernel over the wire format.

Plain: a message of nothing but its msgType and the one body of that number, whose points hold only
known fields, each at most once, among them a plate, a time and a place. Everything else is left to
the reader of single messages in `codec.py`, whose words these are.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import isfinite, isnan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from devices.batch import F64, I32, I64, U8, U32, UNKNOWN, Bool
from devices.checks import assemble
from devices.codec import MAX_PAYLOAD_BYTES, Decoded
from devices.compile import kernel
from devices.distinct import distinct
from devices.errors import DecodeError
from devices.extra import extra_bytes
from devices.formats.ufms.schema import (
    BUS_WAY_POINT,
    DOUBLE,
    FLOAT,
    LISTS,
    MESSAGES,
    TEXT,
    WAY_POINT,
)
from devices.input_names import OFF, ON
from devices.texts import Names, known_licence, normal_plate

U64 = NDArray[np.uint64]

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_WIRE: Final = {DOUBLE: _FIXED_64, FLOAT: _FIXED_32, TEXT: _BYTES}

FIELDS: Final = 17
"""One more than the highest number of a field of a point."""

LEAST_POINT_BYTES: Final = 20
"""A time and a place take more; so many points at most are in a message."""

_NAN_32: Final = 0x7FC0_0000

_LENGTH_BITS: Final = 24
"""Text is noted as its place in the data, shifted by this, and its length."""

_NUMBER: Final = {
    kind: {name: number for number, name, _ in MESSAGES[message][1]}
    for kind, message in ((WAY_POINT, "WayPoint"), (BUS_WAY_POINT, "BusWayPoint"))
}

INPUTS: Final[dict[int, tuple[str, ...]]] = {
    WAY_POINT: ("ignition", "door", "aircon"),
    BUS_WAY_POINT: ("ignition", "aircon", "door_up", "door_down", "sos", "working"),
}
"""The fields of a point that are inputs."""

NUMBERS: Final[dict[int, tuple[str, ...]]] = {
    WAY_POINT: ("maxvalidspeed", "vss"),
    BUS_WAY_POINT: ("analog1", "analog2"),
}
"""Fields without a column, kept in `extra` where they are sent."""


def _wires() -> U8:
    """The wire type of each field, shape (2, FIELDS): of a WayPoint and a BusWayPoint; 255 none."""
    wires = np.full((2, FIELDS), 255, np.uint8)
    for row, message in enumerate(("WayPoint", "BusWayPoint")):
        for number, _, kind in MESSAGES[message][1]:
            wires[row, number] = _WIRE.get(kind, _VARINT)
    return wires


def _kinds() -> U8:
    """What a body of each number holds: 1 a point, 2 points; and 4 more if they are of buses."""
    kinds = np.zeros(256, np.uint8)
    kinds[WAY_POINT], kinds[BUS_WAY_POINT] = 1, 1 + 4
    for number, element in LISTS.values():
        kinds[number] = 2 + (4 if element == "BusWayPoint" else 0)
    return kinds


_WIRES: Final = _wires()
_KINDS: Final = _kinds()
_REQUIRED: Final = sum(1 << _NUMBER[WAY_POINT][name] for name in ("vehicle", "datetime", "x", "y"))


def read_columns(payloads: Sequence[bytes], received: I64) -> tuple[list[Decoded], list[int]]:
    """What plain messages hold, and the indices of the payloads that are not plain."""
    sizes = np.array([len(payload) for payload in payloads], np.int64)
    data = b"".join(payloads)
    room = len(data) // LEAST_POINT_BYTES + 1
    values, present = np.empty((room, FIELDS), np.uint64), np.empty(room, np.uint32)
    points, kinds = np.zeros(len(payloads), np.int64), np.zeros(len(payloads), np.uint8)
    end = np.cumsum(sizes)
    raw = np.frombuffer(data, np.uint8)
    count = _messages(raw, end - sizes, end, _WIRES, _KINDS, values, present, points, kinds)
    owner = np.repeat(np.arange(len(payloads), dtype=np.int32), points)
    number = np.arange(count) - np.repeat(np.cumsum(points) - points, points)
    found = []
    odd = (points == 0) | (sizes > MAX_PAYLOAD_BYTES)
    for kind in (WAY_POINT, BUS_WAY_POINT):
        rows = np.flatnonzero(((kinds[owner] & 4) != 0) == (kind == BUS_WAY_POINT))
        made = _Points(kind, data, values[rows], present[rows])
        bad = np.isin(owner[rows], owner[rows][made.bad]) | odd[owner[rows]]
        odd[owner[rows][bad]] = True
        found.append(made.decoded(~bad, owner[rows], number[rows], received))
    return found, np.flatnonzero(odd).tolist()


class _Points:
    """Points of one kind: `bad` marks those that are not plain after all, shape (n,)."""

    def __init__(self, kind: int, data: bytes, values: U64, present: U32) -> None:
        self._kind = kind
        self._data = data
        self._values = values
        self._present = present
        self._idents, self._drivers = Names(), Names()
        self.bad: Bool = np.zeros(len(values), np.bool_)
        x, y = self._doubles("x"), self._doubles("y")
        self.bad |= np.isnan(x) | np.isnan(y)
        self._plate, self._plates = self._texts("vehicle")
        self._ident = self._named(self._plate, self._plates, _plate, self._idents)
        self._driver = self._named(*self._texts("driver"), _licence, self._drivers)
        self.bad |= self._ident < 0
        self._extra = self._extras()

    def _column(self, name: str) -> U64:
        return self._values[:, _NUMBER[self._kind][name]]

    def _has(self, name: str) -> Bool:
        mask: Bool = (self._present >> np.uint32(_NUMBER[self._kind][name])) & 1 == 1
        return mask

    def _doubles(self, name: str) -> F64:
        return np.where(self._has(name), self._column(name).copy().view(np.float64), np.nan)

    def _floats(self, name: str) -> F64:
        bits = np.where(self._has(name), self._column(name), np.uint64(_NAN_32)).astype(np.uint32)
        with np.errstate(invalid="ignore"):  # a NaN that signals becomes a quiet one
            return bits.view(np.float32).astype(np.float64)

    def _texts(self, name: str) -> tuple[I32, list[bytes]]:
        """The number of each point's text in a field, -1 where it has none, and the texts."""
        places = np.where(self._has(name), self._column(name), 0)
        start = (places >> np.uint64(_LENGTH_BITS)).astype(np.int64)
        size = (places & np.uint64((1 << _LENGTH_BITS) - 1)).astype(np.int64)
        return distinct(self._data, start, start + size)

    def _named(
        self, number: I32, texts: list[bytes], name: Callable[[bytes], str], names: Names
    ) -> I32:
        """The number of each text's name; -1 nobody; a text that is none makes its point bad."""
        named, bad = np.full(len(texts) + 1, UNKNOWN, np.int32), np.zeros(len(texts) + 1, np.bool_)
        for at, text in enumerate(texts):
            try:
                named[at] = names.number(name(text))
            except UnicodeDecodeError:
                bad[at] = True
        self.bad |= bad[number]
        return named[number]

    def _extras(self) -> dict[int, bytes]:
        """`extra` by row; one that cannot be stored makes its point bad."""
        plates = [*map(_plate_extra, self._plates), b""]
        rows = np.flatnonzero(np.array([*map(bool, plates)])[self._plate] & ~self.bad).tolist()
        extra = {row: plates[self._plate[row]] for row in rows}
        numbers = {
            name: self._doubles(name) if name == "maxvalidspeed" else self._floats(name)
            for name in NUMBERS[self._kind]
        }
        location, texts = self._texts("location") if self._kind == WAY_POINT else (None, [])
        more = np.zeros(len(self.bad), np.bool_) if location is None else location >= 0
        for column in numbers.values():
            more |= ~np.isnan(column)
        for row in np.flatnonzero(more & ~self.bad).tolist():
            said: dict[str, Any] = {}
            try:
                if row in extra:
                    said["vehicle"] = self._plates[self._plate[row]].decode()
                for name, column in numbers.items():
                    value = float(column[row])
                    if not isnan(value):
                        said[name] = value if isfinite(value) else str(value)
                if location is not None and location[row] >= 0:
                    said["location"] = texts[location[row]].decode()
                extra[row] = extra_bytes(said)
            except (DecodeError, UnicodeDecodeError):
                self.bad[row] = True
        return extra

    def decoded(self, good: Bool, owner: I32, number: I64, received: I64) -> Decoded:
        """The points that are good, as fixes. owner, number: of each point."""
        word = np.zeros(len(good), np.uint32)
        for name in INPUTS[self._kind]:
            state = np.where(self._column(name) != 0, np.uint32(ON[name]), np.uint32(OFF[name]))
            word |= np.where(self._has(name), state, np.uint32(0))
        columns: dict[str, NDArray[Any]] = {
            "time": self._column("datetime").astype(np.float64) * 1e6,
            "lon": self._doubles("x"),
            "lat": self._doubles("y"),
            "speed_kmh": self._floats("speed"),
            "heading": self._floats("heading"),
            "altitude": self._floats("z"),
            "driver": self._driver,
            "inputs": word,
        }
        extra, ident = self._extra, self._ident
        if not good.all():
            columns = {name: column[good] for name, column in columns.items()}
            new = dict(zip(np.flatnonzero(good).tolist(), range(len(good)), strict=False))
            extra = {new[row]: text for row, text in extra.items() if row in new}
            owner, number, ident = owner[good], number[good], ident[good]
        return assemble(
            columns,
            payload=owner,
            at=number,
            received=received,
            extra=extra,
            ident=ident,
            idents=self._idents.known(),
            drivers=self._drivers.known(),
        )


# The same vehicles and drivers come again and again.
@lru_cache(maxsize=1 << 17)
def _plate(raw: bytes) -> str:
    return normal_plate(raw.decode())


@lru_cache(maxsize=1 << 17)
def _plate_extra(raw: bytes) -> bytes:
    """The `extra` of a plate that is not written in its normal form; empty where it is."""
    try:
        plate = raw.decode()
    except UnicodeDecodeError:  # of a point that is bad
        return b""
    return extra_bytes({"vehicle": plate}) if _plate(raw) not in {"", plate} else b""


@lru_cache(maxsize=1 << 17)
def _licence(raw: bytes) -> str:
    return known_licence(raw.decode())


@kernel
def _messages(
    data: U8,
    start: I64,
    end: I64,
    wires: U8,
    kinds: U8,
    values: U64,
    present: U32,
    points: I64,
    kind: U8,
) -> int:
    """Read the messages that are plain; the number of points. points, kind: of each message."""
    row = 0
    for message in range(len(start)):
        found, row_end = _message(
            data, start[message], end[message], wires, kinds, values, present, row
        )
        if found > 0:
            kind[message] = found
            points[message] = row_end - row
            row = row_end
    return row


@kernel
def _message(  # noqa: C901, PLR0911 one message, one exit for everything odd about it
    data: U8, at: int, end: int, wires: U8, kinds: U8, values: U64, present: U32, row: int
) -> tuple[int, int]:
    """Read one message: its kind, and the row behind its points. (0, _) where it is odd."""
    number, body, body_end = -1, -1, -1
    said = -1
    while at < end:
        tag, at = _varint(data, at, end)
        if tag == (1 << 3) and said < 0:
            said, at = _varint(data, at, end)
        elif tag >= 0 and tag & 7 == _BYTES and number < 0 and tag >> 3 < len(kinds):
            number = tag >> 3
            length, body = _varint(data, at, end)
            if length < 0 or body + length > end:
                return 0, row
            body_end = body + length
            at = body_end
        else:
            return 0, row
    if number < 0 or said != number or kinds[number] == 0:
        return 0, row
    wire = wires[1] if kinds[number] & 4 else wires[0]
    if kinds[number] & 1:
        if not _point(data, body, body_end, wire, values, present, row):
            return 0, row
        return int(kinds[number]), row + 1
    began = row
    while body < body_end:
        tag, body = _varint(data, body, body_end)
        if tag != (1 << 3 | _BYTES):
            return 0, began
        length, body = _varint(data, body, body_end)
        if length < 0 or body + length > body_end:
            return 0, began
        if not _point(data, body, body + length, wire, values, present, row):
            return 0, began
        row += 1
        body += length
    return (int(kinds[number]) if row > began else 0), row


@kernel
def _point(data: U8, at: int, end: int, wire: U8, values: U64, present: U32, row: int) -> bool:
    """Read one point into its row; whether it is plain."""
    if end - at < LEAST_POINT_BYTES or row >= len(present):
        return False
    seen = 0
    while at < end:
        tag, at = _varint(data, at, end)
        number = tag >> 3
        if tag < 0 or number >= FIELDS or wire[number] != tag & 7 or seen >> number & 1:
            return False
        seen |= 1 << number
        if tag & 7 == _VARINT:
            value, at = _varint(data, at, end)
            if value < 0 or value >= 1 << 31:
                return False
            values[row, number] = value
        elif tag & 7 == _BYTES:
            length, at = _varint(data, at, end)
            if length < 0 or at + length > end:
                return False
            values[row, number] = at << _LENGTH_BITS | length
            at += length
        else:
            size = 8 if tag & 7 == _FIXED_64 else 4
            if at + size > end:
                return False
            bits = np.uint64(0)
            for k in range(size - 1, -1, -1):
                bits = (bits << np.uint64(8)) | np.uint64(data[at + k])
            values[row, number] = bits
            at += size
    present[row] = seen
    return seen & _REQUIRED == _REQUIRED and values[row, 4] != 0


@kernel
def _varint(data: U8, at: int, end: int) -> tuple[int, int]:
    """A number of up to 5 bytes and where it ends; (-1, _) where there is none, or a longer one."""
    value = 0
    for k in range(5):
        if at + k >= end:
            return -1, end
        byte = int(data[at + k])
        value |= (byte & 0x7F) << (7 * k)
        if byte < 0x80:
            return value, at + k + 1
    return -1, end
