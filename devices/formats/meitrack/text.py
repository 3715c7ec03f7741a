"""Reports as text: AAA, and every other command with the same columns.

event, latitude, longitude, yymmddhhmmss, A or V, satellites, strength, speed, course, hdop,
altitude, mileage, run time, country|network|area|cell, inputs and outputs, analogue inputs,
data of the event, custom data, version, fuel, temperatures, ...
"""

import re
from functools import lru_cache
from typing import Final

from devices.batch import Quality
from devices.errors import DecodeError, Reject
from devices.formats.meitrack.frame import Frame, event_inputs
from devices.rows import FixRows
from devices.text_fields import compact_instant_us, decimal

_REPORT: Final = re.compile(
    rb"(?:([0-9]{1,6}),)?([0-9]{1,4}),([+-]?[0-9]{1,2}\.[0-9]{1,9}),([+-]?[0-9]{1,3}\.[0-9]{1,9}),"
    rb"([0-9]{12}),([AV]),(.*)",
    re.DOTALL,
)
_BEHIND: Final = 10
"""Columns from the satellites to inputs and outputs."""
_VOLTS: Final = re.compile(r"(?:[0-9]*\.[0-9]+\|)+[0-9]*\.[0-9]+", re.ASCII)
_WHOLE: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
_IO: Final = re.compile(r"[0-9A-Fa-f]{4}", re.ASCII)
_REMEMBERED_CHARACTERS: Final = 400
"""What is longer is read each time: nobody shall fill the memory with it."""
_TAIL_NAMES: Final = ("event_data", "custom", "version", "fuel", "temperatures")


def read_text(frame: Frame, at: int, rows: FixRows) -> None:
    """Add the fix of one report. Raises DecodeError."""
    report = _REPORT.fullmatch(frame.data)
    if report is None:
        detail = f"{frame.command}: no report of a position"
        raise DecodeError(Reject.UNSUPPORTED, at=at, detail=detail)
    try:
        columns = report[7].decode().split(",")
    except UnicodeDecodeError:
        where = frame.data_at + report.start(7)
        raise DecodeError(Reject.BAD_ENCODING, at=where, detail="expected UTF-8") from None
    if len(columns) < _BEHIND:
        detail = f"{frame.command}: expected {_BEHIND} columns behind the status"
        raise DecodeError(Reject.TRUNCATED, at=frame.data_at + report.start(7), detail=detail)
    satellites, rssi, speed, course, hdop, altitude, mileage, run, cell, io = columns[:_BEHIND]
    event = int(report[2])
    extra: dict[str, str | int] = {"command": frame.command, "event": event}
    if report[1]:
        extra["remaining"] = int(report[1])
    extra |= {"rssi": int(rssi)} if _WHOLE.fullmatch(rssi) else {}
    extra |= {"run_time_s": int(run)} if _WHOLE.fullmatch(run) else {}
    extra |= {"cell": cell} if cell else {}
    extra |= {"io": io} if io else {}
    extra |= tail_columns(",".join(columns[_BEHIND:]))
    rows.add(
        compact_instant_us(report[5].decode()),
        float(report[4]),
        float(report[3]),
        at=at,
        speed_kmh=decimal(speed, "speed", at=at),
        heading=decimal(course, "course", at=at),
        altitude=decimal(altitude, "altitude", at=at),
        hdop=decimal(hdop, "hdop", at=at),
        satellites=decimal(satellites, "satellites", at=at),
        odometer=decimal(mileage, "mileage", at=at),
        ident=frame.ident,
        inputs=io_inputs(event, io if _IO.fullmatch(io) else ""),
        quality=0 if report[6] == b"A" else int(Quality.NO_POSITION),
        extra=extra,
    )


@lru_cache(maxsize=4096)
def io_inputs(event: int, io: str) -> int:
    """Inputs of a report: the first byte of `io` holds inputs 1 to 8; "" says nothing."""
    if io:
        return event_inputs(event, int(io[:2], 16))
    return event_inputs(event, 0) & ~event_inputs(0, 0)


def tail_columns(text: str) -> dict[str, str]:
    """Columns behind inputs and outputs by name. Do not change it: it is shared."""
    return _remembered(text) if len(text) <= _REMEMBERED_CHARACTERS else _named(text)


def _named(text: str) -> dict[str, str]:
    analog, *columns = text.split(",")
    found: dict[str, str] = {}
    if _VOLTS.fullmatch(analog):
        names = ("battery_v", "power_v", "clock_v", "processor_v", "receiver_v")
        found |= dict(zip(names, analog.split("|"), strict=False))
    elif analog:
        found["analog"] = analog
    found |= {name: value for name, value in zip(_TAIL_NAMES, columns, strict=False) if value}
    if rest := ",".join(columns[len(_TAIL_NAMES) :]).strip(","):
        found["tail"] = rest
    return found


_remembered: Final = lru_cache(maxsize=4096)(_named)
