"""Codec "gps103": messages of GPS103 trackers, of Coban and others (docs/codecs/gps103.md).

    imei:IMEI,event,yymmddhhmmss,phone,F,hhmmss.sss,A,ddmm.mmmm,N,dddmm.mmmm,E,knots,course,
    altitude,acc,door,fuel,fuel,temperature;

By the makers' "GPRS communication protocol". The first time is the tracker's local one, the second
is UTC: together they give the date in UTC.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from math import isnan
from typing import Any, Final

import numpy as np

from devices.batch import I64, FixBatch, Input, Quality, inputs_word
from devices.codec import Codec, Decoded, register
from devices.columns import DAY_US, SECOND_US, decimals, instants, pairs
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
from devices.texts import known_licence
from devices.units import KNOT_KMH
from devices.usual import Fields, Usual, Way, angles, decode_usual, said

EAST_OF_US: Final = 13 * 3_600_000_000 + 2_700_000_000
"""Local time is at most 13:45 h ahead of UTC (Chatham, in summer), and so at most 10:15 h behind:
places that differ more have next to no roads."""

USUAL: Final = re.compile(
    rb"imei:([0-9A-Za-z]{1,20}),(?!rfid,)([ -+\--:<-~]{0,40}),(\d{12}),([ -+\--:<-~]{0,24}),F,"
    rb"(\d{6})\.(\d{3}),([AV]),(\d{4}\.\d{4,5}),([NS]),(\d{5}\.\d{4,5}),([EW]),"
    rb"(\d{0,4}(?:\.\d{1,6})?),(\d{0,3}(?:\.\d{1,4})?)(?:,(-?\d{1,5}(?:\.\d{1,4})?|)"
    rb"(?:,([ -:<-~]{0,200}))?)?;(?:\r\n)?"
)
"""The message that nearly all trackers send, alone in its payload."""

MAX_MESSAGE_BYTES: Final = 16_384
"""A picture in hexadecimal is longer than any position."""

_HEAD: Final = re.compile(rb"\s*imei:([0-9A-Za-z]{1,20}),")
_LOGIN: Final = re.compile(rb"\s*(?:##,\s*imei:\s*\w{1,20},\s*A|\d{14,17})\s*")
_LOCAL: Final = re.compile(rb"(\d\d)/?(\d\d)/?(\d\d) ?(\d\d):?(\d\d):?(\d\d)?")
_CLOCK: Final = re.compile(rb"(\d{6})(?:\.(\d{0,6}))?")
_NAMED: Final = re.compile(
    rb"(?P<event>[^,]{0,64}),[^,]{0,24},[^,]{0,24},[^,]{0,24},(?P<clock>\d{6}),(?P<date>\d{6}),"
    rb"(?P<rssi>\d{1,3}),(?P<valid>\d),(?P<lat>-?\d{1,2}\.\d{1,8}),(?P<lon>-?\d{1,3}\.\d{1,8}),"
    rb"(?P<kmh>\d{1,4}),(?P<course>\d{1,3}),(?P<altitude>-?\d{1,5}),(?P<hdop>\d{1,3}\.\d),"
    rb"(?P<satellites>\d{1,2}),(?P<acc>[01]),(?P<charging>[01]),(?P<rest>[^;]{0,40})"
)
"""Messages of trackers that carry a name instead of an event, and degrees."""


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads: single usual messages as columns, the others message by message."""
    return decode_usual(WAYS, payloads, received, read)


def _say(fields: Fields) -> Usual:
    """The columns of usual messages."""
    (
        idents, events, locals_, phones, clocks, millis, states, lats, norths, lons, easts, knots,
        courses, altitudes, tails,
    ) = fields  # fmt: skip
    local, clock = pairs(locals_, 12).T, pairs(clocks, 6).T
    there = instants(*local)
    same_day = instants(*local[:3], *clock)
    parts = [_parts(*part) for part in zip(events, phones, tails, strict=True)]
    return Usual(
        {
            "time": same_day + _days_off(there - same_day) * DAY_US + decimals(millis) * 1000,
            "lon": angles(lons, easts, "W"),
            "lat": angles(lats, norths, "S"),
            "speed_kmh": decimals(knots) * KNOT_KMH,
            "heading": decimals(courses),
            "altitude": decimals(altitudes),
            "inputs": np.array([inputs for inputs, _ in parts], np.uint32),
            "quality": np.where(said(states, "V"), int(Quality.NO_POSITION), 0),
        },
        [extra for _, extra in parts],
        idents,
    )


WAYS: Final = (Way(USUAL, _say),)


def _days_off(ahead_us: Any) -> Any:
    """By how many days UTC differs from the local date, if both had the same (microseconds)."""
    return np.ceil((ahead_us - EAST_OF_US) / DAY_US)


@lru_cache(maxsize=4096)
def _parts(event: bytes, phone: bytes, tail: bytes) -> tuple[int, bytes]:
    """Inputs, and extra as stored, of what stands beside the position."""
    inputs, extra = beside(event, phone, tail)
    return inputs, extra_bytes(extra) if extra else b""


EVENT_INPUTS: Final = {
    "acc on": {Input.IGNITION: True},
    "acc off": {Input.IGNITION: False},
    "help me": {Input.SOS: True},
    "door alarm": {Input.DOOR: True},
    "ac alarm": {Input.POWER_CUT: True},
}
"""What events say of inputs."""

_PERCENT: Final = rb"(?:100|\d{1,2})(?:\.\d{1,2})?"
_TAIL: Final = re.compile(
    rb"(?P<acc>[01]?)(?:,(?P<door>[01]?)(?:,(?:(?P<fuel_1>" + _PERCENT + rb")%?)?(?:,(?:(?P<fuel_2>"
    + _PERCENT + rb")%?)?(?:,(?P<temperature_c>[+-]?\d{1,3}(?:\.\d{1,2})?)?"
    rb"(?:,(?P<rest>.*))?)?)?)?)?", re.DOTALL,
)  # fmt: skip
"""The fields behind the altitude: all of them, or as many from the left as there are."""


def beside(event: bytes, phone: bytes, tail: bytes) -> tuple[int, dict[str, Any]]:
    """Inputs, and what has no column: the event, a telephone number, fuel in %, temperature.

    tail: the fields behind the altitude. If one of them is not what its place says, all are kept
    as text, in `rest`.
    """
    name = event.decode("latin-1")
    states = dict(EVENT_INPUTS.get(name, {}))
    extra: dict[str, Any] = {"event": name} if name else {}
    if phone:
        extra["phone"] = phone.decode("latin-1")
    found = _TAIL.fullmatch(tail)
    if found:
        for place, bit in (("acc", Input.IGNITION), ("door", Input.DOOR)):
            if found[place]:
                states.setdefault(bit, found[place] == b"1")
        for place in ("fuel_1", "fuel_2", "temperature_c"):
            if found[place]:
                extra[place] = float(found[place])
    rest = (found["rest"] or b"") if found else tail
    if rest.strip(b","):
        extra["rest"] = rest.decode("latin-1")
    return inputs_word(states), extra


def read(payload: bytes, rows: FixRows) -> None:
    """Read the messages of one payload: each ends with a semicolon, the last one need not."""
    at = 0
    for message in payload.split(b";"):
        if message.strip():
            try:
                _read_message(message.rstrip(b"\r\n"), at, rows)
            except DecodeError as error:
                rows.refuse(error, at)
        at += len(message) + 1


def _read_message(message: bytes, at: int, rows: FixRows) -> None:
    head = _HEAD.match(message)
    if not head:
        if _LOGIN.fullmatch(message):
            detail = f"a login or keep-alive: {message[:40]!r}"
            raise DecodeError(Reject.UNSUPPORTED, detail=detail)
        detail = f"expected imei:, got {message[:20]!r}"
        raise DecodeError(Reject.BAD_SYNTAX, detail=detail)
    body, ident = message[head.end() :], head[1].decode()
    if len(body) > MAX_MESSAGE_BYTES:
        detail = f"a message of {len(body)} bytes: {body[:20]!r}"
        raise DecodeError(Reject.UNSUPPORTED, detail=detail)
    named = _NAMED.match(body)
    if named:
        _add_named(named, ident, at, rows)
        return
    event, *fields = body.split(b",")
    if len(fields) < 3 or fields[2] != b"F":
        stations = len(fields) > 2 and fields[2] == b"L"
        kind = "without GPS" if stations else "without a position"
        detail = f"a message {event[:40]!r} {kind}: {b','.join(fields)[:80]!r}"
        raise DecodeError(Reject.UNSUPPORTED, detail=detail)
    if len(fields) < 10:
        detail = f"expected 12 fields and more, got {len(fields) + 2}"
        raise DecodeError(Reject.TRUNCATED, detail=detail)
    _add(event, fields + [b""] * (_FIXED_FIELDS - len(fields)), ident, at, rows)


_FIXED_FIELDS: Final = 12
"""From the local time to the altitude."""


def _add(event: bytes, fields: list[bytes], ident: str, at: int, rows: FixRows) -> None:
    local, phone, _, clock, valid, lat, north, lon, east, knots, course, altitude, *tail = fields
    driver = known_licence(phone.decode("latin-1")) if event == b"rfid" else ""
    if not lat and not lon:
        raise DecodeError(Reject.NO_CONTENT, detail="no coordinates")
    inputs, extra = beside(event, b"" if driver else phone, b",".join(tail))
    rows.add(
        _time(local, clock),
        _side(lon, east, b"EW", "lon"),
        _side(lat, north, b"NS", "lat"),
        at=at,
        speed_kmh=number(knots, "speed") * KNOT_KMH,
        heading=number(course, "course"),
        altitude=number(altitude, "altitude"),
        driver=driver,
        ident=ident,
        inputs=inputs,
        quality=0 if valid == b"A" else Quality.NO_POSITION,
        extra=extra,
    )


def _time(local: bytes, clock: bytes) -> int:
    """Microseconds of a time of day in UTC, on the day nearest to a local time."""
    there, here = _LOCAL.fullmatch(local), _CLOCK.fullmatch(clock)
    if not there:
        detail = f"local time: expected yymmddhhmmss, got {local[:24]!r}"
        raise DecodeError(Reject.BAD_VALUE, detail=detail)
    if not here:
        detail = f"time in UTC: expected hhmmss.sss, got {clock[:24]!r}"
        raise DecodeError(Reject.BAD_VALUE, detail=detail)
    year, month, day, *rest = (int(part or 0) for part in there.groups())
    same_day = dated_us((year, month, day), two_digits(here[1]))
    ahead = dated_us((year, month, day), rest) - same_day
    days = int(_days_off(ahead))
    return same_day + days * DAY_US + int((here[2] or b"").ljust(6, b"0")) * SECOND_US // 10**6


def _side(angle: bytes, side: bytes, sides: bytes, name: str) -> float:
    if len(side) != 1 or side not in sides:
        detail = f"{name}: expected {sides[:1].decode()} or {sides[1:].decode()}, got {side[:8]!r}"
        raise DecodeError(Reject.BAD_VALUE, detail=detail)
    written = number(angle, name)
    if isnan(written) or written < 0:
        raise DecodeError(Reject.MISSING_FIELD, detail=f"{name}: expected ddmm.mmmm, got {angle!r}")
    value = degrees_minutes(written, name)
    return value if side == sides[:1] else -value


def _add_named(found: re.Match[bytes], ident: str, at: int, rows: FixRows) -> None:
    """A message of a tracker with a name; its speed is in km/h, its time in UTC."""
    day, month, year = two_digits(found["date"])
    states = {Input.IGNITION: found["acc"] == b"1", Input.CHARGING: found["charging"] == b"1"}
    kept = {name: found[name].decode("latin-1") for name in ("event", "rssi", "rest")}
    rows.add(
        dated_us((year, month, day), two_digits(found["clock"])),
        float(found["lon"]),
        float(found["lat"]),
        at=at,
        speed_kmh=float(found["kmh"]),
        heading=float(found["course"]),
        altitude=float(found["altitude"]),
        hdop=float(found["hdop"]),
        satellites=float(found["satellites"]),
        ident=ident,
        inputs=inputs_word(states),
        quality=Quality.NO_POSITION if found["valid"] == b"0" else 0,
        extra={name: text for name, text in kept.items() if text},
    )


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One message "tracker" for each fix, of a tracker whose local time is UTC."""
    del drivers
    check_idents(idents)
    times = written_times(fixes.time, "%y%m%d%H%M%S")
    return [
        f"imei:{ident},tracker,{when},,F,{when[6:]}.{fix.time_us // 1000 % 1000:03d},"
        f"{'V' if fix.is_lost else 'A'},"
        f"{written_angle(fix.lat, 2, 4)},{'S' if fix.lat < 0 else 'N'},"
        f"{written_angle(fix.lon, 3, 4)},{'W' if fix.lon < 0 else 'E'},"
        f"{written_number(fix.speed_kmh / KNOT_KMH, 4)},{written_number(fix.heading, 2)},"
        f"{written_number(fix.altitude, 1)};".encode()
        for fix, ident, when in zip(each_fix(fixes), idents, times, strict=True)
    ]


GPS103: Final = register(Codec(name="gps103", decode=decode, encode=encode))
