"""The kernel that reads plain payloads: one RMC sentence, or RMC and a GGA of the same time.

Belongs here: what most receivers send, byte by byte, without objects. Whatever is not exactly that
(another order, another sign, more digits, a wrong checksum) is left to codec.py, which says the
same of what is read here: tests hold the two together.
"""

from typing import Final

import numpy as np

from devices.batch import F64, I64, U8
from devices.compile import inlined_kernel, kernel
from devices.scanning import POWERS, days_since_1970, digit_at, is_date, whole_at
from devices.units import KNOT_KMH

TIME, LON, LAT, SPEED, HEADING, ALTITUDE, HDOP, SATELLITES = range(8)
"""Rows of what `read_plain` writes, in the units of FixBatch; time as microseconds."""

NOT_PLAIN, VALID, LOST = range(3)
"""What `read_plain` says of a payload: not read, a fix, or one of status V or mode N."""

PAD: Final = b"\0" * 8
"""Stands behind the last payload: no field goes on over it."""

_MOST_DIGITS: Final = 15
"""So many digits, divided by a power of ten, are rounded as `float` rounds the text."""

_COMMA, _DOT, _STAR, _DOLLAR, _MINUS = ord(","), ord("."), ord("*"), ord("$"), ord("-")
_ZERO, _A, _F, _M, _N, _P, _V, _Z = (ord(letter) for letter in "0AFMNPVZ")
_CR, _LF = ord("\r"), ord("\n")
_NORTH, _SOUTH, _EAST, _WEST = (ord(letter) for letter in "NSEW")
_BAD: Final = -1


@inlined_kernel
def _decimal(raw: U8, at: int) -> tuple[float, int]:
    """A number without a sign, NaN for none, and where it ends; -1 for what is no number."""
    if at < 0:
        return np.nan, _BAD
    value, digits, dot = 0, 0, -1
    while digits <= _MOST_DIGITS:
        digit = digit_at(raw, at)
        if 0 <= digit <= 9:
            value = value * 10 + digit
            digits += 1
        elif raw[at] == _DOT and dot < 0:
            dot = digits
        else:
            break
        at += 1
    if digits == 0:
        return np.nan, at if dot < 0 else _BAD
    if digits > _MOST_DIGITS:
        return np.nan, _BAD
    return (value / POWERS[digits - dot] if dot >= 0 else float(value)), at


@inlined_kernel
def _number(raw: U8, at: int) -> tuple[float, int]:
    """As `_decimal`, with the comma behind it."""
    value, at = _decimal(raw, at)
    return value, (at + 1 if at >= 0 and raw[at] == _COMMA else _BAD)


@inlined_kernel
def _clock(raw: U8, at: int) -> tuple[int, int]:
    """Microseconds of hhmmss or hhmmss.s to .ssssss and a comma, and where it ends; or -1, -1."""
    clock = whole_at(raw, at, 6) if at >= 0 else _BAD
    hour, minute, second = clock // 10_000, clock // 100 % 100, clock % 100
    if clock < 0 or hour > 23 or minute > 59 or second > 60:
        return _BAD, _BAD
    micros = (hour * 3600 + minute * 60 + second) * 1_000_000
    at += 6
    if raw[at] == _DOT:
        at += 1
        unit = 100_000
        while unit and 0 <= digit_at(raw, at) <= 9:
            micros += digit_at(raw, at) * unit
            unit //= 10
            at += 1
    return (micros, at + 1) if raw[at] == _COMMA else (_BAD, _BAD)


@inlined_kernel
def _angle(raw: U8, at: int, plus: int, minus: int) -> tuple[float, int]:
    """Degrees of dddmm.mmmm, a comma, a side and a comma, and where they end; or NaN, -1."""
    whole, digits = 0, 0
    while at >= 0 and digits < 6 and 0 <= digit_at(raw, at) <= 9:
        whole = whole * 10 + digit_at(raw, at)
        digits += 1
        at += 1
    if digits < 3 or digits > 5 or whole % 100 > 59:
        return np.nan, _BAD
    minutes, parts = whole % 100, 0
    if raw[at] == _DOT:
        at += 1
        while parts < 13 and 0 <= digit_at(raw, at) <= 9:
            minutes = minutes * 10 + digit_at(raw, at)
            parts += 1
            at += 1
    value = whole // 100 + minutes / POWERS[parts] / 60
    if raw[at] != _COMMA or raw[at + 2] != _COMMA:
        return np.nan, _BAD
    if raw[at + 1] == plus:
        return value, at + 3
    return (-value, at + 3) if raw[at + 1] == minus else (np.nan, _BAD)


@inlined_kernel
def _days(raw: U8, at: int) -> tuple[int, int]:
    """Days since 1970 of a date ddmmyy, and where it ends; 80 to 99 are of the last century."""
    date = whole_at(raw, at, 6) if at >= 0 else _BAD
    day, month, year = date // 10_000, date // 100 % 100, date % 100
    year += 1900 if year >= 80 else 2000
    if date < 0 or not is_date(year, month, day):
        return _BAD, _BAD
    return days_since_1970(year, month, day), at + 6


@inlined_kernel
def _hex(digit: int) -> int:
    """The value of a hexadecimal digit; 256 for none, which no checksum equals."""
    if 0 <= digit - _ZERO <= 9:
        return digit - _ZERO
    digit &= 0xDF  # to upper case
    return digit - _A + 10 if _A <= digit <= _F else 256


@inlined_kernel
def _ends(raw: U8, start: int, star: int) -> int:
    """Where a sentence with a right checksum at `star` ends, its line end included; or -1."""
    if star < 0 or raw[star] != _STAR:
        return _BAD
    found = np.uint8(0)
    for k in range(start + 1, star):
        found ^= raw[k]
    if _hex(int(raw[star + 1])) * 16 + _hex(int(raw[star + 2])) != found:
        return _BAD
    at = star + 3
    if raw[at] == _CR:
        at += 1
    if raw[at] == _LF:
        at += 1
    return at


@inlined_kernel
def _fields(raw: U8, at: int, first: int, second: int, third: int) -> int:
    """Where the fields of a sentence of this type and any receiver's talker begin, or -1."""
    if raw[at] != _DOLLAR or raw[at + 1] == _P or raw[at + 6] != _COMMA:
        return _BAD
    talker = _A <= raw[at + 1] <= _Z and _A <= raw[at + 2] <= _Z
    kind = raw[at + 3] == first and raw[at + 4] == second and raw[at + 5] == third
    return at + 7 if talker and kind else _BAD


_RMC: Final = tuple(b"RMC")
_GGA: Final = tuple(b"GGA")


@inlined_kernel
def _status(raw: U8, at: int) -> tuple[int, int]:
    """What a status of A or V with its comma says, and where it ends."""
    if at < 0 or raw[at + 1] != _COMMA:
        return NOT_PLAIN, _BAD
    if raw[at] == _A:
        return VALID, at + 2
    return (LOST, at + 2) if raw[at] == _V else (NOT_PLAIN, _BAD)


@inlined_kernel
def _mode(raw: U8, at: int) -> tuple[bool, int]:
    """Whether a mode of N follows the date, and where the sentence ends.

    Variation, its side, mode and status of navigation stand there, or the first of them, or none.
    """
    lost = False
    if at < 0 or raw[at] != _COMMA:
        return lost, at
    _, at = _decimal(raw, at + 1)
    for field in range(11, 14):
        if at < 0 or raw[at] != _COMMA:
            break
        at += 1
        if _A <= raw[at] <= _Z:
            lost |= field == 12 and raw[at] == _N
            at += 1
    return lost, at


@kernel
def _read_rmc(raw: U8, start: int, row: int, out: F64) -> tuple[int, int, int]:
    """Read RMC into a row: (where it ends or -1, time of day in microseconds, state)."""
    at = _fields(raw, start, _RMC[0], _RMC[1], _RMC[2])
    clock, at = _clock(raw, at)
    state, at = _status(raw, at)
    lat, at = _angle(raw, at, _NORTH, _SOUTH)
    lon, at = _angle(raw, at, _EAST, _WEST)
    knots, at = _number(raw, at)
    course, at = _number(raw, at)
    days, at = _days(raw, at)
    lost, at = _mode(raw, at)
    out[TIME, row] = days * 86_400_000_000 + clock
    out[LON, row], out[LAT, row] = lon, lat
    out[SPEED, row], out[HEADING, row] = knots * KNOT_KMH, course
    return _ends(raw, start, at), clock, LOST if lost else state


@kernel
def _read_gga(raw: U8, start: int, row: int, clock: int, out: F64) -> int:
    """Add what a GGA of this time of day says; where it ends, or -1."""
    own, at = _clock(raw, _fields(raw, start, _GGA[0], _GGA[1], _GGA[2]))
    _, at = _angle(raw, at, _NORTH, _SOUTH)
    _, at = _angle(raw, at, _EAST, _WEST)
    quality, at = _number(raw, at)
    satellites, at = _number(raw, at)
    hdop, at = _number(raw, at)
    below = at >= 0 and raw[at] == _MINUS
    altitude, at = _number(raw, at + 1 if below else at)
    if own != clock or at < 0 or np.isnan(quality) or (below and np.isnan(altitude)):
        return _BAD
    fields = 11
    while raw[at] in _REST or 0 <= digit_at(raw, at) <= 9:
        fields += raw[at] == _COMMA
        at += 1
    out[SATELLITES, row], out[HDOP, row] = satellites, hdop
    out[ALTITUDE, row] = -altitude if below else altitude
    return _ends(raw, start, at) if fields <= 15 else _BAD


_REST: Final = tuple(b",.-M")
"""What, digits apart, stands behind the altitude of a GGA: units, and numbers not used here."""


@kernel
def read_plain(raw: U8, starts: I64, out: F64, state: U8) -> None:
    """Read the payloads that are plain; the columns of the others are not to be used.

    raw: the payloads, one after another, and `PAD`. starts: shape (n + 1,), where each begins and
    the last ends. out: shape (8, n), NaN throughout when given. state: shape (n,), see NOT_PLAIN.
    """
    for row in range(len(state)):
        end = starts[row + 1]
        at, clock, said = _read_rmc(raw, starts[row], row, out)
        if 0 < at < end:
            at = _read_gga(raw, at, row, clock, out)
        state[row] = said if at == end else NOT_PLAIN
