"""Writing JT/T 808 messages, for simulators and tests: locations (0200) and batches (0704).

The format has no way to say that a speed, course or altitude is unknown: devices send 0.
"""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import isnan
from struct import Struct
from typing import Final

from devices.batch import FixBatch, Input, inputs_states
from devices.each_fix import each_fix
from devices.errors import EncodeError
from devices.extra import extra_values
from devices.formats.jt808.framing import (
    ESCAPE,
    FLAG,
    LENGTH_BITS,
    NUMBER_BYTES,
    NUMBER_BYTES_2019,
    VERSION_BIT,
)
from devices.formats.jt808.items import MILEAGE, MILEAGE_UNIT_M, SATELLITES
from devices.formats.jt808.meaning import (
    ACC,
    ALARMS,
    LOCATED,
    SOUTH,
    STATES,
    TIME_ZONE_US,
    WEST,
)
from devices.xor8 import xor8

LOCATION: Final = 0x0200
BATCH: Final = 0x0704

_FIXED: Final = Struct(">IIIIhHH6s")
_HEAD: Final = Struct(">HH")
_U16: Final = Struct(">H")
_MILEAGE: Final = Struct(">BBI")
_BATCH: Final = Struct(">HB")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNKNOWN_SATELLITES: Final = 255
_FIRST_DOOR: Final = 1 << 13
_BIT_OF_ALARM: Final = {name: 1 << bit for bit, name in ALARMS.items()}
_MOVING: Final = next(1 << bit for bit, name in STATES.items() if name == "moving")


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One 0200 of 2013 per fix; idents are the terminals' numbers, drivers have no place in it."""
    del drivers
    return _messages(fixes, idents, is_2019=False)


def encode_2019(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One 0200 of 2019 per fix: the same with a version and a number of up to 20 digits."""
    del drivers
    return _messages(fixes, idents, is_2019=True)


def encode_batch(
    fixes: FixBatch, ident: str, *, is_2019: bool = False, buffered: bool = True
) -> bytes:
    """All fixes of one terminal as one 0704. Raises EncodeError if they need sub-packets."""
    made = bodies(fixes)
    body = _BATCH.pack(len(made), buffered) + b"".join(_U16.pack(len(one)) + one for one in made)
    return message(BATCH, body, ident, serial=0, is_2019=is_2019)


def message(kind: int, body: bytes, ident: str, *, serial: int, is_2019: bool) -> bytes:
    """One message, escaped and between its delimiters. Raises EncodeError."""
    if len(body) > LENGTH_BITS:
        raise EncodeError(f"jt808: body: expected at most {LENGTH_BITS} bytes, got {len(body)}")
    head = _HEAD.pack(kind, len(body) | (VERSION_BIT if is_2019 else 0))
    version = b"\1" if is_2019 else b""
    data = head + version + number(ident, is_2019=is_2019) + _U16.pack(serial & 0xFFFF) + body
    data += bytes((xor8(data),))
    escaped = data.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", bytes((ESCAPE, 2)))
    return bytes((FLAG,)) + escaped + bytes((FLAG,))


def _messages(fixes: FixBatch, idents: Sequence[str], *, is_2019: bool) -> list[bytes]:
    return [
        message(LOCATION, body, ident, serial=row, is_2019=is_2019)
        for row, (body, ident) in enumerate(zip(bodies(fixes), idents, strict=True))
    ]


def number(ident: str, *, is_2019: bool) -> bytes:
    """A terminal's number as BCD; no number is zeros. Raises EncodeError."""
    size = NUMBER_BYTES_2019 if is_2019 else NUMBER_BYTES
    if len(ident) > 2 * size or not ((ident.isdecimal() and ident.isascii()) or not ident):
        raise EncodeError(f"jt808: number: expected at most {2 * size} digits, got {ident!r}")
    return bytes.fromhex(ident.rjust(2 * size, "0"))


def bodies(fixes: FixBatch) -> list[bytes]:
    """The body of a location for each fix. Raises EncodeError."""
    out = []
    for row, fix in enumerate(each_fix(fixes)):
        extra = extra_values(fixes.extra[row]) if row in fixes.extra else {}
        states = inputs_states(fix.inputs)
        status = _status(fix.lon, fix.lat, states, located=not fix.is_lost)
        try:
            body = _FIXED.pack(
                _alarm(states, extra.get("alarms")), status,
                round(abs(fix.lat) * 1e6), round(abs(fix.lon) * 1e6), _whole(fix.altitude),
                _whole(fix.speed_kmh * 10), _whole(fix.heading) % 360, _bcd_time(fix.time_us),
            )  # fmt: skip
            if not isnan(fix.odometer):
                body += _MILEAGE.pack(*MILEAGE, round(fix.odometer / MILEAGE_UNIT_M))
        except (struct.error, ValueError, OverflowError) as error:
            raise EncodeError(f"jt808: fix {row}: {error}") from None
        if fix.satellites != _UNKNOWN_SATELLITES:
            body += bytes((*SATELLITES, fix.satellites))
        out.append(body)
    return out


def _status(lon: float, lat: float, states: dict[Input, bool], *, located: bool) -> int:
    bits = (
        (states.get(Input.IGNITION), ACC), (located, LOCATED), (lat < 0, SOUTH), (lon < 0, WEST),
        (states.get(Input.DOOR), _FIRST_DOOR), (states.get(Input.MOVEMENT), _MOVING),
    )  # fmt: skip
    return sum(bit for on, bit in bits if on)


def _alarm(states: dict[Input, bool], names: object) -> int:
    """The word of alarms: those of the inputs, and those that `extra` names."""
    alarms = set(names) if isinstance(names, list) else set()
    word = sum(_BIT_OF_ALARM[name] for name in alarms & set(_BIT_OF_ALARM))
    if states.get(Input.SOS):
        word |= _BIT_OF_ALARM["sos"]
    if states.get(Input.POWER_CUT):
        word |= _BIT_OF_ALARM["main_power_cut"]
    return word


def _bcd_time(time_us: int) -> bytes:
    when = _EPOCH + timedelta(microseconds=time_us + TIME_ZONE_US)
    if not 2000 <= when.year <= 2099:
        raise ValueError(f"time: expected 2000 to 2099, got {when:%Y}")
    return bytes.fromhex(f"{when:%y%m%d%H%M%S}")


def _whole(value: float) -> int:
    return 0 if isnan(value) else round(value)
