"""Fixes as reports: ST300STT, with hour meter."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isnan
from typing import Final

from devices.batch import FixBatch, Input, inputs_states
from devices.each_fix import each_fix
from devices.errors import EncodeError

_UNKNOWN_SATELLITES: Final = 255
_WIRED: Final = (Input.IGNITION, Input.DIN_1, Input.DIN_2, Input.DIN_3)


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One report per fix. Drivers, altitude and hdop have no place in it."""
    del drivers
    out = []
    for number, (fix, ident) in enumerate(zip(each_fix(fixes), idents, strict=True)):
        try:
            when = datetime.fromtimestamp(fix.time_us // 1_000_000, UTC)
        except (ValueError, OverflowError, OSError):
            raise EncodeError(f"suntech: time: expected a date, got {fix.time_us}") from None
        seen = "" if fix.satellites == _UNKNOWN_SATELLITES else fix.satellites
        out.append((
            f"ST300STT;{ident};02;010;{when.year:04d}{when:%m%d;%H:%M:%S};00000;"
            f"{fix.lat:+010.6f};{fix.lon:+011.6f};{_text(fix.speed_kmh, '07.3f')};"
            f"{_text(fix.heading, '06.2f')};{seen};{0 if fix.is_lost else 1};"
            f"{_text(fix.odometer, '.0f')};12.50;{_io(fix.inputs)};2;"
            f"{number % 10_000:04d};000000;4.1;1"
        ).encode())  # fmt: skip
    return out


def _text(value: float, form: str) -> str:
    return "" if isnan(value) else f"{value:{form}}"


def _io(word: int) -> str:
    """Ignition, three inputs, two outputs; "" where the ignition is not known."""
    states = inputs_states(word)
    if Input.IGNITION not in states:
        return ""
    return "".join("1" if states.get(one) else "0" for one in _WIRED) + "00"
