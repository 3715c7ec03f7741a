"""The records of plain packets read as columns, by one kernel.

Plain: Codec 8, 8 Extended or 16, whole, with a right CRC, no element twice in a record, and none
that is measured here in the group of variable length. Everything else is left to `records.py`,
whose words these are.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from devices.batch import F64, I32, I64, U8, U16, U32, Quality
from devices.checks import assemble
from devices.codec import Decoded
from devices.compile import kernel
from devices.extra import MAX_EXTRA_BYTES
from devices.formats.teltonika.elements import HDOP, HDOP_UNIT, INPUTS, ODOMETER_M
from devices.formats.teltonika.framing import Frame
from devices.formats.teltonika.records import NO_SATELLITES, UNKNOWN_SATELLITES
from devices.input_names import OFF, ON

AT_ONCE_BYTES: Final = 4 << 20
"""Bodies that are read in one call: the texts of their elements take up to five times as much."""

TEXT_PER_BYTE: Final = 5
"""An element of two bytes, Codec 8's smallest, is written in at most ten characters: "255":255,"""

TEXT_PER_RECORD: Final = 64

_HEX: Final = np.frombuffer(b"0123456789abcdef", np.uint8)
_PRIORITY: Final = np.frombuffer(b'{"priority":', np.uint8)
_EVENT: Final = np.frombuffer(b',"event":', np.uint8)
_IO: Final = np.frombuffer(b',"io":{', np.uint8)

_HDOP, _ODOMETER, _FIRST_INPUT = 1, 2, 3


def _roles() -> U8:
    """What each element is measured as: 0 nothing."""
    roles = np.zeros(1 << 16, np.uint8)
    roles[HDOP], roles[ODOMETER_M] = _HDOP, _ODOMETER
    for number, element in enumerate(INPUTS):
        roles[element] = _FIRST_INPUT + number
    return roles


_ROLES: Final = _roles()
_WORDS: Final = np.array(
    [(OFF[str(bit.name).lower()], ON[str(bit.name).lower()]) for bit in INPUTS.values()], np.uint32
)


def _crc_table() -> U16:
    """CRC-16/IBM of each byte (devices/crc16.py)."""
    crc = np.arange(256, dtype=np.uint16)
    for _ in range(8):
        crc = np.where(crc & 1, (crc >> 1) ^ 0xA001, crc >> 1).astype(np.uint16)
    return crc


_CRC: Final = _crc_table()


class Rows(NamedTuple):
    """Columns of records, with room for all that the bodies announce.

    text, text_end: each record's `extra` as JSON, one after another, and where each ends.
    """

    time_us: F64
    lon: F64
    lat: F64
    altitude: F64
    heading: F64
    satellites: F64
    speed_kmh: F64
    hdop: F64
    odometer: F64
    inputs: U32
    text: U8
    text_end: I64


_NUMBERS: Final = Rows._fields[:9]


class Scratch(NamedTuple):
    """What the kernel works with: tables, and where each element was last seen (row + 1)."""

    crc: U16
    roles: U8
    words: U32
    seen: I64


def read_columns(
    frames: Sequence[tuple[int, Frame]], received: I64
) -> tuple[list[Decoded], list[tuple[int, Frame]]]:
    """What plain packets hold, and the packets that are not plain.

    frames: with the index of the payload of each, ascending.
    """
    found: list[Decoded] = []
    odd: list[tuple[int, Frame]] = []
    scratch = Scratch(_CRC, _ROLES, _WORDS, np.zeros(1 << 16, np.int64))
    for group in _groups(frames):
        scratch.seen[:] = 0
        decoded, left = _read(group, received, scratch)
        found.append(decoded)
        odd += left
    return found, odd


def _groups(frames: Sequence[tuple[int, Frame]]) -> list[list[tuple[int, Frame]]]:
    groups: list[list[tuple[int, Frame]]] = []
    size = AT_ONCE_BYTES
    for frame in frames:
        if size >= AT_ONCE_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(frame)
        size += len(frame[1].payload)
    return groups


def _read(
    group: list[tuple[int, Frame]], received: I64, scratch: Scratch
) -> tuple[Decoded, list[tuple[int, Frame]]]:
    """One group: its plain packets, and the others."""
    index: I32 = np.array([index for index, _ in group], np.int32)
    frames = [frame for _, frame in group]
    sizes = np.array([len(frame.payload) for frame in frames])
    first = np.cumsum(sizes) - sizes
    start = first + np.array([frame.start for frame in frames])
    end = first + np.array([frame.end for frame in frames])
    crc = np.array([frame.crc for frame in frames])
    data = np.frombuffer(b"".join([frame.payload for frame in frames]), np.uint8)
    announced = int(data[start + 1].sum(dtype=np.int64))
    rows = _room(announced, len(data))
    plain = np.zeros(len(frames), np.int64)
    count = _bodies(data, start, end, crc, rows, scratch, plain)
    owner = np.repeat(index, plain)
    starts = np.repeat(np.cumsum(plain) - plain, plain)
    named = [frame.ident for frame, records in zip(frames, plain.tolist(), strict=True) if records]
    idents = tuple(dict.fromkeys(name for name in named if name))
    numbers = {name: number for number, name in enumerate(idents)} | {"": -1}
    decoded = _decoded(
        rows, count, owner, np.arange(count) - starts, received, idents,
        np.repeat(np.array([numbers[name] for name in named], np.int32), plain[plain > 0]),
    )  # fmt: skip
    return decoded, [one for one, records in zip(group, plain.tolist(), strict=True) if not records]


def _room(records: int, size: int) -> Rows:
    numbers = {name: np.empty(records, np.float64) for name in _NUMBERS}
    return Rows(
        **numbers,
        inputs=np.empty(records, np.uint32),
        text=np.empty(TEXT_PER_BYTE * size + TEXT_PER_RECORD * records, np.uint8),
        text_end=np.empty(records, np.int64),
    )


def _decoded(
    rows: Rows, count: int, owner: I32, at: I64, received: I64, idents: tuple[str, ...], ident: I32
) -> Decoded:
    satellites = rows.satellites[:count]
    quality = np.where(satellites == NO_SATELLITES, int(Quality.NO_POSITION), 0)
    satellites = np.where(satellites == UNKNOWN_SATELLITES, np.nan, satellites)
    ends = rows.text_end[:count].tolist()
    text = rows.text[: ends[-1]].tobytes() if count else b""
    return assemble(
        {
            "time": rows.time_us[:count],
            "lon": rows.lon[:count],
            "lat": rows.lat[:count],
            "altitude": rows.altitude[:count],
            "heading": rows.heading[:count],
            "speed_kmh": rows.speed_kmh[:count],
            "satellites": satellites,
            "hdop": rows.hdop[:count],
            "odometer": rows.odometer[:count],
            "inputs": rows.inputs[:count],
            "quality": quality,
        },
        payload=owner,
        at=at,
        received=received,
        extra=dict(enumerate([text[a:b] for a, b in pairwise([0, *ends])])),
        ident=ident,
        idents=idents,
    )


@kernel
def _bodies(
    data: U8, start: I64, end: I64, crc: I64, rows: Rows, scratch: Scratch, plain: I64
) -> int:
    """Read the bodies that are plain; the number of rows. plain: of each body, its records."""
    row = 0
    at = 0
    for body in range(len(start)):
        if not _is_framed(data, start[body], end[body], crc[body], scratch.crc):
            continue
        codec = int(data[start[body]])
        count = int(data[start[body] + 1])
        last = end[body] - 1
        position = start[body] + 2
        text = at
        for record in range(count):
            position, text = _record(data, position, last, codec, rows, row + record, text, scratch)
            if position < 0:
                break
        if position == last:
            plain[body] = count
            row += count
            at = text
    return row


@kernel
def _is_framed(data: U8, start: int, end: int, crc: int, table: U16) -> bool:
    """Whether a body is of a codec that is read here, with a right count and CRC."""
    codec = data[start]
    if codec not in (0x08, 0x8E, 0x10) or data[start + 1] == 0 or data[start + 1] != data[end - 1]:
        return False
    if crc < 0:
        return True
    found = 0
    for k in range(start, end):
        found = (found >> 8) ^ int(table[(found ^ int(data[k])) & 0xFF])
    return found == crc


@kernel
def _big_endian(data: U8, position: int, size: int) -> int:
    """An unsigned number of up to 7 bytes; one of 8 keeps its bits, as a signed one."""
    value = 0
    for k in range(size):
        value = (value << 8) | int(data[position + k])
    return value


@kernel
def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


@kernel
def _record(
    data: U8,
    position: int,
    last: int,
    codec: int,
    rows: Rows,
    row: int,
    text: int,
    scratch: Scratch,
) -> tuple[int, int]:
    """Read one record into its row: where it ends, and its text. (-1, _) where it is odd."""
    id_bytes = 1 if codec == 0x08 else 2
    count_bytes = 2 if codec == 0x8E else 1
    head = 24 + id_bytes + (1 if codec == 0x10 else 0) + count_bytes
    if position + head > last:
        return -1, text
    began = text
    time_ms = _big_endian(data, position, 8)
    if time_ms < 0:
        return -1, text
    rows.time_us[row] = time_ms * 1000.0
    rows.lon[row] = _signed(_big_endian(data, position + 9, 4), 32) / 1e7
    rows.lat[row] = _signed(_big_endian(data, position + 13, 4), 32) / 1e7
    rows.altitude[row] = _signed(_big_endian(data, position + 17, 2), 16)
    rows.heading[row] = _big_endian(data, position + 19, 2)
    rows.satellites[row] = data[position + 21]
    rows.speed_kmh[row] = _big_endian(data, position + 22, 2)
    rows.hdop[row] = np.nan
    rows.odometer[row] = np.nan
    rows.inputs[row] = 0
    text = _put(rows.text, text, _PRIORITY)
    text = _put_number(rows.text, text, np.uint64(data[position + 8]))
    text = _put(rows.text, text, _EVENT)
    text = _put_number(rows.text, text, np.uint64(_big_endian(data, position + 24, id_bytes)))
    text = _put(rows.text, text, _IO)
    position, text = _groups_of_one_size(
        data, position + head, last, id_bytes, count_bytes, rows, row, text, scratch
    )
    if position >= 0 and codec == 0x8E:
        position, text = _variable(data, position, last, rows, row, text, scratch)
    if rows.text[text - 1] == 0x2C:  # the comma behind the last element
        text -= 1
    rows.text[text] = 0x7D
    rows.text[text + 1] = 0x7D
    text += 2
    rows.text_end[row] = text
    return (position if text - began <= MAX_EXTRA_BYTES else -1), text


@kernel
def _groups_of_one_size(
    data: U8,
    position: int,
    last: int,
    id_bytes: int,
    count_bytes: int,
    rows: Rows,
    row: int,
    text: int,
    scratch: Scratch,
) -> tuple[int, int]:
    """Read the groups of elements of 1, 2, 4 and 8 bytes; as `_record`."""
    size = 1
    while size <= 8:
        if position + count_bytes > last:
            return -1, text
        count = _big_endian(data, position, count_bytes)
        position += count_bytes
        if position + count * (id_bytes + size) > last:
            return -1, text
        for _ in range(count):
            element = _big_endian(data, position, id_bytes)
            value = np.uint64(_big_endian(data, position + id_bytes, size))
            position += id_bytes + size
            if scratch.seen[element] == row + 1:
                return -1, text
            scratch.seen[element] = row + 1
            _measure(int(scratch.roles[element]), value, rows, row, scratch.words)
            text = _put_key(rows.text, text, element)
            text = _put_number(rows.text, text, value)
            rows.text[text] = 0x2C
            text += 1
        size *= 2
    return position, text


@kernel
def _variable(
    data: U8, position: int, last: int, rows: Rows, row: int, text: int, scratch: Scratch
) -> tuple[int, int]:
    """Read the elements of any length, as hexadecimal text; as `_record`."""
    if position + 2 > last:
        return -1, text
    count = _big_endian(data, position, 2)
    position += 2
    for _ in range(count):
        if position + 4 > last:
            return -1, text
        element = _big_endian(data, position, 2)
        length = _big_endian(data, position + 2, 2)
        position += 4
        odd = scratch.seen[element] == row + 1 or scratch.roles[element] != 0
        if odd or position + length > last:
            return -1, text
        scratch.seen[element] = row + 1
        text = _put_key(rows.text, text, element)
        rows.text[text] = 0x22
        text += 1
        for k in range(position, position + length):
            rows.text[text] = _HEX[data[k] >> 4]
            rows.text[text + 1] = _HEX[data[k] & 15]
            text += 2
        rows.text[text] = 0x22
        rows.text[text + 1] = 0x2C
        text += 2
        position += length
    return position, text


@kernel
def _measure(role: int, value: np.uint64, rows: Rows, row: int, words: U32) -> None:
    """Put an element into its column."""
    if role == 0:
        return
    if role == _HDOP:
        rows.hdop[row] = np.float64(value) * HDOP_UNIT
    elif role == _ODOMETER:
        rows.odometer[row] = np.float64(value)
    else:
        rows.inputs[row] |= words[role - _FIRST_INPUT, 1 if value else 0]


@kernel
def _put(text: U8, at: int, what: U8) -> int:
    for k in range(len(what)):
        text[at + k] = what[k]
    return at + len(what)


@kernel
def _put_key(text: U8, at: int, element: int) -> int:
    """Write `"element":`."""
    text[at] = 0x22
    at = _put_number(text, at + 1, np.uint64(element))
    text[at] = 0x22
    text[at + 1] = 0x3A
    return at + 2


@kernel
def _put_number(text: U8, at: int, value: np.uint64) -> int:
    """Write a number in decimal."""
    ten = np.uint64(10)
    digits = 1
    rest = value // ten
    while rest:
        digits += 1
        rest //= ten
    for k in range(digits - 1, -1, -1):
        text[at + k] = 48 + value % ten
        value //= ten
    return at + digits
