"""Codec "t800x": messages of TopFlyTech's trackers (docs/codecs/t800x.md).

    mark u16 (2323, 2525, 2626, 2727), type u8, length u16, number u16, IMEI (8 bytes BCD), content

One or more in a payload; the length is that of the whole message.
"""

import struct
from collections.abc import Sequence
from math import isnan
from struct import Struct
from typing import Final

import numpy as np

from devices.batch import I64, FixBatch, Input, inputs_states
from devices.checks import check_size
from devices.codec import Codec, Decoded, register
from devices.each_fix import each_fix, with_zeros
from devices.errors import DecodeError, EncodeError, Reject
from devices.formats.t800x.messages import BEHAVIOR, GPS, KINDS, PLACE_BIT
from devices.layouts import read
from devices.records import Records

MARKS: Final = frozenset({b"##", b"%%", b"&&", b"''"})

NAMES: Final = {
    0x01: "login", 0x03: "heartbeat", 0x05: "network", 0x10: "Bluetooth", 0x11: "network",
    0x81: "answer",
}  # fmt: skip
"""Messages that carry no place."""

_HEAD_BYTES: Final = 15
_NUMBER_AT: Final = 5
_IMEI_AT: Final = 7
_BEHAVIOR_BYTES: Final = 24


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads: messages cut one by one, places as columns."""
    records = Records()
    records.each(lambda index: _split(payloads[index], index, records), range(len(payloads)))
    return read(records, KINDS, received)


def _split(payload: bytes, index: int, records: Records) -> None:
    """Cut a payload into messages; those without a place are refused one by one."""
    check_size(payload)
    start = 0
    while start < len(payload):
        head = payload[start : start + _HEAD_BYTES]
        if head[:2] not in MARKS:
            detail = f"expected 2323, 2525, 2626 or 2727, got {head[:2].hex()}"
            raise DecodeError(Reject.BAD_SYNTAX, at=start, detail=detail)
        size = head[3] << 8 | head[4] if len(head) == _HEAD_BYTES else _HEAD_BYTES
        if start + size > len(payload):
            detail = f"a message of {size} bytes, {len(payload) - start} are left"
            raise DecodeError(Reject.TRUNCATED, at=start, detail=detail)
        if size < _HEAD_BYTES:
            detail = f"length: expected at least {_HEAD_BYTES}, got {size}"
            raise DecodeError(Reject.BAD_VALUE, at=start + 3, detail=detail)
        try:
            _add(payload[start : start + size], start, index, records)
        except DecodeError as error:
            records.refuse_part(index, error, start)
        start += size


def _add(message: bytes, start: int, index: int, records: Records) -> None:
    name = message[:3].hex()
    digits = message[_IMEI_AT:_HEAD_BYTES].hex()[1:]
    ident = digits if digits.isdecimal() and int(digits) else ""
    at = start + _NUMBER_AT
    if name not in KINDS:
        detail = f"message {name[:4]} {name[4:]} ({NAMES.get(message[2], 'unknown')}): no place"
        raise DecodeError(Reject.UNSUPPORTED, at=start, detail=detail)
    if name != _BEHAVIORS:
        records.add(index, at, name, message[_NUMBER_AT:], ident)
        return
    head, content = message[_NUMBER_AT : _HEAD_BYTES + 1], message[_HEAD_BYTES + 1 :]
    if not content or len(content) % _BEHAVIOR_BYTES:
        detail = f"expected places of {_BEHAVIOR_BYTES} bytes, got {len(content)}"
        raise DecodeError(Reject.TRUNCATED, at=start + _HEAD_BYTES + 1, detail=detail)
    for place in range(0, len(content), _BEHAVIOR_BYTES):
        part = head + content[place : place + _BEHAVIOR_BYTES]
        records.add(index, at + place, name, part, ident)


_BEHAVIORS: Final = f"2626{BEHAVIOR:02x}"

_SETTINGS: Final = Struct(">HHBHHBBBBBHHHHBBIB")
_PLACE: Final = Struct("<fff")
_IMEI_DIGITS: Final = 15
_UNKNOWN: Final = 0xFFFF


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One message 2525 02 per fix; an ident that is no IMEI is written 0."""
    del drivers
    dates = np.datetime_as_string(fixes.time.astype("datetime64[us]"), unit="s").tolist()
    out = []
    columns = zip(each_fix(with_zeros(fixes, "odometer")), dates, idents, strict=True)
    for row, (fix, date, ident) in enumerate(columns):
        lost = fix.is_lost
        status = PLACE_BIT | (0 if lost else min(fix.satellites, 31))
        imei = ident if len(ident) == _IMEI_DIGITS and ident.isdecimal() else "0" * _IMEI_DIGITS
        try:
            content = _SETTINGS.pack(
                30, 300, 30, 1000, 0, status, 0, 0, 5, 0, 0, _io(fix.inputs), 0xFFFF, 0xFFFF, 0, 0,
                round(fix.odometer), 0,
            ) + bytes.fromhex("".join(filter(str.isdigit, date))[2:])  # fmt: skip
            content += _PLACE.pack(fix.altitude, fix.lon, fix.lat)
            tenths = "ffff" if isnan(fix.speed_kmh) else f"{round(fix.speed_kmh * 10):04d}"
            heading = _UNKNOWN if isnan(fix.heading) else round(fix.heading) % 360
            content += bytes.fromhex(tenths) + struct.pack(">H", heading)
            size = _HEAD_BYTES + len(content)
            head = b"%%" + struct.pack(">BHH", GPS, size, row & 0xFFFF)
        except (struct.error, ValueError, OverflowError) as error:
            raise EncodeError(f"t800x: fix {row}: {error}") from None
        out.append(head + bytes.fromhex("0" + imei) + content)
    return out


def _io(word: int) -> int:
    states = inputs_states(word)
    return sum(bool(states.get(bit)) << number for bit, number in _IO_BITS.items())


_IO_BITS: Final = {Input.IGNITION: 14, Input.AIRCON: 13, Input.DIN_3: 12, Input.DIN_4: 11}

T800X: Final = register(Codec(name="t800x", decode=decode, encode=encode))
