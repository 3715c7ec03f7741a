"""Writing Galileosky's packets of one record, for simulators and tests."""

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isnan
from struct import Struct
from typing import Final

from devices.batch import FixBatch, Input, inputs_states
from devices.crc16 import MODBUS
from devices.each_fix import each_fix
from devices.errors import EncodeError
from devices.formats.galileo import tags

_TIME: Final = Struct("<BI")
_PLACE: Final = Struct("<BBii")
_MOTION: Final = Struct("<BHH")
_ALTITUDE: Final = Struct("<Bh")
_HDOP: Final = Struct("<BB")
_WORD: Final = Struct("<BH")
_ODOMETER: Final = Struct("<BI")
_IMEI_DIGITS: Final = 15
_DIGITAL: Final = (Input.DIN_1, Input.DIN_2, Input.DIN_3, Input.DIN_4)


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One packet of one record per fix; an ident that is no IMEI, and drivers, have no place."""
    del drivers
    parts = []
    for row, (fix, ident) in enumerate(zip(each_fix(fixes), idents, strict=True)):
        lost = fix.is_lost
        try:
            part = _TIME.pack(tags.TIME, fix.time_us // 1_000_000) + _PLACE.pack(
                tags.PLACE,
                min(fix.satellites, 15) | lost << 4,
                round(fix.lat * 1e6),
                round(fix.lon * 1e6),
            )
            if not (isnan(fix.speed_kmh) and isnan(fix.heading)):
                part += _MOTION.pack(
                    tags.MOTION, _tenths(fix.speed_kmh), _tenths(fix.heading) % 3600
                )
            if not isnan(fix.altitude):
                part += _ALTITUDE.pack(tags.ALTITUDE, round(fix.altitude))
            if not isnan(fix.hdop):
                part += _HDOP.pack(tags.HDOP, min(_tenths(fix.hdop), 0xFF))
            part += _states(fix.inputs)
            if not isnan(fix.odometer):
                part += _ODOMETER.pack(tags.ODOMETER, round(fix.odometer))
        except struct.error as error:
            raise EncodeError(f"galileo: fix {row}: {error}") from None
        if len(ident) == _IMEI_DIGITS and ident.isdecimal():
            part = bytes((tags.IMEI,)) + ident.encode() + part
        parts.append(struct.pack("<BH", 0x01, len(part)) + part)
    return [
        part + crc.to_bytes(2, "little")
        for part, crc in zip(parts, MODBUS.of_each(parts), strict=True)
    ]


def _tenths(value: float) -> int:
    """Tenths of a value; the format has no way to say unknown."""
    return 0 if isnan(value) else round(value * 10)


@lru_cache(maxsize=4096)
def _states(word: int) -> bytes:
    states: Mapping[Input, bool] = inputs_states(word)
    out = b""
    if Input.IGNITION in states or Input.MOVEMENT in states:
        ignition, moving = states.get(Input.IGNITION), states.get(Input.MOVEMENT)
        out += _WORD.pack(tags.STATUS, bool(ignition) << 9 | bool(moving))
    if any(bit in states for bit in _DIGITAL):
        lines = sum(bool(states.get(bit)) << number for number, bit in enumerate(_DIGITAL))
        out += _WORD.pack(tags.INPUTS, lines)
    return out
