"""Fixes as D packets of version 2."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isnan
from typing import Final

from devices.batch import FixBatch, Input, inputs_states
from devices.crc16 import crc16_ibm_each
from devices.each_fix import each_fix
from devices.errors import EncodeError

_UNKNOWN_SATELLITES: Final = 255
_WIRED: Final = (Input.DIN_1, Input.DIN_2, Input.DIN_3, Input.DIN_4)
_PARTS: Final = 10**6
_YEARS: Final = range(2000, 2100)


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One packet per fix. Identities go into the login, drivers and odometers have no place.

    No satellites say that there is no fix.
    """
    del idents, drivers
    messages = []
    for fix in each_fix(fixes):
        try:
            when = datetime.fromtimestamp(fix.time_us // 1_000_000, UTC)
        except (ValueError, OverflowError, OSError):
            raise EncodeError(f"wialon: time: expected a date, got {fix.time_us}") from None
        if when.year not in _YEARS:
            raise EncodeError(f"wialon: time: expected 2000..2099, got {when.year}")
        seen = "NA" if fix.satellites == _UNKNOWN_SATELLITES else fix.satellites
        messages.append((
            f"{when:%d%m%y;%H%M%S};{_angle(fix.lat, 2, 'NS')};{_angle(fix.lon, 3, 'EW')};"
            f"{_text(fix.speed_kmh, 1)};{_text(fix.heading, 1)};{_text(fix.altitude, 1)};"
            f"{0 if fix.is_lost else seen};{_text(fix.hdop, 1)};{_wired(fix.inputs)};"
            "NA;NA;NA;NA;"
        ).encode())  # fmt: skip
    sums = crc16_ibm_each(messages)
    return [b"#D#%b%04X\r\n" % pair for pair in zip(messages, sums, strict=True)]


def _text(value: float, decimals: int) -> str:
    return "NA" if isnan(value) else f"{value:.{decimals}f}"


def _angle(value: float, digits: int, sides: str) -> str:
    """Degrees and minutes; rounded as one number, so that 59.9999999 minutes carry over."""
    degrees, parts = divmod(round(abs(value) * 60 * _PARTS), 60 * _PARTS)
    minutes, part = divmod(parts, _PARTS)
    return f"{degrees:0{digits}d}{minutes:02d}.{part:06d};{sides[value < 0]}"


def _wired(word: int) -> str:
    """The wired inputs as one number; NA where none is known."""
    states = inputs_states(word)
    if not states.keys() & set(_WIRED):
        return "NA"
    return str(sum(1 << bit for bit, one in enumerate(_WIRED) if states.get(one)))
