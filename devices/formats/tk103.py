"""Codec "tk103": messages in parentheses, of TK103 trackers (docs/codecs/tk103.md).

    (id BR00 yymmdd A ddmm.mmmm N dddmm.mmmm E km/h hhmmss course state L metres)   without blanks
    (id,ZC17,ddmmyy,A,ddmm.mmmmN,dddmm.mmmmE,km/h,hhmmss,course,altitude,satellites)

By the makers' "GPS communication protocol". Times are UTC.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from math import isnan
from typing import Any, Final

import numpy as np

from devices.batch import I64, FixBatch, Input, Quality, inputs_word
from devices.codec import Codec, Decoded, register
from devices.columns import decimals, instants, pairs
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
from devices.usual import Fields, Usual, Way, angles, decode_usual, said

USUAL: Final = re.compile(
    rb"\(([0-9A-Za-z]{12}|\d{15})(BR0\d)(\d{6})([AV])(\d{4}\.\d{4})([NS])(\d{5}\.\d{4})([EW])"
    rb"(\d{3}\.\d)(\d{6})(\d{3}\.\d\d)([01]{2}[0-9A-Fa-f]{6})L([0-9A-Fa-f]{8})\)(?:\r\n)?"
)
"""The message that nearly all trackers send, alone in its payload."""

MAX_MESSAGE_BYTES: Final = 2048

_COMPACT: Final = re.compile(
    rb"(?P<ident>\d{15}(?=[A-Z])|[0-9A-Za-z]{12})(?P<kind>[A-Z]{2}[0-9A-Z]{2})(?P<body>.*)",
    re.DOTALL,
)
_LISTED: Final = re.compile(
    rb"(?![0-9A-Za-z]{12}(?:\d{3})?[A-Z]{2}[0-9A-Z]{2},)"  # a kind glued to its identity
    rb"(?P<ident>[0-9A-Za-z]{1,20}),(?P<kind>[A-Z]{1,3}[0-9A-Z]{1,4})(?:,(?P<body>.*))?",
    re.DOTALL,
)
_COMPACT_POSITION: Final = re.compile(
    rb"""(?P<date>\d{6}),?(?P<valid>[AV]),?(?P<lat>[\d ]{4}\.\d{4}),?(?P<north>[NS]),?
    (?P<lon>[\d ]{5}\.\d{4}),?(?P<east>[EW]),?(?P<speed>[\d. ]{5}),?(?P<clock>\d{6}),?
    (?P<course>[\d. ]{6}),?(?P<state>[01]{2}[0-9A-Fa-f]{6})?(?:L(?P<metres>[0-9A-Fa-f]{1,8}))?
    (?P<rest>.*)""",
    re.VERBOSE | re.DOTALL,
)
_LISTED_POSITION: Final = re.compile(
    rb"""(?P<date>\d{6}),(?P<valid>[AV]),(?P<lat>[\d.]{5,14}),?(?P<north>[NS]),
    (?P<lon>[\d.]{5,14}),?(?P<east>[EW]),(?P<speed>[\d.]{0,12}),(?P<clock>\d{6}),
    (?P<course>[\d.]{0,12})(?:,(?P<altitude>-?[\d.]{0,12}))?(?:,(?P<satellites>\d{0,3}))?
    (?P<rest>.*)""",
    re.VERBOSE | re.DOTALL,
)


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads: single usual messages as columns, the others message by message."""
    return decode_usual(WAYS, payloads, received, read)


def _say(fields: Fields) -> Usual:
    """The columns of usual messages."""
    (
        idents, kinds, dates, states, lats, norths, lons, easts, speeds, clocks, courses, flags,
        metres,
    ) = fields  # fmt: skip
    return Usual(
        {
            "time": instants(*pairs(dates, 6).T, *pairs(clocks, 6).T),
            "lon": angles(lons, easts, "W"),
            "lat": angles(lats, norths, "S"),
            "speed_kmh": decimals(speeds),
            "heading": decimals(courses),
            "odometer": np.array([int(text, 16) for text in metres], np.float64),
            "inputs": np.array([state_inputs(text) for text in flags], np.uint32),
            "quality": np.where(said(states, "V"), int(Quality.NO_POSITION), 0),
        },
        list(map(_extra, kinds, flags)),
        idents,
    )


WAYS: Final = (Way(USUAL, _say),)


@lru_cache(maxsize=4096)
def _extra(kind: bytes, state: bytes) -> bytes:
    return extra_bytes({"kind": kind.decode(), "state": state.decode()})


@lru_cache(maxsize=4096)
def state_inputs(state: bytes) -> int:
    """Inputs of a state of eight digits: the first is 1 without main power, the second with ACC."""
    return inputs_word(
        {
            Input.POWER_CUT: state[:1] == b"1",
            Input.IGNITION: state[1:2] == b"1",
        }
    )


def read(payload: bytes, rows: FixRows) -> None:
    """Read the messages of one payload; between them only blanks and line ends may stand."""
    at = 0
    while at < len(payload):
        head = payload[at : at + 1]
        if head in b"\r\n\0 ":
            at += 1
            continue
        if head != b"(":
            detail = f"expected (, got {payload[at : at + 12]!r}"
            raise DecodeError(Reject.BAD_SYNTAX, at=at, detail=detail)
        end = payload.find(b")", at, at + MAX_MESSAGE_BYTES)
        if end < 0:
            raise DecodeError(Reject.TRUNCATED, at=at, detail="expected ) at the end")
        try:
            _read_message(payload[at + 1 : end], at, rows)
        except DecodeError as error:
            rows.refuse(error, at)
        at = end + 1


def _read_message(message: bytes, at: int, rows: FixRows) -> None:
    listed = _LISTED.fullmatch(message)
    head = listed or _COMPACT.fullmatch(message)
    if not head:
        detail = f"expected an identity and a kind, got {message[:24]!r}"
        raise DecodeError(Reject.BAD_SYNTAX, detail=detail)
    kind, body = head["kind"], head["body"] or b""
    found = (_LISTED_POSITION if listed else _COMPACT_POSITION).search(body)
    if not found:
        detail = f"a message {kind.decode()} without a position: {body[:80]!r}"
        raise DecodeError(Reject.UNSUPPORTED, detail=detail)
    said_of = found.groupdict() | {"before": body[: found.start()].strip(b",")}
    _add(head["ident"].decode(), kind, said_of, at, rows, last_is_year=bool(listed))


def _add(
    ident: str,
    kind: bytes,
    values: dict[str, bytes],
    at: int,
    rows: FixRows,
    *,
    last_is_year: bool,
) -> None:
    date = two_digits(values["date"])
    state, metres = values.get("state") or b"", values.get("metres") or b""
    inputs, extra = _beside(kind, state, values["before"], values["rest"].strip(b","))
    rows.add(
        dated_us(date[::-1] if last_is_year else date, two_digits(values["clock"])),
        _angle(values["lon"], values["east"] == b"W", "lon"),
        _angle(values["lat"], values["north"] == b"S", "lat"),
        at=at,
        speed_kmh=number(values["speed"], "speed"),
        heading=number(values["course"], "course"),
        altitude=number(values.get("altitude") or b"", "altitude"),
        satellites=number(values.get("satellites") or b"", "satellites"),
        odometer=int(metres, 16) if metres else float("nan"),
        ident=ident,
        inputs=inputs,
        quality=Quality.NO_POSITION if values["valid"] == b"V" else 0,
        extra=extra,
    )


ALARMS: Final = {
    b"0": "power_cut", b"1": "accident", b"2": "sos", b"3": "theft", b"4": "low_speed",
    b"5": "overspeed", b"6": "zone_left",
}  # fmt: skip
"""What the first digit of BO01, an alarm, says."""

_ALARM_INPUTS: Final = {b"0": Input.POWER_CUT, b"2": Input.SOS}
_IMEI_DIGITS: Final = 15


def _beside(kind: bytes, state: bytes, before: bytes, rest: bytes) -> tuple[int, dict[str, Any]]:
    """Inputs, and what has no column."""
    inputs = state_inputs(state) if state else 0
    extra = {"kind": kind.decode()}
    if state:
        extra["state"] = state.decode()
    if kind == b"BO01" and before in ALARMS:
        extra["alarm"] = ALARMS[before]
        if before in _ALARM_INPUTS:
            inputs |= inputs_word({_ALARM_INPUTS[before]: True})
    elif len(before) == _IMEI_DIGITS and before.isdigit():
        extra["imei"] = before.decode()
    elif before:
        extra["before"] = before.decode("latin-1")
    if rest:
        extra["rest"] = rest.decode("latin-1")
    return inputs, extra


def _angle(text: bytes, negative: bool, name: str) -> float:
    value = degrees_minutes(number(text, name), name)
    return -value if negative else value


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One message for each fix: BR00 if it has room for identity, speed and course, else ZC17.

    BR00 has no altitude and no satellites, ZC17 no odometer.
    """
    del drivers
    check_idents(idents)
    out = []
    times = written_times(fixes.time, "%y%m%d%H%M%S")
    for fix, ident, when in zip(each_fix(fixes), idents, times, strict=True):
        valid = "V" if fix.is_lost else "A"
        north = f"{written_angle(fix.lat, 2, 4)}{'S' if fix.lat < 0 else 'N'}"
        east = f"{written_angle(fix.lon, 3, 4)}{'W' if fix.lon < 0 else 'E'}"
        known = not isnan(fix.speed_kmh) and not isnan(fix.heading) and fix.speed_kmh < _MOST_KMH
        if known and _ROOMY.fullmatch(ident):
            metres = 0 if isnan(fix.odometer) else round(fix.odometer) & 0xFFFFFFFF
            said_all = (
                f"({ident}BR00{when[:6]}{valid}{north}{east}{fix.speed_kmh:05.1f}{when[6:]}"
                f"{min(fix.heading, 359.99):06.2f}00000000L{metres:08X})"
            )
        else:
            said_all = (
                f"({ident},ZC17,{when[4:6]}{when[2:4]}{when[:2]},{valid},{north},{east},"
                f"{written_number(fix.speed_kmh, 3)},{when[6:]},{written_number(fix.heading, 2)},"
                f"{written_number(fix.altitude, 2)},"
                f"{'' if fix.satellites == _UNKNOWN_SATELLITES else fix.satellites})"
            )
        out.append(said_all.encode())
    return out


_MOST_KMH: Final = 999.9
_UNKNOWN_SATELLITES: Final = 255
_ROOMY: Final = re.compile(r"[0-9A-Za-z]{12}|\d{15}")

TK103: Final = register(Codec(name="tk103", decode=decode, encode=encode))
