"""Codec "ruptela": packets of Ruptela's trackers (docs/codecs/ruptela.md).

    length u16 | IMEI u64, command u8, content | CRC-16/Kermit u16

The length and the CRC are those of the part between the bars. Content of command 1 is records left
on the device u8, records u8, record...; command 68 is the same with extended records, of which
several may belong to one fix; command 9 holds trouble codes of the engine with their places.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import isnan
from struct import Struct
from typing import Final

import numpy as np

from devices.batch import I64, FixBatch, Input, Quality, inputs_states
from devices.checks import check_size
from devices.codec import Codec, Decoded, register
from devices.crc16 import KERMIT
from devices.each_fix import each_fix
from devices.errors import DecodeError, EncodeError, Reject
from devices.extra import extra_values
from devices.layouts import Kind, Meaning, Values, Walk, inputs_of, known, read
from devices.records import Records
from devices.texts import printable

RECORDS: Final = 1
TROUBLE_CODES: Final = 9
EXTENDED: Final = 68

OTHER_COMMANDS: Final = {
    2: "configuration", 3: "version", 4: "firmware", 5: "connection", 6: "odometer",
    7: "SMS command", 8: "SMS", 15: "identification", 16: "heartbeat", 17: "set output",
    30: "smart card", 31: "smart card", 37: "file",
}  # fmt: skip

INPUTS: Final[dict[int, Input]] = {
    2: Input.DIN_1,
    3: Input.DIN_2,
    4: Input.DIN_3,
    5: Input.DIN_4,
    13: Input.MOVEMENT,
    173: Input.MOVEMENT,
    170: Input.CHARGING,
    251: Input.IGNITION,
    409: Input.IGNITION,
}
"""Elements that are digital inputs; later ones win."""

ODOMETER_M: Final = 65

_HEADER: Final = Struct(">HQB")
_CRC: Final = Struct(">H")
_NOWHERE: Final = -(1 << 31)
_UNKNOWN_ALTITUDE: Final = -(1 << 15)
_SIZES: Final = (1, 2, 4, 8)
_TROUBLE_BYTES: Final = 19


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads: frames one by one, records as columns."""
    records = Records()
    framed = records.each(lambda index: _check_frame(payloads[index]), range(len(payloads)))
    crcs = KERMIT.of_each([payloads[index][2:-2] for index in framed])
    records.each(lambda index, crc: _split(payloads[index], crc, index, records), framed, crcs)
    return read(records, _KINDS, received)


def _check_frame(payload: bytes) -> None:
    check_size(payload)
    least = _HEADER.size + _CRC.size
    if len(payload) < least:
        detail = f"expected at least {least} bytes, got {len(payload)}"
        raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)
    whole = 2 + (payload[0] << 8 | payload[1]) + _CRC.size
    # Packets of trouble codes give a length of 11 whatever their count: their CRC must do.
    if len(payload) != whole and payload[_HEADER.size - 1] != TROUBLE_CODES:
        detail = f"length {whole - 4}: expected {whole} bytes, got {len(payload)}"
        if len(payload) < whole:
            raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)
        raise DecodeError(Reject.TRAILING_BYTES, at=whole, detail=detail)


def _split(payload: bytes, crc: int, index: int, records: Records) -> None:
    """Cut a packet into its records."""
    end = len(payload) - _CRC.size
    (sent,) = _CRC.unpack_from(payload, end)
    if sent != crc:
        detail = f"crc: expected {crc:04x}, got {sent:04x}"
        raise DecodeError(Reject.BAD_CHECKSUM, at=end, detail=detail)
    _, imei, command = _HEADER.unpack_from(payload)
    ident = f"{imei:015d}" if imei else ""
    if command == TROUBLE_CODES:
        _split_trouble_codes(payload, index, ident, records)
        return
    if command not in {RECORDS, EXTENDED}:
        name = OTHER_COMMANDS.get(command, "unknown")
        detail = f"command {command} ({name}) carries no records"
        raise DecodeError(Reject.UNSUPPORTED, at=_HEADER.size - 1, detail=detail)
    position = _HEADER.size + 2
    if position > end:
        detail = f"expected two counts, got {end - _HEADER.size} bytes"
        raise DecodeError(Reject.TRUNCATED, at=end, detail=detail)
    count = payload[position - 1]
    kind = "extended" if command == EXTENDED else "record"
    if not count:
        raise DecodeError(Reject.NO_CONTENT, at=position - 1, detail="a packet of 0 records")
    if count == 1:
        records.add(index, position, kind, payload[position:end], ident)
        return
    for start, stop in _spans(payload, position, end, count, extended=command == EXTENDED):
        records.add(index, start, kind, payload[start:stop], ident)


def _split_trouble_codes(payload: bytes, index: int, ident: str, records: Records) -> None:
    start, end = _HEADER.size + 1, len(payload) - _CRC.size
    count = payload[_HEADER.size] if start <= end else 0
    if not count:
        raise DecodeError(Reject.NO_CONTENT, at=start - 1, detail="a packet of 0 trouble codes")
    if end - start != count * _TROUBLE_BYTES:
        detail = (
            f"{count} trouble codes: expected {count * _TROUBLE_BYTES} bytes, got {end - start}"
        )
        reason = Reject.TRUNCATED if end - start < count * _TROUBLE_BYTES else Reject.TRAILING_BYTES
        raise DecodeError(reason, at=end, detail=detail)
    for at in range(start, end, _TROUBLE_BYTES):
        records.add(index, at, "trouble", payload[at : at + _TROUBLE_BYTES], ident)


def _spans(
    payload: bytes, position: int, end: int, count: int, *, extended: bool
) -> Iterator[tuple[int, int]]:
    """Where each fix begins and ends: extended records that continue one are part of it."""
    fixed, id_bytes = (25, 2) if extended else (23, 1)
    spans: list[tuple[int, int]] = []
    for number in range(count):
        start = position
        position += fixed
        for size in _SIZES:
            if position >= end:
                detail = f"record {number} of {count} reaches past the end at {end}"
                raise DecodeError(Reject.TRUNCATED, at=start, detail=detail)
            position += 1 + payload[position] * (id_bytes + size)
        part = payload[start + 5] if extended else 0
        if spans and 0 < part & 0xF <= part >> 4:
            spans[-1] = (spans[-1][0], position)
        else:
            spans.append((start, position))
    if position != end:
        detail = f"{count} records end at {position}, expected {end}"
        reason = Reject.TRAILING_BYTES if position < end else Reject.TRUNCATED
        raise DecodeError(reason, at=min(position, end), detail=detail)
    yield from spans


def _walk(walk: Walk, *, extended: bool) -> None:
    walk.value("time", ">u4")
    walk.value("sequence", "u1")
    walk.skip(1 if extended else 0)
    walk.value("priority", "u1")
    for key, kind in (
        ("lon", ">i4"), ("lat", ">i4"), ("altitude", ">i2"), ("angle", ">u2"),
        ("satellites", "u1"), ("speed", ">u2"), ("hdop", "u1"),
    ):  # fmt: skip
        walk.value(key, kind)
    walk.value("event", ">u2" if extended else "u1")
    _walk_elements(walk, extended=extended)
    while extended and walk.left:
        walk.skip(25)
        _walk_elements(walk, extended=True)
    walk.end()


def _walk_elements(walk: Walk, *, extended: bool) -> None:
    for size in _SIZES:
        for _ in range(walk.look()):
            walk.value(walk.look(">H" if extended else "B"), f">u{size}")


def _meaning(values: Values) -> Meaning:
    io = {key: column for key, column in values.items() if isinstance(key, int)}
    states = {bit: io[element] > 0 for element, bit in INPUTS.items() if element in io}
    satellites, lon, lat = values["satellites"], values["lon"], values["lat"]
    columns = {
        "time": values["time"] * 1e6,
        "lon": lon / 1e7,
        "lat": lat / 1e7,
        "altitude": known(values["altitude"], _UNKNOWN_ALTITUDE) / 10,
        "heading": known(values["angle"], 0xFFFF) / 100,
        "speed_kmh": known(values["speed"], 0xFFFF),
        "hdop": known(values["hdop"], 0xFF) / 10,
        "satellites": known(satellites, 0xFF),
        "quality": np.where(satellites == 0, int(Quality.NO_POSITION), 0),
        "inputs": inputs_of(states),
    }
    if ODOMETER_M in io:
        columns["odometer"] = io[ODOMETER_M]
    extra = {"event": values["event"], "priority": values["priority"]}
    return Meaning(
        columns,
        extra | {"sequence": values["sequence"], "io": io},
        refused=[((lon == _NOWHERE) | (lat == _NOWHERE), Reject.MISSING_FIELD, "no position")],
    )


def _walk_trouble(walk: Walk) -> None:
    walk.skip(1)
    for key, kind in (
        ("time", ">u4"), ("lon", ">i4"), ("lat", ">i4"), ("source", "u1"), ("code", "V5"),
    ):  # fmt: skip
        walk.value(key, kind)
    walk.end()


def _trouble_meaning(values: Values) -> Meaning:
    lon, lat = values["lon"], values["lat"]
    codes = [
        printable(code.decode("ascii", "replace").strip("\0 ")) for code in values["code"].tolist()
    ]
    return Meaning(
        {"time": values["time"] * 1e6, "lon": lon / 1e7, "lat": lat / 1e7},
        {"trouble_code": codes, "source": values["source"]},
        refused=[((lon == _NOWHERE) | (lat == _NOWHERE), Reject.MISSING_FIELD, "no position")],
    )


_KINDS: Final = {
    "record": Kind(lambda walk: _walk(walk, extended=False), _meaning),
    "extended": Kind(lambda walk: _walk(walk, extended=True), _meaning),
    "trouble": Kind(_walk_trouble, _trouble_meaning),
}

_FIXED: Final = Struct(">IBBiihHBHBB")
_FIRST_OF: Final = {Input.IGNITION: 251, Input.MOVEMENT: 173, Input.CHARGING: 170}


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One packet of one record per fix; an ident that is no IMEI is written 0."""
    del drivers
    parts = []
    for row, (fix, ident) in enumerate(zip(each_fix(fixes), idents, strict=True)):
        extra = extra_values(fixes.extra[row]) if row in fixes.extra else {}
        io = {int(key): int(value) for key, value in extra.get("io", {}).items()}
        io |= _input_elements(fix.inputs)
        if not isnan(fix.odometer):
            io[ODOMETER_M] = min(round(fix.odometer), 0xFFFF_FFFF)
        tenths = _UNKNOWN_ALTITUDE if isnan(fix.altitude) else round(fix.altitude * 10)
        try:
            fixed = _FIXED.pack(
                fix.time_us // 1_000_000, 0, int(extra.get("priority", 0)),
                round(fix.lon * 1e7), round(fix.lat * 1e7),
                tenths if abs(tenths) < 1 << 15 else _UNKNOWN_ALTITUDE,
                0xFFFF if isnan(fix.heading) else round(fix.heading * 100) % 36_000,
                0 if fix.is_lost else fix.satellites,
                0xFFFF if isnan(fix.speed_kmh) else round(fix.speed_kmh),
                0xFF if isnan(fix.hdop) else min(round(fix.hdop * 10), 0xFE),
                int(extra.get("event", 0)),
            )  # fmt: skip
            head = struct.pack(">QBBB", int(ident) if ident.isdecimal() else 0, RECORDS, 0, 1)
            parts.append(head + fixed + _elements_bytes(io))
        except (struct.error, ValueError, OverflowError) as error:
            raise EncodeError(f"ruptela: fix {row}: {error}") from None
    return [
        _CRC.pack(len(part)) + part + _CRC.pack(crc)
        for part, crc in zip(parts, KERMIT.of_each(parts), strict=True)
    ]


@lru_cache(maxsize=4096)
def _input_elements(word: int) -> Mapping[int, int]:
    states = inputs_states(word)
    numbers = {bit: element for element, bit in INPUTS.items()} | _FIRST_OF
    return {numbers[bit]: int(on) for bit, on in states.items() if bit in numbers}


def _elements_bytes(io: Mapping[int, int]) -> bytes:
    """The elements in groups by the smallest size that holds each; ids are of one byte."""
    sized: dict[int, list[bytes]] = {size: [] for size in _SIZES}
    for element, value in io.items():
        size = next((size for size in _SIZES if value < 1 << 8 * size), _SIZES[-1])
        sized[size].append(element.to_bytes(1, "big") + value.to_bytes(size, "big"))
    return b"".join(bytes((len(group),)) + b"".join(group) for group in sized.values())


RUPTELA: Final = register(Codec(name="ruptela", decode=decode, encode=encode))
