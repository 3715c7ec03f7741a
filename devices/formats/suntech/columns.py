"""What the families of Suntech have in common: columns of a report, its inputs, its time."""

import re
from functools import lru_cache
from typing import Final

from devices.batch import Input, inputs_word
from devices.errors import DecodeError, Reject
from devices.text_fields import compact_instant_us

IDENT: Final = re.compile(r"[0-9A-Za-z]{1,20}", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{8}", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)
_ANGLE: Final = re.compile(r"[+-]?[0-9]{1,3}\.[0-9]{1,9}", re.ASCII)
_SUM: Final = re.compile(r";[0-9A-Fa-f]{2}(?=;|$)", re.ASCII)
_WIRED: Final = (Input.IGNITION, Input.DIN_1, Input.DIN_2, Input.DIN_3)

EMERGENCIES: Final = {
    "1": inputs_word({Input.SOS: True}),
    "3": inputs_word({Input.POWER_CUT: True}),
}
ALERTS: Final = {
    "40": inputs_word({Input.POWER_CUT: False}),
    "41": inputs_word({Input.POWER_CUT: True}),
    "42": inputs_word({Input.SOS: True}),
}
"""Inputs that an emergency or alert says by its number: button, main power."""


def is_date(text: str) -> bool:
    """Whether a column is yyyymmdd."""
    return _DATE.fullmatch(text) is not None


def is_clock(text: str) -> bool:
    """Whether a column is hh:mm:ss."""
    return _TIME.fullmatch(text) is not None


def is_angle(text: str) -> bool:
    """Whether a column is a coordinate: degrees with decimals."""
    return _ANGLE.fullmatch(text) is not None


def time_us(date: str, clock: str) -> float:
    """Microseconds of yyyymmdd and hh:mm:ss, which are UTC; NaN if there is no such date."""
    return compact_instant_us(date + clock.replace(":", ""))


@lru_cache(maxsize=1024)
def io_inputs(io: str) -> int:
    """Inputs of a text of 0 and 1: ignition, inputs 1 to 3, then outputs; six or more."""
    if len(io) < 6 or io.strip("01"):
        return 0
    return inputs_word({one: io[at] == "1" for at, one in enumerate(_WIRED)})


@lru_cache(maxsize=256)
def bit_inputs(bits: int) -> int:
    """Inputs of a number: bit 0 ignition, bits 1 to 3 the wired ones."""
    return inputs_word({one: bool(bits >> at & 1) for at, one in enumerate(_WIRED)})


def check_ident(ident: str, at: int) -> None:
    """Raise DecodeError for what is no device number."""
    if IDENT.fullmatch(ident) is None:
        detail = f"device: expected a number, got {ident!r:.40}"
        raise DecodeError(Reject.BAD_VALUE, at=at, detail=detail)


def readable(data: str) -> str:
    """Data of a serial port as text, or in hexadecimal if it is none."""
    text = data.strip("\r\n")
    return text if text.isascii() and text.isprintable() else data.encode("latin-1").hex()


def serial_data(columns: list[str], extra: dict[str, str | bool]) -> list[str]:
    """Data of the serial port: its length, itself (it may hold semicolons), its checksum."""
    size, rest = columns[0], ";".join(columns[1:])
    if not (size.isascii() and size.isdecimal() and len(size) < 6) or int(size) > len(rest) + 2:
        return columns
    end = int(size)
    if rest[end : end + 1] != ";" and (sum_at := _SUM.search(rest)):
        end = sum_at.start()  # line ends of the data that a gateway took out are counted, too
    extra["data"] = readable(rest[:end])
    return rest[end + 1 :].split(";")[1:]
