"""Fixes as reports: ST300STT, with hour meter."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isnan
from typing import Final

from devices.batch import FixBatch, Input, Quality, inputs_states
from devices.errors import EncodeError

_UNKNOWN_SATELLITES: Final = 255
_WIRED: Final = (Input.IGNITION, Input.DIN_1, Input.DIN_2, Input.DIN_3)


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One report per fix. Drivers, altitude and hdop have no place in it."""
    del drivers
    columns = zip(
        fixes.time.tolist(), fixes.lon.tolist(), fixes.lat.tolist(), fixes.speed_kmh.tolist(),
        fixes.heading.tolist(), fixes.satellites.tolist(), fixes.odometer.tolist(),
        fixes.inputs.tolist(), fixes.quality.tolist(), idents, strict=True,
    )  # fmt: skip
    out = []
    for number, one in enumerate(columns):
        time, lon, lat, speed, heading, satellites, odometer, inputs, bad, ident = one
        try:
            when = datetime.fromtimestamp(time // 1_000_000, UTC)
        except (ValueError, OverflowError, OSError):
            raise EncodeError(f"suntech: time: expected a date, got {time}") from None
        seen = "" if satellites == _UNKNOWN_SATELLITES else satellites
        out.append((
            f"ST300STT;{ident};02;010;{when.year:04d}{when:%m%d;%H:%M:%S};00000;"
            f"{lat:+010.6f};{lon:+011.6f};{_text(speed, '07.3f')};{_text(heading, '06.2f')};{seen};"
            f"{0 if bad & Quality.NO_POSITION else 1};{_text(odometer, '.0f')};12.50;"
            f"{_io(inputs)};2;{number % 10_000:04d};000000;4.1;1"
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
