"""Codec "teltonika": AVL data packets of Codec 8, 8 Extended and 16 (docs/codecs/teltonika.md).

    0000 0000 | length u32 | codec u8, records u8, record..., records u8 | CRC-16/IBM u32

The length and the CRC are those of the part between the bars. A record is `RECORD` and its
elements, in groups by the size of the value. A packet that contradicts itself is refused whole.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final

import msgspec
import numpy as np

from devices.batch import I64, Quality
from devices.checks import assemble, check_size
from devices.codec import Codec, Decoded, Refusal, register
from devices.crc16 import crc16_ibm_each
from devices.errors import DecodeError, Reject
from devices.extra import MAX_EXTRA_BYTES
from devices.formats.teltonika.elements import measured
from devices.formats.teltonika.encoding import encode

HEADER: Final = Struct(">II")
TRAILER: Final = Struct(">I")
MIN_PACKET_BYTES: Final = HEADER.size + 3 + TRAILER.size

RECORD: Final = np.dtype(
    [
        ("time_ms", ">u8"),
        ("priority", "u1"),
        ("lon_e7", ">i4"),
        ("lat_e7", ">i4"),
        ("altitude_m", ">i2"),
        ("angle_deg", ">u2"),
        ("satellites", "u1"),
        ("speed_kmh", ">u2"),
    ]
)
"""The fixed part of a record: 24 bytes, big-endian."""

NO_SATELLITES: Final = 0
"""With no satellites in use, the position is the last known one, or zero."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a codec writes its elements: widths of ids and counts, and what else there is.

    groups: (id, value) by size of the value: 1, 2, 4, 8 bytes.
    """

    id_bytes: int
    count_bytes: int
    has_generation: bool
    has_variable: bool
    groups: tuple[Struct, ...]


_ID_1: Final = tuple(Struct(f">B{value}") for value in "BHIQ")
_ID_2: Final = tuple(Struct(f">H{value}") for value in "BHIQ")

LAYOUTS: Final = {
    0x08: Layout(1, 1, has_generation=False, has_variable=False, groups=_ID_1),
    0x8E: Layout(2, 2, has_generation=False, has_variable=True, groups=_ID_2),
    0x10: Layout(2, 1, has_generation=True, has_variable=False, groups=_ID_2),
}

_ENCODER: Final = msgspec.json.Encoder()


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads: frames and elements one by one, the fixed parts of all records at once."""
    refusals: list[Refusal] = []
    framed: list[int] = []
    for index, payload in enumerate(payloads):
        try:
            _check_frame(payload)
            framed.append(index)
        except DecodeError as error:
            refusals.append(Refusal.of(index, error))
    crcs = crc16_ibm_each([payloads[index][HEADER.size : -TRAILER.size] for index in framed])
    records = _Records()
    for index, crc in zip(framed, crcs, strict=True):
        try:
            _read_packet(payloads[index], crc, index, records)
        except DecodeError as error:
            refusals.append(Refusal.of(index, error))
    return _decoded(records, received, refusals)


def _check_frame(payload: bytes) -> None:
    check_size(payload)
    if len(payload) < MIN_PACKET_BYTES:
        detail = f"expected at least {MIN_PACKET_BYTES} bytes, got {len(payload)}"
        raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)
    preamble, length = HEADER.unpack_from(payload)
    if preamble:
        detail = f"preamble: expected 00000000, got {preamble:08x}"
        raise DecodeError(Reject.BAD_SYNTAX, detail=detail)
    whole = HEADER.size + length + TRAILER.size
    if len(payload) < whole:
        detail = f"length {length}: expected {whole} bytes, got {len(payload)}"
        raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)
    if len(payload) > whole:
        detail = f"length {length}: expected {whole} bytes, got {len(payload)}"
        raise DecodeError(Reject.TRAILING_BYTES, at=whole, detail=detail)


class _Records:
    """Records of all packets: their fixed parts as bytes, their elements as columns."""

    def __init__(self) -> None:
        self.fixed: list[bytes] = []
        self.payload: list[int] = []
        self.at: list[int] = []
        self.event: list[int] = []
        self.io: list[dict[int, Any]] = []

    def extend(self, payload: int, parts: list[tuple[bytes, int, dict[int, Any]]]) -> None:
        for at, (fixed, event, io) in enumerate(parts):
            self.fixed.append(fixed)
            self.payload.append(payload)
            self.at.append(at)
            self.event.append(event)
            self.io.append(io)


def _read_packet(payload: bytes, crc: int, index: int, records: _Records) -> None:
    end = len(payload) - TRAILER.size
    (sent,) = TRAILER.unpack_from(payload, end)
    if sent != crc:
        detail = f"crc: expected {crc:04x}, got {sent:04x}"
        raise DecodeError(Reject.BAD_CHECKSUM, at=end, detail=detail)
    codec, count = payload[HEADER.size], payload[HEADER.size + 1]
    layout = LAYOUTS.get(codec)
    if layout is None:
        detail = f"codec: expected 08, 8e or 10, got {codec:02x}"
        raise DecodeError(Reject.UNSUPPORTED, at=HEADER.size, detail=detail)
    if payload[end - 1] != count:
        detail = f"records: {count} at the start, {payload[end - 1]} at the end"
        raise DecodeError(Reject.BAD_VALUE, at=end - 1, detail=detail)
    if not count:
        raise DecodeError(Reject.NO_CONTENT, at=HEADER.size + 1, detail="a packet of 0 records")
    data, position = payload[: end - 1], HEADER.size + 2
    parts = []
    for _ in range(count):
        fixed = data[position : position + RECORD.itemsize]
        event, io, position = _read_elements(data, position + RECORD.itemsize, layout)
        parts.append((fixed, event, io))
    if position != len(data):
        detail = f"{count} records end at {position}, expected {len(data)}"
        raise DecodeError(Reject.TRAILING_BYTES, at=position, detail=detail)
    records.extend(index, parts)


def _read_elements(data: bytes, position: int, layout: Layout) -> tuple[int, dict[int, Any], int]:
    """Event id, elements by id, and where they end. Raises DecodeError past the end of data."""
    io: dict[int, Any] = {}
    wide = layout.count_bytes == 2
    start = position
    try:
        event = data[position]
        if layout.id_bytes == 2:
            event = event << 8 | data[position + 1]
        # The total of elements is not needed, and is wrong in firmware that counts modulo 256.
        position += layout.id_bytes + layout.has_generation + layout.count_bytes
        for group in layout.groups:
            count = data[position] << 8 | data[position + 1] if wide else data[position]
            position += layout.count_bytes
            if count:
                end = position + count * group.size
                io.update(group.iter_unpack(data[position:end]))
                position = end
        if layout.has_variable:
            position = _read_variable(data, position, io)
    except (IndexError, struct.error):
        raise _past_end(start, data) from None
    if position > len(data):
        raise _past_end(start, data)
    return event, io, position


_VARIABLE: Final = Struct(">HH")


def _read_variable(data: bytes, position: int, io: dict[int, Any]) -> int:
    """Elements of any length (Codec 8 Extended): kept as hexadecimal text."""
    count = data[position] << 8 | data[position + 1]
    position += 2
    for _ in range(count):
        element, length = _VARIABLE.unpack_from(data, position)
        position += _VARIABLE.size
        io[element] = data[position : position + length].hex()
        position += length
    return position


def _past_end(position: int, data: bytes) -> DecodeError:
    return DecodeError(
        Reject.TRUNCATED, at=position, detail=f"a record reaches past the end at {len(data)}"
    )


def _decoded(records: _Records, received: I64, refusals: list[Refusal]) -> Decoded:
    fixed = np.frombuffer(b"".join(records.fixed), RECORD)
    found = [measured(io) for io in records.io]
    extra: dict[int, bytes] = {}
    priorities = fixed["priority"].tolist()
    for row, (io, event, priority) in enumerate(
        zip(records.io, records.event, priorities, strict=True)
    ):
        made = _ENCODER.encode({"priority": priority, "event": event, "io": io})
        if len(made) <= MAX_EXTRA_BYTES:
            extra[row] = made
        else:
            extra[row] = _ENCODER.encode({"priority": priority, "event": event, "io_dropped": True})
            detail = f"elements: expected at most {MAX_EXTRA_BYTES} bytes, got {len(made)}"
            refusals.append(
                Refusal(records.payload[row], Reject.BAD_VALUE, records.at[row], detail)
            )
    satellites = fixed["satellites"].astype(np.float64)
    lost = fixed["satellites"] == NO_SATELLITES
    satellites[satellites == _UNKNOWN_SATELLITES] = np.nan
    return assemble(
        {
            "time": fixed["time_ms"].astype(np.float64) * 1000,
            "lon": fixed["lon_e7"] / 1e7,
            "lat": fixed["lat_e7"] / 1e7,
            "altitude": fixed["altitude_m"],
            "heading": fixed["angle_deg"],
            "speed_kmh": fixed["speed_kmh"],
            "satellites": satellites,
            "hdop": [m.hdop for m in found],
            "odometer": [m.odometer for m in found],
            "inputs": [m.inputs for m in found],
            "quality": np.where(lost, int(Quality.NO_POSITION), 0),
        },
        payload=records.payload,
        at=records.at,
        received=received,
        extra=extra,
        refusals=refusals,
    )


_UNKNOWN_SATELLITES: Final = 255

TELTONIKA: Final = register(Codec(name="teltonika", decode=decode, encode=encode))
