"""One report of @Track as text: its positions, found by their shape and named by their type.

A position is a run of columns that nothing else looks like: accuracy, speed (km/h), azimuth,
altitude (m), longitude and latitude with six decimals, and fourteen digits of UTC.
"""

import re
from dataclasses import dataclass
from math import nan
from typing import Final

from devices.batch import INPUT_KNOWN_SHIFT, Quality
from devices.errors import DecodeError, Reject
from devices.formats.queclink.reports import (
    COUNTED,
    EVENT_INPUTS,
    POSITIONLESS,
    Tail,
    head_columns,
    status_inputs,
    tail_columns,
)
from devices.rows import FixRows
from devices.text_fields import compact_instant_us

_HEADER: Final = re.compile(r"\+(RESP|BUFF):GT([A-Z0-9]{3})", re.ASCII)
_IDENT: Final = re.compile(r"[0-9A-Za-z]{1,20}", re.ASCII)
_IMEI: Final = re.compile(r"[0-9]{15}", re.ASCII)
_VERSION: Final = re.compile(r"(?:[0-9A-Za-z]{6}|[0-9A-Za-z]{10})?", re.ASCII)
_COUNT: Final = re.compile(r"[0-9A-Fa-f]{4}", re.ASCII)
_VIN: Final = re.compile(r"[0-9A-HJ-NPR-Z]{17}", re.ASCII)
_SENT: Final = re.compile(r"(?:[0-9]{14}|[0-9]{12})?", re.ASCII)

_ANGLE: Final = re.compile(r"-?[0-9]{1,3}\.[0-9]{6}", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{14}", re.ASCII)
_RUN: Final = re.compile(
    r"(?:[0-9]{1,2}(?:\.[0-9]{1,2})?)?,(?:[0-9]{1,3}(?:\.[0-9])?)?,(?:[0-9]{1,3}(?:\.[0-9])?)?"
    r",(?:-?[0-9]{1,5}(?:\.[0-9])?)?",
    re.ASCII,
)
RUN_COLUMNS: Final = 7
FIRST_COLUMN: Final = 4
"""Header, version, identity and device name stand before all else."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report cut into its columns; `runs` are the first columns of its positions."""

    kind: str
    buffered: bool
    version: str
    ident: str
    columns: list[str]
    runs: list[int]
    sent: str
    count: str

    @property
    def device(self) -> str:
        """The two digits of the version that name the device; "" for versions of ten digits."""
        return self.version[:2] if len(self.version) == 6 else ""


def read_text(text: str, at: int, rows: FixRows) -> None:
    """Add the fixes of one report that begins at byte `at` of its payload."""
    report = _cut(text)
    if not report.runs:
        if report.kind in POSITIONLESS:
            detail = f"GT{report.kind}: a report without a position"
            raise DecodeError(Reject.UNSUPPORTED, detail=detail)
        detail = f"GT{report.kind}: no coordinates"
        raise DecodeError(Reject.NO_CONTENT, detail=detail)
    columns, last = report.columns, len(report.columns)
    shared = _shared(report)
    ends = [*report.runs[1:], last]
    for run, end in zip(report.runs, ends, strict=True):
        tail = tail_columns(report.kind, report.device, columns[run + RUN_COLUMNS : end])
        _add(report, run, tail, shared, at, rows)
    number = str(shared.get("number", ""))
    if report.kind in COUNTED and number.isdecimal() and int(number) > len(report.runs):
        detail = f"number: expected {number} positions, got {len(report.runs)}"
        rows.refuse(DecodeError(Reject.MISSING_FIELD, detail=detail), at + len(text))


def _cut(text: str) -> Report:
    columns = text.split(",")
    header = _HEADER.fullmatch(columns[0])
    if header is None:
        kind = columns[0][:20]
        if kind.startswith(("+ACK:GT", "+SACK", "ACK:GT", "AT+GT")):
            raise DecodeError(Reject.UNSUPPORTED, detail=f"{kind}: no report")
        detail = f"expected +RESP:GTxxx or +BUFF:GTxxx, got {kind!r}"
        raise DecodeError(Reject.BAD_SYNTAX, detail=detail)
    if len(columns) > 2 and _IMEI.fullmatch(columns[1]) and not _IMEI.fullmatch(columns[2]):
        columns[1:2] = ["", columns[1], ""]  # the first devices sent neither version nor name
    count = columns.pop() if _COUNT.fullmatch(columns[-1]) else ""
    sent = columns.pop()
    if len(columns) < FIRST_COLUMN or not _SENT.fullmatch(sent) or not (sent or count):
        detail = f"GT{header[2]}: expected a time of sending and a count at the end"
        raise DecodeError(Reject.TRUNCATED, at=len(text), detail=detail)
    if not _VERSION.fullmatch(columns[1]) or not _IDENT.fullmatch(columns[2]):
        detail = f"expected a version and an identity, got {columns[1]!r:.20}, {columns[2]!r:.24}"
        raise DecodeError(Reject.BAD_VALUE, at=len(columns[0]) + 1, detail=detail)
    runs = _runs(columns)
    return Report(
        header[2], header[1] == "BUFF", columns[1], columns[2], columns, runs, sent, count
    )


def _runs(columns: list[str]) -> list[int]:
    """Where positions begin."""
    found = []
    for time in range(FIRST_COLUMN + RUN_COLUMNS - 1, len(columns)):
        if (
            len(columns[time]) == 14
            and _TIME.fullmatch(columns[time])
            and _ANGLE.fullmatch(columns[time - 1])
            and _ANGLE.fullmatch(columns[time - 2])
        ):
            first = time - RUN_COLUMNS + 1
            before = ",".join(columns[first : first + 4])
            if _RUN.fullmatch(before) is None:
                detail = f"expected accuracy, speed, azimuth and altitude, got {before!r:.60}"
                raise DecodeError(Reject.BAD_VALUE, detail=detail)
            found.append(first)
    return found


def _shared(report: Report) -> dict[str, str | bool]:
    """What all positions of a report have in common."""
    columns = report.columns
    shared: dict[str, str | bool] = {"report": report.kind.lower()}
    if report.buffered:
        shared["buffered"] = True
    if report.version:
        shared["protocol"] = report.version
    if columns[3]:
        shared["vin" if _VIN.fullmatch(columns[3]) else "device_name"] = columns[3]
    if report.sent:
        shared["sent"] = report.sent
    if report.count:
        shared["count"] = report.count
    return shared | head_columns(report.kind, columns[FIRST_COLUMN : report.runs[0]])


def _add(
    report: Report, run: int, tail: Tail, shared: dict[str, str | bool], at: int, rows: FixRows
) -> None:
    accuracy, speed, azimuth, altitude, lon, lat, time = report.columns[run : run + RUN_COLUMNS]
    lost = bool(accuracy) and float(accuracy) == 0
    rows.add(
        compact_instant_us(time),
        float(lon),
        float(lat),
        at=at,
        speed_kmh=float(speed or nan),
        heading=float(azimuth or nan),
        altitude=float(altitude or nan),
        hdop=float(accuracy or nan) if not lost else nan,
        satellites=float(tail.satellites or nan),
        odometer=float(tail.odometer_km or nan) * 1000,
        ident=report.ident,
        inputs=_inputs(report.kind, tail.status, shared),
        quality=int(Quality.NO_POSITION) if lost else 0,
        extra=shared | tail.extra,
    )


def _inputs(kind: str, status: str, shared: dict[str, str | bool]) -> int:
    if kind == "STT" and isinstance(state := shared.get("state"), str):
        return status_inputs(state[:2])
    event = EVENT_INPUTS.get(kind, 0)
    if kind == "IGL" and isinstance(one := shared.get("report_type"), str) and one[-1] in "01":
        event = EVENT_INPUTS["IGN" if one[-1] == "1" else "IGF"]
    known = event >> INPUT_KNOWN_SHIFT
    return status_inputs(status) & ~(known | known << INPUT_KNOWN_SHIFT) | event
