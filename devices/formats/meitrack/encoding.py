"""Fixes as reports: AAA, tracked by time interval (event 35)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isnan
from typing import Final

from devices.batch import FixBatch, Input, inputs_states
from devices.each_fix import each_fix
from devices.errors import EncodeError

_UNKNOWN_SATELLITES: Final = 255
_WIRED: Final = (Input.DIN_1, Input.DIN_2, Input.DIN_3, Input.DIN_4)
_YEARS: Final = range(2000, 2100)


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One report per fix; an unknown value is an empty column. Drivers have no place in it."""
    del drivers
    out = []
    for number, (fix, ident) in enumerate(zip(each_fix(fixes), idents, strict=True)):
        try:
            when = datetime.fromtimestamp(fix.time_us // 1_000_000, UTC)
        except (ValueError, OverflowError, OSError):
            raise EncodeError(f"meitrack: time: expected a date, got {fix.time_us}") from None
        if when.year not in _YEARS:
            raise EncodeError(f"meitrack: time: expected 2000..2099, got {when.year}")
        states = inputs_states(fix.inputs)
        wired = sum(1 << bit for bit, one in enumerate(_WIRED) if states.get(one))
        seen = "" if fix.satellites == _UNKNOWN_SATELLITES else fix.satellites
        body = (
            f",{ident},AAA,35,{fix.lat:.6f},{fix.lon:.6f},{when:%y%m%d%H%M%S},"
            f"{'V' if fix.is_lost else 'A'},{seen},20,{_text(fix.speed_kmh, 1)},"
            f"{_text(fix.heading, 0)},{_text(fix.hdop, 1)},{_text(fix.altitude, 0)},"
            f"{_text(fix.odometer, 0)},0,"
            f"452|1|0000|00000000,{wired:02X}00,0000|0000|0000|0190|04E2,00000001,,1,0000*"
        )
        head = f"$${chr(ord('A') + number % 26)}{len(body) + 4}{body}".encode()
        out.append(b"%s%02X\r\n" % (head, sum(head) & 0xFF))
    return out


def _text(value: float, decimals: int) -> str:
    return "" if isnan(value) else f"{value:.{decimals}f}"
