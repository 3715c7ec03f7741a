"""Codec "cellocator": messages of Cellocator's units (docs/codecs/cellocator.md).

    "MCGP", type u8, unit u32, control u16, number u8, content, sum of all bytes behind the mark u8

Numbers are little-endian. Type 0 is the status with a place; type 11 carries modules, of which 6 is
a place and 7 a time. Units whose mark is "MCPG" write the status in other scales.
"""

import struct
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import floor, pi, radians
from struct import Struct
from typing import Any, Final

import numpy as np

from devices.batch import I64, FixBatch, Input, Quality, inputs_states
from devices.checks import check_size
from devices.codec import Codec, Decoded, register
from devices.columns import instants
from devices.each_fix import each_fix, with_zeros
from devices.errors import DecodeError, EncodeError, Reject
from devices.layouts import Kind, Meaning, Values, Walk, inputs_of, read
from devices.records import Records

MARK: Final = b"MCGP"
OTHER_MARK: Final = b"MCPG"

STATUS: Final = 0
MODULES: Final = 11

NAMES: Final = {3: "programming", 7: "log", 8: "serial", 9: "modules of the first kind"}

IGNITION_BIT: Final = 5
DOOR_BIT: Final = 0
CHARGING_BIT: Final = 7

_HEAD: Final = Struct("<4sBI")
_STATUS_BYTES: Final = 70
_LEAST_BYTES: Final = 13
LENGTHS: Final[dict[int, tuple[int, Struct, int]]] = {
    8: (19, Struct("<H"), 16),
    9: (15, Struct("B"), 13),
    MODULES: (16, Struct("<H"), 13),
}
"""By kind, bytes of a message besides those it counts, and how and where it counts them."""
FIXED_LENGTHS: Final = {STATUS: _STATUS_BYTES, 3: 31, 7: 70}
"""By kind, bytes of messages that are always as long."""

_Fields = tuple[tuple[str, str], ...]

_BEGIN: Final[_Fields] = (("control", "<u2"), ("number", "u1"))
_UNIT: Final[_Fields] = (
    ("hardware", "u1"), ("firmware", "u1"), ("protocol", "u1"), ("status", "u1"),
    ("operator", "u1"), ("reason_data", "u1"), ("reason", "u1"), ("mode", "u1"), ("io", "V4"),
)  # fmt: skip
_ANALOG: Final[_Fields] = (("operator_2", "u1"), ("analog", "V4"))
_OTHER_ANALOG: Final[_Fields] = (("input", "u1"), ("analog_1", "<u2"), ("analog_2", "<u2"))
_DRIVEN: Final[_Fields] = (
    ("mileage", "<u3"), ("driver_key", "V6"), ("last_fix", "<u2"), ("location_status", "u1"),
    ("mode_1", "u1"), ("mode_2", "u1"), ("satellites", "u1"),
)  # fmt: skip
_PLACE: Final[_Fields] = (("lon", "<i4"), ("lat", "<i4"), ("altitude", "<i4"))
_TIME: Final[_Fields] = (
    ("second", "u1"), ("minute", "u1"), ("hour", "u1"), ("day", "u1"), ("month", "u1"),
)  # fmt: skip

_PLACE_MODULE: Final = 6
_TIME_MODULE: Final = 7
_MODULE_BYTES: Final = {_PLACE_MODULE: 19, _TIME_MODULE: 7}


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads: messages cut one by one, places as columns."""
    records = Records()
    usual = _usual(payloads)

    def split(index: int, payload: bytes) -> None:
        if index in usual:
            records.add(index, _HEAD.size, "MCGP 0", payload[_HEAD.size : -1], usual[index])
        else:
            _split(payload, index, records)

    records.each(split, range(len(payloads)), payloads)
    return read(records, _KINDS, received)


def _usual(payloads: Sequence[bytes]) -> dict[int, str]:
    """The payloads that are one MCGP status with a right sum, by index, and whose each is."""
    begin, n = MARK + bytes((STATUS,)), _STATUS_BYTES
    taken = [k for k, one in enumerate(payloads) if len(one) == n and one.startswith(begin)]
    raw = np.frombuffer(b"".join([payloads[index] for index in taken]), np.uint8).reshape(-1, n)
    right = raw[:, 4:-1].sum(axis=1, dtype=np.uint8) == raw[:, -1]
    units = raw[:, 5 : _HEAD.size].copy().view("<u4")[:, 0].tolist()
    return {
        index: str(unit) if unit else ""
        for index, unit, whole in zip(taken, units, right.tolist(), strict=True)
        if whole
    }


def _split(payload: bytes, index: int, records: Records) -> None:
    """Cut a payload into messages; each is refused by itself."""
    check_size(payload)
    start = 0
    while start < len(payload):
        message = payload[start : start + _size(payload, start)]
        try:
            _add(message, start, index, records)
        except DecodeError as error:
            records.refuse_part(index, error, start)
        start += len(message)


def _size(payload: bytes, start: int) -> int:
    """The length of the message that begins here."""
    mark, left = payload[start : start + 4], len(payload) - start
    if mark not in {MARK, OTHER_MARK}:
        detail = f"expected MCGP or MCPG, got {mark!r}"
        raise DecodeError(Reject.BAD_SYNTAX, at=start, detail=detail)
    kind = payload[start + 4] if left >= _LEAST_BYTES else STATUS
    size = FIXED_LENGTHS.get(kind, left)
    if kind in LENGTHS:
        size, form, place = LENGTHS[kind]
        if left >= size:
            size += form.unpack_from(payload, start + place)[0]
    if left < size:
        detail = f"a message {kind} of {size} bytes, {left} are left"
        raise DecodeError(Reject.TRUNCATED, at=start, detail=detail)
    return size


def _add(message: bytes, start: int, index: int, records: Records) -> None:
    mark, kind, unit = _HEAD.unpack_from(message)
    if mark == MARK and (total := sum(message[4:-1]) & 0xFF) != message[-1]:
        detail = f"sum: expected {total:02x}, got {message[-1]:02x}"
        raise DecodeError(Reject.BAD_CHECKSUM, at=start + len(message) - 1, detail=detail)
    name = _NAMED.get(message[:5])
    if name is None:
        detail = f"message {mark.decode()} {kind} ({NAMES.get(kind, 'unknown')}): no place"
        raise DecodeError(Reject.UNSUPPORTED, at=start + 4, detail=detail)
    ident = str(unit) if unit else ""
    records.add(index, start + _HEAD.size, name, message[_HEAD.size : -1], ident)


def _named(walk: Walk, *parts: _Fields) -> None:
    for part in parts:
        for key, kind in part:
            walk.value(key, kind)


def _walk_status(analog: _Fields) -> Callable[[Walk], None]:
    def walk_status(walk: Walk) -> None:
        motion = (("speed", "<u4"), ("course", "<u2"))
        _named(walk, _BEGIN, _UNIT, analog, _DRIVEN, _PLACE, motion, _TIME, (("year", "<u2"),))
        walk.end()

    return walk_status


def _walk_modules(walk: Walk) -> None:
    _named(walk, _BEGIN, (("packet", "u1"),))
    walk.skip(2 + 4)  # the length, which was read before; reserved
    seen: Counter[int] = Counter()
    while walk.left:
        kind, size = walk.look(), walk.look("<H")
        end = walk.position + size
        seen[kind] += 1
        if kind in _MODULE_BYTES:
            _check_module(kind, size, seen[kind], walk.position)
            _walk_module(walk, kind)
        if rest := end - walk.position:
            again = f"_{seen[kind]}" if seen[kind] > 1 else ""
            walk.value(f"module_{kind}{again}", f"V{rest}")
    if not {_PLACE_MODULE, _TIME_MODULE} <= set(seen):
        detail = "modules without a place (6) and its time (7)"
        raise DecodeError(Reject.UNSUPPORTED, detail=detail)


def _check_module(kind: int, size: int, times: int, at: int) -> None:
    if size < _MODULE_BYTES[kind]:
        detail = f"module {kind}: expected at least {_MODULE_BYTES[kind]} bytes, got {size}"
        raise DecodeError(Reject.TRUNCATED, at=at, detail=detail)
    if times > 1:
        detail = f"a second module {kind} in one message"
        raise DecodeError(Reject.BAD_VALUE, at=at, detail=detail)


def _walk_module(walk: Walk, kind: int) -> None:
    if kind == _PLACE_MODULE:
        modes = (("hdop", "u1"), ("mode_1", "u1"), ("mode_2", "u1"), ("satellites", "u1"))
        _named(walk, modes, _PLACE, (("speed", "u1"), ("course", "<u2")))
    else:
        _named(walk, (("time_valid", "u1"),), _TIME, (("year", "u1"),))


def _common(values: Values) -> dict[str, Any]:
    satellites = values["satellites"]
    time = (values[key] for key in ("year", "month", "day", "hour", "minute", "second"))
    return {
        "time": instants(*(part.astype(np.int64) for part in time)),
        "altitude": values["altitude"] / 100,
        "satellites": np.where(satellites == _UNKNOWN_SATELLITES, np.nan, satellites),
        "quality": np.where(satellites == 0, int(Quality.NO_POSITION), 0),
    }


_UNKNOWN_SATELLITES: Final = 255


def _radians(values: Values) -> dict[str, Any]:
    return {
        "lon": np.degrees(values["lon"] / 1e8),
        "lat": np.degrees(values["lat"] / 1e8),
        "heading": np.degrees(values["course"] / 1e3),
    }


def _status(values: Values) -> Meaning:
    columns = {**_common(values), **_radians(values), "speed_kmh": values["speed"] * 0.036}
    return _said(values, columns | {"inputs": _inputs(values)})


def _other_status(values: Values) -> Meaning:
    columns = {
        **_common(values), "lon": values["lon"] / 1e7, "lat": values["lat"] / 1e7,
        "speed_kmh": values["speed"], "inputs": _inputs(values),
    }  # fmt: skip
    said = _said(values, columns)
    said.extra = {**said.extra, "course": values["course"]}  # its unit is nowhere written down
    return said


def _modules(values: Values) -> Meaning:
    columns = {**_common(values), **_radians(values), "speed_kmh": values["speed"]}
    columns["hdop"] = values["hdop"]
    return _said(values, columns)


def _bytes_of(column: Any) -> Any:
    """Bytes of a column of them as numbers, shape (n, size)."""
    return np.frombuffer(column.tobytes(), np.uint8).reshape(len(column), -1)


def _inputs(values: Values) -> Any:
    first, _, _, fourth = _bytes_of(values["io"]).T
    return inputs_of({
        Input.IGNITION: first >> IGNITION_BIT & 1 > 0,
        Input.DOOR: first >> DOOR_BIT & 1 > 0,
        Input.CHARGING: fourth >> CHARGING_BIT & 1 > 0,
    })  # fmt: skip


def _said(values: Values, columns: dict[str, Any]) -> Meaning:
    extra: dict[str, Any] = {}
    for key, column in values.items():
        if key == "driver_key":
            keys = [raw.hex() for raw in column.tolist()]
            extra[key] = [None if raw == "0" * 12 else raw for raw in keys]
        elif key == "analog":
            extra[key] = _bytes_of(column).tolist()
        elif key not in _READ:
            hexadecimal = column.dtype.kind == "V"
            extra[key] = [raw.hex() for raw in column.tolist()] if hexadecimal else column
    no_date = np.isnan(columns["time"]), Reject.BAD_VALUE, "time: expected a date and time"
    return Meaning(columns, extra, refused=[no_date])


_READ: Final = frozenset({
    "lon", "lat", "altitude", "speed", "course", "satellites", "hdop", "second", "minute", "hour",
    "day", "month", "year", "received",
})  # fmt: skip

_KINDS: Final = {
    "MCGP 0": Kind(_walk_status(_ANALOG), _status),
    "MCPG 0": Kind(_walk_status(_OTHER_ANALOG), _other_status),
    "MCGP 11": Kind(_walk_modules, _modules),
}

_NAMED: Final = {
    MARK + bytes((STATUS,)): "MCGP 0",
    OTHER_MARK + bytes((STATUS,)): "MCPG 0",
    MARK + bytes((MODULES,)): "MCGP 11",
}

_CONTENT: Final = Struct("<HB8B4BB4B3s6sHBBBBiiiIH5BH")


def _angle(radians: float, most: float) -> int:
    """Hundred-millionths of a radian; at the poles and the date line not rounded beyond them.

    Raises ValueError for a place that is not on the globe.
    """
    units, end = round(radians * 1e8), floor(most * 1e8)
    if abs(units) > end + 1:
        raise ValueError(f"a place: expected at most {most:.4f} radians, got {radians:.4f}")
    return min(max(units, -end), end)


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One status per fix; an ident that is no number of 32 bits is written 0."""
    del drivers
    out = []
    columns = with_zeros(fixes, "altitude", "speed_kmh", "heading")
    for row, (fix, ident) in enumerate(zip(each_fix(columns), idents, strict=True)):
        states = inputs_states(fix.inputs)
        first = bool(states.get(Input.IGNITION)) << IGNITION_BIT
        first |= bool(states.get(Input.DOOR)) << DOOR_BIT
        fourth = bool(states.get(Input.CHARGING)) << CHARGING_BIT
        when = datetime.fromtimestamp(fix.time_us // 1_000_000, UTC)
        unit = int(ident) if ident.isdecimal() and int(ident) < 1 << 32 else 0
        try:
            message = _HEAD.pack(MARK, STATUS, unit) + _CONTENT.pack(
                0, row & 0xFF, *bytes(8), first, 0, 0, fourth, 0, *bytes(4), bytes(3), bytes(6),
                0, 0, 0, 0, 0 if fix.is_lost else fix.satellites, _angle(radians(fix.lon), pi),
                _angle(radians(fix.lat), pi / 2), round(fix.altitude * 100),
                round(fix.speed_kmh / 0.036), round(radians(fix.heading) * 1e3) % round(2e3 * pi),
                when.second, when.minute, when.hour, when.day, when.month, when.year,
            )  # fmt: skip
        except (struct.error, ValueError) as error:
            raise EncodeError(f"cellocator: fix {row}: {error}") from None
        out.append(message + bytes((sum(message[4:]) & 0xFF,)))
    return out


CELLOCATOR: Final = register(Codec(name="cellocator", decode=decode, encode=encode))
