"""Fixes as reports: GTFRI of one position, as vehicle trackers send it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isnan
from typing import Final

from devices.batch import FixBatch, Input, inputs_states
from devices.each_fix import each_fix
from devices.errors import EncodeError

_VERSION: Final = "060B02"
_UNKNOWN_SATELLITES: Final = 255
_WIRED: Final = {Input.DIN_1: 2, Input.DIN_2: 4, Input.DIN_3: 8, Input.DIN_4: 16}


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One report per fix. Drivers have no place in it; without a fix the accuracy is 0."""
    del drivers
    out = []
    for number, (fix, ident) in enumerate(zip(each_fix(fixes), idents, strict=True)):
        try:
            when = datetime.fromtimestamp(fix.time_us // 1_000_000, UTC)
        except (ValueError, OverflowError, OSError):
            raise EncodeError(f"queclink: time: expected a date, got {fix.time_us}") from None
        clock = f"{when.year:04d}{when:%m%d%H%M%S}"
        accuracy = "0" if fix.is_lost else _text(fix.hdop, 1)
        appended = "00" if fix.satellites == _UNKNOWN_SATELLITES else f"01,{fix.satellites}"
        out.append((
            f"+RESP:GTFRI,{_VERSION},{ident},,,10,1,{accuracy},{_text(fix.speed_kmh, 1)},"
            f"{_text(fix.heading, 0)},{_text(fix.altitude, 1)},{fix.lon:.6f},{fix.lat:.6f},"
            f"{clock},,,,,{appended},{_text(fix.odometer / 1000, 1)},,,,,{_status(fix.inputs)},,,,"
            f"{clock},{number & 0xFFFF:04X}$"
        ).encode())  # fmt: skip
    return out


def _text(value: float, decimals: int) -> str:
    return "" if isnan(value) else f"{value:.{decimals}f}"


def _status(word: int) -> str:
    """State of the vehicle, digital inputs and outputs; "" if nothing of them is known."""
    states = inputs_states(word)
    ignition, moving = states.get(Input.IGNITION), states.get(Input.MOVEMENT)
    if ignition is None and moving is None:
        return ""
    state = ("4" if ignition is None else "2" if ignition else "1") + ("2" if moving else "1")
    wired = sum(bit for one, bit in _WIRED.items() if states.get(one))
    return f"{state}{wired:02X}00"
