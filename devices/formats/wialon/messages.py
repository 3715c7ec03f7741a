"""Messages of Wialon IPS: the columns of SD and D packets.

    date; time; latitude; N or S; longitude; E or W; speed; course; altitude; satellites
    (D only:) hdop; inputs; outputs; analogue inputs; tag; parameters

`NA` or nothing is "not known". Angles are degrees and minutes, (d)ddmm.mmmm; speed is km/h; date
(ddmmyy) and time (hhmmss, in version 2 with decimals) are UTC, and both are NA where the server
shall take the time of arrival. A parameter is `name:type:value`, types 1 whole, 2 decimal, 3 text.
"""

import re
from collections.abc import Mapping, Sequence
from math import floor, nan
from typing import Any, Final

from devices.batch import Input, Quality, inputs_word
from devices.errors import DecodeError, Reject
from devices.rows import FixRows
from devices.text_fields import decimal, instant_us

SHORT: Final = 10
LONG: Final = 16
"""Columns of an SD and of a D packet."""
SIZES: Final = {"SD": (SHORT,), "D": (LONG,), "B": (SHORT, LONG)}
"""How many columns a message of each packet may have."""

_DATE: Final = re.compile(r"[0-9]{6}", re.ASCII)
_TIME: Final = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})(?:\.([0-9]{1,9}))?", re.ASCII)
_ANGLE: Final = re.compile(r"[0-9]{3,5}(?:\.[0-9]{0,18})?", re.ASCII)
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{0,15})?", re.ASCII)
_WIRED: Final = (Input.DIN_1, Input.DIN_2, Input.DIN_3, Input.DIN_4)
_UNKNOWN: Final = frozenset({"", "NA"})


def add_message(columns: Sequence[str], packet: str, ident: str, at: int, rows: FixRows) -> None:
    """Add the fix of one message. Raises DecodeError."""
    expected = SIZES[packet]
    if len(columns) not in expected:
        reason = Reject.TRAILING_BYTES if len(columns) > max(expected) else Reject.TRUNCATED
        wanted = " or ".join(map(str, expected))
        detail = f"{packet}: expected {wanted} columns, got {len(columns)}"
        raise DecodeError(reason, at=at, detail=detail)
    day, clock, lat, north, lon, east, speed, course, altitude, satellites = columns[:SHORT]
    if {lat, lon} <= _UNKNOWN:
        raise DecodeError(Reject.NO_CONTENT, at=at, detail=f"{packet}: no coordinates")
    time = _time(day, clock, at)
    extra: dict[str, Any] = {"packet": packet}
    if packet == "B":
        extra["buffered"] = True
    if time is None:
        time, extra["time_from"] = float(rows.received[rows.payload]), "arrival"
    more, inputs = described(*columns[SHORT + 1 :]) if len(columns) == LONG else ({}, 0)
    seen = _number(satellites, "satellites", at)
    rows.add(
        time,
        _degrees(lon, east, "EW", at),
        _degrees(lat, north, "NS", at),
        at=at,
        speed_kmh=_number(speed, "speed", at),
        heading=_number(course, "course", at),
        altitude=_number(altitude, "altitude", at),
        hdop=_number(columns[SHORT], "hdop", at) if len(columns) == LONG else nan,
        satellites=seen,
        ident=ident,
        inputs=inputs,
        quality=int(Quality.NO_POSITION) if seen == 0 else 0,
        extra={**extra, **more},
    )


def _number(text: str, name: str, at: int) -> float:
    return nan if text in _UNKNOWN else decimal(text, name, at=at)


def _time(day: str, clock: str, at: int) -> float | None:
    """Microseconds; None where neither date nor time are known. Raises DecodeError."""
    if day in _UNKNOWN and clock in _UNKNOWN:
        return None
    parts = _TIME.fullmatch(clock)
    if _DATE.fullmatch(day) is None or parts is None:
        detail = f"time: expected ddmmyy;hhmmss, got {day!r:.20};{clock!r:.20}"
        raise DecodeError(Reject.BAD_VALUE, at=at, detail=detail)
    whole = instant_us(
        int(day[4:]), int(day[2:4]), int(day[:2]), int(parts[1]), int(parts[2]), int(parts[3])
    )
    return whole + int((parts[4] or "0").ljust(6, "0")[:6])


def _degrees(angle: str, side: str, sides: str, at: int) -> float:
    """Degrees of an angle. Minutes of 60 and more are carried over: some senders do not."""
    if _ANGLE.fullmatch(angle) is None or len(side) != 1 or side not in sides:
        detail = f"angle: expected dddmm.mmmm;{'|'.join(sides)}, got {angle!r:.30};{side!r:.10}"
        raise DecodeError(Reject.BAD_VALUE, at=at, detail=detail)
    value = float(angle)
    whole = floor(value / 100)
    degrees = whole + (value - whole * 100) / 60
    return -degrees if side == sides[1] else degrees


def described(
    inputs: str, outputs: str, analog: str, tag: str, params: str
) -> tuple[Mapping[str, Any], int]:
    """What the columns behind hdop say: for extra, and as inputs.

    Bits 0 to 3 of `inputs` are the wired ones; parameter SOS of 1 is the alarm.
    """
    extra: dict[str, Any] = {}
    word = 0
    if _WHOLE.fullmatch(inputs):
        bits = int(inputs)
        extra["inputs"] = bits
        word |= inputs_word({one: bool(bits >> at & 1) for at, one in enumerate(_WIRED)})
    elif inputs not in _UNKNOWN:
        extra["inputs"] = inputs
    if outputs not in _UNKNOWN:
        extra["outputs"] = int(outputs) if _WHOLE.fullmatch(outputs) else outputs
    if analog not in _UNKNOWN:
        extra["adc"] = [float(one) if _DECIMAL.fullmatch(one) else one for one in analog.split(",")]
    if tag not in _UNKNOWN:
        extra["tag"] = tag
    if params not in _UNKNOWN:
        known, unread = _params(params)
        extra |= {"params": known} if known else {}
        extra |= {"unread": unread} if unread else {}
        if known.get("SOS") in {0, 1}:
            word |= inputs_word({Input.SOS: known["SOS"] == 1})
    return extra, word


def _params(text: str) -> tuple[dict[str, Any], list[str]]:
    """Parameters by name, and what is none."""
    known: dict[str, Any] = {}
    unread = []
    for one in text.split(","):
        name, colon, typed = one.partition(":")
        kind, more, value = typed.partition(":")
        if not (colon and more and name):
            if one:
                unread.append(one)
        elif kind == "1" and _WHOLE.fullmatch(value):
            known[name] = int(value)
        elif kind == "2" and _DECIMAL.fullmatch(value):
            known[name] = float(value)
        else:
            known[name] = value
    return known, unread
