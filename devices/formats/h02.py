"""Codec "h02": messages of H02 trackers, text and binary (docs/codecs/h02.md).

    *HQ,id,kind,hhmmss,A,ddmm.mmmm,N,dddmm.mmmm,E,knots,course,ddmmyy,status,...#
    $ id time date latitude battery longitude+flags speed course status ...       (BCD)

By the makers' description of the protocol (V1, V4, V6, V19, NBR, LINK, standard mode), and what
their trackers send. Times are UTC.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from devices.batch import F64, I64, U8, Bool, FixBatch, Input, Quality, inputs_word
from devices.codec import Codec, Decoded, register
from devices.columns import bcd_numbers, bcd_pairs, decimals, degrees, instants, pairs
from devices.each_fix import each_fix
from devices.errors import DecodeError, Reject
from devices.extra import extra_bytes
from devices.rows import FixRows
from devices.text_fields import (
    check_idents,
    dated_us,
    degrees_minutes,
    number,
    two_digits,
    written_angle,
    written_number,
    written_times,
)
from devices.units import KNOT_KMH
from devices.usual import Fields, Usual, Way, angles, decode_usual, said

USUAL: Final = re.compile(
    rb"\*[A-Za-z]{2},([0-9A-Za-z]{1,20}),(V[124-9]),(\d{6}),([AV]),(\d{4}\.\d{4,6}),([NS]),"
    rb"(\d{5}\.\d{4,6}),([EW]),(\d{0,4}(?:\.\d{1,6})?),(\d{0,3}(?:\.\d{1,4})?),(\d{6}),"
    rb"([0-9A-Fa-f]{8})(?:,([^#*$\x00-\x1f\x7f-\xff]{0,200}))?#(?:\r\n)?"
)

POSITION: Final = re.compile(
    rb"""(?:(?P<clock>\d{6})?,)?(?:(?P<valid>[A-Za-z0-9]?),)?
    (?P<lat>-?\d{1,2}-\d{1,2}\.\d+|-?\d{1,5}\.\d+),(?P<north>[NS]),
    (?P<lon>-?\d{1,3}-\d{1,2}\.\d+|-?\d{1,6}\.\d+),(?P<east>[EW]),
    (?P<knots>[\d. ]{0,12}),(?P<course>[\d.]{0,8}),(?:(?P<more>\d{1,3}),)?(?P<date>\d{6})?
    (?:,|$)(?P<rest>.*)""",
    re.VERBOSE | re.DOTALL,
)
"""The fields of a position, behind whatever a kind of message has before them."""

_STATUS: Final = re.compile(rb"(?:^|,)([0-9A-Fa-f]{8})(?=,|$)")
_HEAD: Final = re.compile(rb"\*([A-Za-z]{2}),([0-9A-Za-z]{1,20}),([0-9A-Za-z]{1,12})(?=[,#])")
MAX_MESSAGE_BYTES: Final = 1024

UNPLACED: Final = frozenset({b"LINK", b"NBR", b"V3", b"HTBT"})
"""Kinds that never carry a position: keep-alive, stations of the network, charge."""


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads: single usual messages as columns, the others message by message."""
    return decode_usual(WAYS, payloads, received, read)


def _say(fields: Fields) -> Usual:
    """The columns of usual messages."""
    (
        idents,
        kinds,
        clocks,
        states,
        lats,
        norths,
        lons,
        easts,
        knots,
        courses,
        dates,
        flags,
        rests,
    ) = fields
    clock, date = pairs(clocks, 6).T, pairs(dates, 6).T
    return Usual(
        {
            "time": instants(date[2], date[1], date[0], *clock),
            "lon": angles(lons, easts, "W"),
            "lat": angles(lats, norths, "S"),
            "speed_kmh": decimals(knots) * KNOT_KMH,
            "heading": decimals(courses),
            "inputs": np.array([inputs_of(text) for text in flags], np.uint32),
            "quality": np.where(said(states, "V"), int(Quality.NO_POSITION), 0),
        },
        list(map(_extra, kinds, flags, rests)),
        idents,
    )


_BCD: Final = b"[" + b"".join(rb"\x%d0-\x%d9" % (high, high) for high in range(10)) + b"]"
BINARY: Final = re.compile(
    rb"\$((?:%(bcd)s){5})((?:%(bcd)s){6})((?:%(bcd)s){4})(.)((?:%(bcd)s){4}[\x00-\x9f])"
    rb"((?:%(bcd)s){3})(.{4})(.{0,34})" % {b"bcd": _BCD},
    re.DOTALL,
)
"""A binary message with a short identity, alone in its payload and shorter than two stored ones."""


def _say_binary(fields: Fields) -> Usual:
    """The columns of binary messages."""
    idents, instants_, lats, batteries, lons, motions, statuses, rests = fields
    clock_date = bcd_pairs(_bytes(instants_, 6)).T
    lon_bytes = _bytes(lons, 5)
    flags = lon_bytes[:, 4] & 0xF
    lon = bcd_numbers(lon_bytes[:, :4]) * 10 + (lon_bytes[:, 4] >> 4)
    motion = bcd_numbers(_bytes(motions, 3))
    flagged = [status.hex().upper().encode() for status in statuses]
    return Usual(
        {
            "time": instants(*clock_date[[5, 4, 3, 0, 1, 2]]),
            "lon": _whole_angle(lon, flags & _EAST == 0),
            "lat": _whole_angle(bcd_numbers(_bytes(lats, 4)), flags & _NORTH == 0),
            "speed_kmh": motion // 1000 * KNOT_KMH,
            "heading": motion % 1000,
            "inputs": np.array([inputs_of(text) for text in flagged], np.uint32),
            "quality": np.where(flags & _VALID == 0, int(Quality.NO_POSITION), 0),
        },
        list(map(_binary_extra, flagged, rests, batteries)),
        [ident.hex().encode() for ident in idents],
    )


def _bytes(texts: Sequence[bytes], width: int) -> U8:
    return np.frombuffer(b"".join(texts), np.uint8).reshape(-1, width)


def _whole_angle(written: F64, negative: Bool) -> F64:
    """Degrees of dddmm.mmmm without its dot; NaN for 60 minutes and over."""
    value = written / 10_000
    found: F64 = np.where(value % 100 < 60, degrees(value), np.nan)
    return np.where(negative, -found, found)


@lru_cache(maxsize=4096)
def _binary_extra(status: bytes, rest: bytes, battery: bytes) -> bytes:
    kept = _kept(b"binary", status, rest.hex().encode())
    return extra_bytes({**kept, "battery_raw": battery[0]})


WAYS: Final = (Way(USUAL, _say), Way(BINARY, _say_binary))


@lru_cache(maxsize=4096)
def _extra(kind: bytes, status: bytes, rest: bytes) -> bytes:
    return extra_bytes(_kept(kind, status, rest))


def _kept(kind: bytes, status: bytes, rest: bytes) -> dict[str, Any]:
    """What is kept beside the columns: kind, status and what it says, and the other fields."""
    values = {"kind": kind, "status": status, "rest": rest}
    kept: dict[str, Any] = {name: text.decode("latin-1") for name, text in values.items() if text}
    alarms = alarms_of(status) if status else ()
    return {**kept, "alarms": list(alarms)} if alarms else kept


ALARMS: Final = {
    0: "theft", 1: "robbery", 2: "overspeed", 3: "illegal_ignition", 4: "zone_entered",
    7: "zone_left", 18: "sos", 19: "power_cut", 20: "battery_removed", 24: "temperature",
    27: "engine_cut_off", 28: "battery_removed",
}  # fmt: skip
"""Bits of the status, the lowest of the last byte 0. All of it is negative logic: 0 is "yes"."""

_ACC, _DOOR = 10, 8


@lru_cache(maxsize=4096)
def alarms_of(status: bytes) -> tuple[str, ...]:
    """The alarms that a status in hexadecimal says."""
    word = int(status, 16)
    return tuple(dict.fromkeys(name for bit, name in ALARMS.items() if not word >> bit & 1))


@lru_cache(maxsize=4096)
def inputs_of(status: bytes) -> int:
    """Ignition, door, alarm button and power cut of a status in hexadecimal."""
    word, alarms = int(status, 16), alarms_of(status)
    return inputs_word(
        {
            Input.IGNITION: bool(word >> _ACC & 1),
            Input.DOOR: not word >> _DOOR & 1,
            Input.SOS: "sos" in alarms or "robbery" in alarms,
            Input.POWER_CUT: "power_cut" in alarms,
        }
    )


def read(payload: bytes, rows: FixRows) -> None:
    """Read the messages of one payload; between them only line ends may stand."""
    at = 0
    while at < len(payload):
        head = payload[at : at + 1]
        if head in b"\r\n\0":
            at += 1
        elif head == b"$":
            at = _read_binary(payload, at, rows)
        elif head == b"*":
            end = payload.find(b"#", at, at + MAX_MESSAGE_BYTES)
            if end < 0:
                raise DecodeError(Reject.TRUNCATED, at=at, detail="expected # at the end")
            try:
                _read_text(payload[at : end + 1], at, rows)
            except DecodeError as error:
                rows.refuse(error, at)
            at = end + 1
        else:
            detail = f"expected * or $, got {payload[at : at + 12]!r}"
            raise DecodeError(Reject.BAD_SYNTAX, at=at, detail=detail)


def _read_text(message: bytes, at: int, rows: FixRows) -> None:
    head = _HEAD.match(message)
    if not head:
        detail = f"expected *HQ,id,kind, got {message[:40]!r}"
        raise DecodeError(Reject.BAD_SYNTAX, detail=detail)
    kind, body = head[3], message[head.end() + 1 : -1]
    found = None if kind in UNPLACED else _position(body)
    if found is None:
        detail = f"a message {kind.decode()} without a position: {body[:80]!r}"
        raise DecodeError(Reject.UNSUPPORTED, detail=detail)
    if found["clock"] is None or found["date"] is None:
        missing = "time of day" if found["clock"] is None else "date"
        raise DecodeError(Reject.MISSING_FIELD, detail=f"{missing}: expected six digits, got none")
    day, month, year = two_digits(found["date"])
    status, rest = _status_and_rest(found["rest"])
    before = body[: found.start()].strip(b",")
    kept = _kept(kind, status, b",".join(part for part in (found["more"], rest) if part))
    rows.add(
        dated_us((year, month, day), two_digits(found["clock"])),
        _side(_angle(found["lon"], "lon"), found["east"] == b"W"),
        _side(_angle(found["lat"], "lat"), found["north"] == b"S"),
        at=at,
        speed_kmh=number(found["knots"], "speed") * KNOT_KMH,
        heading=number(found["course"], "course"),
        ident=head[2].decode(),
        inputs=inputs_of(status) if status else 0,
        quality=0 if found["valid"] == b"A" else Quality.NO_POSITION,
        extra={**kept, "answer": before.decode("latin-1")} if before else kept,
    )


def _position(body: bytes) -> re.Match[bytes] | None:
    """The fields of a position: at the start, or behind those of the answer to a command."""
    at = 0
    while at >= 0:
        found = POSITION.match(body, at)
        if found:
            return found
        at = body.find(b",", at) + 1 or -1
    return None


def _status_and_rest(rest: bytes) -> tuple[bytes, bytes]:
    """The first field of eight hexadecimal digits, and all other fields."""
    found = _STATUS.search(rest)
    if not found:
        return b"", rest
    others = (rest[: found.start()], rest[found.end() :].removeprefix(b","))
    return found[1], b",".join(part for part in others if part)


def _angle(text: bytes, name: str) -> float:
    """Degrees of dddmm.mmmm, without zeros in front too, or of ddd-mm.mmmm; without a sign."""
    text = text.lstrip(b"-")
    whole, dash, minutes = text.partition(b"-")
    written = float(whole) * 100 + float(minutes) if dash else float(whole)
    return degrees_minutes(written, name)


def _side(value: float, negative: bool) -> float:
    return -value if negative else value


SHORT: Final = (1, 6)
LONG: Final = (1, 9)
"""Where the identity of a binary message begins and ends: 10 digits, or 15 and a half byte."""

_FIXED_BYTES: Final = 23
"""Of a binary message behind its identity, to the end of the status."""

BUFFERED_BYTES: Final = 32
"""Stored messages come one after another, each of this length."""

_VALID, _NORTH, _EAST = 2, 4, 8


def _read_binary(payload: bytes, at: int, rows: FixRows) -> int:
    """Read the binary message at a place; where the next one may begin."""
    end = _binary_end(payload, at)
    message = payload[at:end]
    errors = []
    for begin, stop in (SHORT, LONG):
        try:
            _add_binary(message, begin, stop, at, rows)
        except DecodeError as error:
            errors.append(error)
        else:
            return end
    rows.refuse(errors[0], at)
    return end


def _binary_end(payload: bytes, at: int) -> int:
    """Where a binary message ends: at the next stored one, else at the end of the payload."""
    following = at + BUFFERED_BYTES
    if len(payload) - at >= 2 * BUFFERED_BYTES and payload[following : following + 1] == b"$":
        return following
    return min(len(payload), at + MAX_MESSAGE_BYTES)


def _add_binary(message: bytes, begin: int, stop: int, at: int, rows: FixRows) -> None:
    if len(message) < stop + _FIXED_BYTES:
        detail = f"expected {stop + _FIXED_BYTES} bytes, got {len(message)}"
        raise DecodeError(Reject.TRUNCATED, detail=detail)
    fixed = message[stop : stop + _FIXED_BYTES]
    digits = fixed[:19].hex()  # time 6, date 6, latitude 8, battery 2, longitude 9, flags 1, ...
    decimal = message[begin:stop].hex() + digits[:20] + digits[22:31] + digits[32:38]
    if not decimal.isdecimal():
        raise DecodeError(Reject.BAD_VALUE, detail=f"expected decimal digits, got {decimal}")
    flags, status = int(digits[31], 16), fixed[19:23].hex().upper().encode()
    day, month, year = (int(digits[k : k + 2]) for k in (6, 8, 10))
    clock = [int(digits[k : k + 2]) for k in (0, 2, 4)]
    lat = degrees_minutes(int(digits[12:20]) / 10_000, "lat")
    lon = degrees_minutes(int(digits[22:31]) / 10_000, "lon")
    kept = _kept(b"binary", status, message[stop + _FIXED_BYTES :].hex().encode())
    ident = message[begin:stop].hex()
    rows.add(
        dated_us((year, month, day), clock),
        _side(lon, not flags & _EAST),
        _side(lat, not flags & _NORTH),
        at=at,
        speed_kmh=int(digits[32:35]) * KNOT_KMH,
        heading=int(digits[35:38]),
        ident=ident[:15] if (begin, stop) == LONG else ident,
        inputs=inputs_of(status),
        quality=0 if flags & _VALID else Quality.NO_POSITION,
        extra={**kept, "battery_raw": int(digits[20:22], 16)},
    )


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One V1 for each fix; its status says nothing but that no alarm is on."""
    del drivers
    check_idents(idents)
    clocks, dates = written_times(fixes.time, "%H%M%S"), written_times(fixes.time, "%d%m%y")
    return [
        f"*HQ,{ident},V1,{clock},{'V' if fix.is_lost else 'A'},"
        f"{written_angle(fix.lat, 2, 4)},{'S' if fix.lat < 0 else 'N'},"
        f"{written_angle(fix.lon, 3, 4)},{'W' if fix.lon < 0 else 'E'},"
        f"{written_number(fix.speed_kmh / KNOT_KMH, 4)},{written_number(fix.heading, 0, 3)},"
        f"{date},FFFFFFFF#".encode()
        for fix, ident, clock, date in zip(each_fix(fixes), idents, clocks, dates, strict=True)
    ]


H02: Final = register(Codec(name="h02", decode=decode, encode=encode))
