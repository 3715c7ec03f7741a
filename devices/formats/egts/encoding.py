"""Writing EGTS packets of one position, for simulators and tests."""

import struct
from collections.abc import Sequence
from math import isnan
from struct import Struct
from typing import Final

from devices.batch import FixBatch, Input, inputs_states
from devices.crc8 import crc8_each
from devices.crc16 import CCITT_FALSE
from devices.each_fix import each_fix, with_zeros
from devices.errors import EncodeError
from devices.formats.egts.head import APPDATA, DIGITAL, EPOCH_S, FULL, HEADER
from devices.formats.egts.subrecords import POS_DATA

_POSITION: Final = Struct("<BHIIIBHB")
_RECORD: Final = Struct("<HHB")


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One packet of one record per fix; an ident that is a number of 32 bits is the object's."""
    del drivers
    parts, heads = [], []
    columns = with_zeros(fixes, "speed_kmh", "heading", "odometer")
    for row, (fix, ident) in enumerate(zip(each_fix(columns), idents, strict=True)):
        states = inputs_states(fix.inputs)
        high = not isnan(fix.altitude)
        flags = (not fix.is_lost) | bool(states.get(Input.MOVEMENT)) << 4
        flags |= (fix.lat < 0) << 5 | (fix.lon < 0) << 6 | high << 7
        course = round(fix.heading) % 360
        motion = round(fix.speed_kmh * 10) | (high and fix.altitude < 0) << 14 | course >> 8 << 15
        lines = sum(bool(states.get(bit)) << number for number, bit in enumerate(DIGITAL))
        metres = min(round(fix.odometer / 100), 0xFF_FFFF).to_bytes(3, "little")
        try:
            data = _POSITION.pack(
                POS_DATA, 24 if high else 21, fix.time_us // 1_000_000 - EPOCH_S,
                round(abs(fix.lat) / 90 * FULL), round(abs(fix.lon) / 180 * FULL), flags, motion,
                course & 0xFF,
            ) + metres + bytes((lines, 0))  # fmt: skip
            if high:
                data += round(abs(fix.altitude)).to_bytes(3, "little")
            data += _precision(fix.hdop, fix.satellites)
            numbered = ident.isdecimal() and int(ident) <= FULL
            owner = int(ident).to_bytes(4, "little") if numbered else b""
            part = _RECORD.pack(len(data), row & 0xFFFF, numbered) + owner + b"\2\2" + data
            head = HEADER.pack(1, 0, 0, 11, 0, len(part), row & 0xFFFF, APPDATA)
        except (struct.error, OverflowError) as error:
            raise EncodeError(f"egts: fix {row}: {error}") from None
        parts.append(part)
        heads.append(head)
    sums = zip(crc8_each(heads), CCITT_FALSE.of_each(parts), strict=True)
    return [
        head + bytes((low,)) + part + crc.to_bytes(2, "little")
        for head, part, (low, crc) in zip(heads, parts, sums, strict=True)
    ]


def _precision(hdop: float, satellites: int) -> bytes:
    """The subrecord EGTS_SR_EXT_POS_DATA of what is known of this."""
    flags, data = 0, b""
    if not isnan(hdop):
        flags, data = 2, min(round(hdop * 100), 0xFFFF).to_bytes(2, "little")
    if satellites != _UNKNOWN_SATELLITES:
        flags, data = flags | 8, data + bytes((satellites,))
    return struct.pack("<BHB", 17, 1 + len(data), flags) + data if flags else b""


_UNKNOWN_SATELLITES: Final = 255
