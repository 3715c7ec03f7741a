"""Codec "eelink": packages of Eelink's trackers (docs/codecs/eelink.md).

    67 67, type u8, length u16, index u16, content

One or more in a payload; over UDP behind "EL", length u16, checksum u16, IMEI (8 bytes of BCD).
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
from devices.formats.eelink.packages import KINDS, LOCATION, NAMES, UNITS_OF_DEGREE
from devices.layouts import read
from devices.records import Records

MARK: Final = b"\x67\x67"
UDP_MARK: Final = b"EL"

LOGIN: Final = 0x01

_HEAD_BYTES: Final = 5
_INDEX_BYTES: Final = 2
_UDP: Final = Struct(">2sHH8s")
_UDP_SUMMED: Final = 6
_IMEI_BYTES: Final = 8


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads: packages cut one by one, places as columns."""
    records = Records()
    over_udp = [index for index, payload in enumerate(payloads) if payload[:2] == UDP_MARK]
    sums = dict(zip(over_udp, rotating_sums([payloads[index] for index in over_udp]), strict=True))

    def split(index: int, payload: bytes) -> None:
        check_size(payload)
        start, ident = 0, ""
        if index in sums:
            start, ident = _UDP.size, _udp_ident(payload, sums[index])
        _split(payload, start, ident, index, records)

    records.each(split, range(len(payloads)), payloads)
    return read(records, KINDS, received)


def rotating_sums(payloads: Sequence[bytes]) -> list[int]:
    """The checksum of each payload from its seventh byte on: rotate by one bit, add a byte.

    Payloads of one length are summed together, so that there is one step a byte and length.
    """
    found = [0] * len(payloads)
    lengths: dict[int, list[int]] = {}
    for number, payload in enumerate(payloads):
        if len(payload) <= _LONGEST_UDP:  # longer ones are refused for their length
            lengths.setdefault(len(payload), []).append(number)
    for length, members in lengths.items():
        if len(members) < _WORTH_COLUMNS:
            for number in members:
                found[number] = _rotating_sum(payloads[number])
            continue
        joined = b"".join(payloads[number] for number in members)
        columns = np.frombuffer(joined, np.uint8).reshape(len(members), length).T
        total = np.zeros(len(members), np.uint32)
        for column in columns[_UDP_SUMMED:]:
            total = ((total << 1 | total >> 15) + column) & 0xFFFF
        for number, value in zip(members, total.tolist(), strict=True):
            found[number] = value
    return found


def _rotating_sum(payload: bytes) -> int:
    total = 0
    for byte in payload[_UDP_SUMMED:]:
        total = ((total << 1 | total >> 15) + byte) & 0xFFFF
    return total


_LONGEST_UDP: Final = 4 + 0xFFFF
_WORTH_COLUMNS: Final = 32
"""Payloads of one length from which on a step over all of them is cheaper than one by one."""


def _udp_ident(payload: bytes, total: int) -> str:
    if len(payload) < _UDP.size:
        detail = f"UDP: expected at least {_UDP.size} bytes, got {len(payload)}"
        raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)
    _, length, sent, imei = _UDP.unpack_from(payload)
    if len(payload) != 4 + length:
        detail = f"UDP length {length}: expected {4 + length} bytes, got {len(payload)}"
        if len(payload) < 4 + length:
            raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)
        raise DecodeError(Reject.TRAILING_BYTES, at=4 + length, detail=detail)
    if sent != total:
        detail = f"UDP checksum: expected {total:04x}, got {sent:04x}"
        raise DecodeError(Reject.BAD_CHECKSUM, at=4, detail=detail)
    return bcd_ident(imei)


def bcd_ident(raw: bytes) -> str:
    """An IMEI of 15 digits behind a zero; "" if it is none."""
    digits = raw.hex()[1:]
    return digits if digits.isdecimal() and int(digits) else ""


def _split(payload: bytes, start: int, ident: str, index: int, records: Records) -> None:
    """Cut a payload into packages; those without a place are refused one by one."""
    if start == len(payload):
        raise DecodeError(Reject.NO_CONTENT, at=start, detail="no package")
    while start < len(payload):
        head = payload[start : start + _HEAD_BYTES + _INDEX_BYTES]
        if len(head) < _HEAD_BYTES + _INDEX_BYTES or head[:2] != MARK:
            detail = f"expected 67 67, type, length and index, got {head.hex()}"
            short = MARK.startswith(head[:2]) or head[:2] == MARK
            reason = Reject.TRUNCATED if short else Reject.BAD_SYNTAX
            raise DecodeError(reason, at=start, detail=detail)
        kind, end = head[2], start + _HEAD_BYTES + (head[3] << 8 | head[4])
        if end > len(payload) or end < start + len(head):
            detail = f"a package of {end - start} bytes, {len(payload) - start} are left"
            reason = Reject.TRUNCATED if end > len(payload) else Reject.BAD_VALUE
            raise DecodeError(reason, at=start, detail=detail)
        name = f"{kind:02x}"
        if name in KINDS:
            at = start + _HEAD_BYTES
            records.add(index, at, name, payload[at:end], ident)
        else:
            if kind == LOGIN and end - start >= len(head) + _IMEI_BYTES:
                at = start + len(head)
                ident = bcd_ident(payload[at : at + _IMEI_BYTES]) or ident
            detail = f"package {name} ({NAMES.get(kind, 'unknown')}) carries no place"
            error = DecodeError(Reject.UNSUPPORTED, at=start, detail=detail)
            records.refuse_part(index, error, start)
        start = end


_FIXED: Final = Struct(">IBiihHHBH")
_TAIL: Final = Struct(">HHHI")
_IMEI_DIGITS: Final = 15


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One location per fix, as over UDP where the ident is an IMEI, else as over TCP."""
    del drivers
    out = []
    columns = with_zeros(fixes, "altitude", "speed_kmh", "heading")
    for row, (fix, ident) in enumerate(zip(each_fix(columns), idents, strict=True)):
        status = _status(fix.inputs) | (not fix.is_lost)
        try:
            content = _FIXED.pack(
                fix.time_us // 1_000_000, 1, round(fix.lat * UNITS_OF_DEGREE),
                round(fix.lon * UNITS_OF_DEGREE), round(fix.altitude), round(fix.speed_kmh),
                round(fix.heading) % 360, _sent(fix.satellites), status,
            )  # fmt: skip
            if not isnan(fix.odometer):
                content += _TAIL.pack(0, 0, 0, round(fix.odometer))
            length = _INDEX_BYTES + len(content)
            package = MARK + struct.pack(">BHH", LOCATION, length, row & 0xFFFF) + content
            if len(ident) == _IMEI_DIGITS and ident.isdecimal():
                size = _UDP.size - 4 + len(package)
                package = _UDP.pack(UDP_MARK, size, 0, bytes.fromhex("0" + ident)) + package
        except (struct.error, OverflowError) as error:
            raise EncodeError(f"eelink: fix {row}: {error}") from None
        out.append(package)
    return [
        one[:4] + total.to_bytes(2, "big") + one[_UDP_SUMMED:] if one[:2] == UDP_MARK else one
        for one, total in zip(out, rotating_sums(out), strict=True)
    ]


def _sent(satellites: int) -> int:
    return 0 if satellites == _UNKNOWN_SATELLITES else satellites


def _status(word: int) -> int:
    status = 0
    for bit, on in inputs_states(word).items():
        if bit in _STATUS_BITS:
            known, value = _STATUS_BITS[bit]
            status |= 1 << known | on << value
    return status


_STATUS_BITS: Final = {Input.IGNITION: (1, 2), Input.MOVEMENT: (3, 9), Input.CHARGING: (7, 8)}
_UNKNOWN_SATELLITES: Final = 255

EELINK: Final = register(Codec(name="eelink", decode=decode, encode=encode))
