"""Reports of the ST2 to ST9 and SA families: `ST300STT;device;...`, columns between semicolons.

    header; device; model; version; date; time; cell...; latitude; longitude; speed; course;
    satellites; fix; distance; voltage; inputs and outputs; columns of the report

ST4 puts seven cells before the date, ST9 names the report in a column of its own and has no
satellites, some have no model or cell. Date, time and the two coordinates behind them look like
nothing else, so the place is found by them.
"""

import re
from typing import Final

from devices.batch import Quality
from devices.errors import DecodeError, Reject
from devices.formats.suntech.columns import (
    ALERTS,
    EMERGENCIES,
    check_ident,
    io_inputs,
    is_angle,
    is_clock,
    is_date,
    readable,
    serial_data,
    time_us,
)
from devices.rows import FixRows
from devices.text_fields import decimal

HEADER: Final = re.compile(r"(S[AT][0-9]{3})([A-Z]*)", re.ASCII)
_REPORTS: Final = frozenset({"STT", "EMG", "EVT", "ALT", "UEX"})
_NAMED_REPORTS: Final = frozenset({"Location", "Emergency", "Alert"})
_MOST_BEFORE_PLACE: Final = 5
"""Cell, or cell, country, network, area and strength, between the time and the latitude."""

_MOST_INPUTS: Final = 16
_WHOLE: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_CELLS: Final = 42
_HOURS: Final = re.compile(r"[0-9]{1,10};[0-9]{1,2}\.[0-9]{1,3};[01]", re.ASCII)


def read_family(text: str, at: int, rows: FixRows) -> None:
    """Add the fix of one report that begins at byte `at`. Raises DecodeError."""
    columns = text.split(";")
    header = HEADER.fullmatch(columns[0])
    if header is None:
        detail = f"expected a report, got {columns[0]!r:.20}"
        raise DecodeError(Reject.BAD_SYNTAX, detail=detail)
    family, kind = header[1], header[2]
    first = 1
    if family.startswith("ST9") and not kind and len(columns) > 1:
        kind, first = columns[1], 2
    if kind not in _REPORTS | _NAMED_REPORTS:
        raise DecodeError(Reject.UNSUPPORTED, detail=f"{family}{kind:.20}: no report of a position")
    if len(columns) <= first + 1 or columns[first] == "Res":
        raise DecodeError(Reject.TRUNCATED, at=len(text), detail=f"{family}{kind}: no columns")
    ident = columns[first]
    check_ident(ident, len(columns[0]) + 1)
    date, lat = _place(columns, first + 1, f"{family}{kind}", len(text))
    extra: dict[str, str | bool] = {"report": family + kind}
    if family.startswith("ST4"):
        extra |= _st4_head(columns[first + 1 : date])
    else:
        extra |= _head(columns[first + 1 : date])
    if cell := ";".join(columns[date + 2 : lat]):
        extra["cell"] = cell
    satellites, fix, odometer, inputs = _behind(family, kind, columns[lat + 4 :], extra)
    if fix not in {"0", "1"}:
        detail = f"fix: expected 0 or 1, got {fix!r:.20}"
        raise DecodeError(Reject.BAD_VALUE, at=len(text), detail=detail)
    rows.add(
        time_us(columns[date], columns[date + 1]),
        float(columns[lat + 1]),
        float(columns[lat]),
        at=at,
        speed_kmh=decimal(columns[lat + 2], "speed"),
        heading=decimal(columns[lat + 3], "course"),
        satellites=decimal(satellites, "satellites"),
        odometer=decimal(odometer, "distance"),
        ident=ident,
        inputs=inputs,
        quality=0 if fix == "1" else int(Quality.NO_POSITION),
        extra=extra,
    )


def _place(columns: list[str], first: int, name: str, end: int) -> tuple[int, int]:
    """Where the date and the latitude stand."""
    for date in range(first, len(columns) - 1):
        if is_date(columns[date]) and is_clock(columns[date + 1]):
            break
    else:
        raise DecodeError(Reject.NO_CONTENT, at=end, detail=f"{name}: no date and time")
    for lat in range(date + 2, min(date + 3 + _MOST_BEFORE_PLACE, len(columns) - 1)):
        if is_angle(columns[lat]) and is_angle(columns[lat + 1]):
            if len(columns) < lat + 6:
                detail = f"{name}: expected speed, course and fix behind the place"
                raise DecodeError(Reject.TRUNCATED, at=end, detail=detail)
            return date, lat
    raise DecodeError(Reject.NO_CONTENT, at=end, detail=f"{name}: no coordinates")


def _head(columns: list[str]) -> dict[str, str]:
    """Model, where there is one, and version."""
    if len(columns) == 1:
        return {"version": columns[0]}
    if len(columns) == 2:
        return {"model": columns[0], "version": columns[1]}
    return {"head": ";".join(columns)} if columns else {}


def _st4_head(columns: list[str]) -> dict[str, str | bool]:
    """Version, model (and variant of model 41), seven cells, battery, live, number, status."""
    start = 3 if columns[1:2] == ["41"] else 2
    after = columns[start + _CELLS :]
    if len(after) < 4:
        return {"head": ";".join(columns)}
    cells = columns[start : start + _CELLS]
    seen = [cells[one : one + 6] for one in range(0, _CELLS, 6) if cells[one].strip("0")]
    found: dict[str, str | bool] = {
        "version": columns[0],
        "model": ";".join(columns[1:start]),
        "cells": ",".join(";".join(one) for one in seen),
        "backup_v": after[0],
        "number": after[2],
        "mode": after[3],
    }
    if after[1] == "0":
        found["buffered"] = True
    if rest := ";".join(after[4:]):
        found["head"] = rest
    return found


def _behind(
    family: str, kind: str, after: list[str], extra: dict[str, str | bool]
) -> tuple[str, str, str, int]:
    """Satellites, fix, distance, inputs; what else stands behind the course goes to extra."""
    odometer, inputs = "", 0
    named = kind in _NAMED_REPORTS
    satellites = "" if named else after.pop(0)
    fix = after.pop(0)
    if named:
        odometer = after.pop(0) if after and _WHOLE.fullmatch(after[0]) else ""
    elif not family.startswith("ST4"):
        if len(after) < 3:
            detail = f"{family}{kind}: expected distance, voltage and inputs behind the fix"
            raise DecodeError(Reject.TRUNCATED, detail=detail)
        odometer, power, io, *after = after
        extra |= {"power_v": power} if power else {}
        extra |= {"io": io} if io else {}
        after, said = _own(kind, after, extra)
        inputs = (io_inputs(io) if len(io) <= _MOST_INPUTS else 0) | said
    if tail := ";".join(after).strip(";"):
        extra["tail"] = readable(tail)
    return satellites, fix, odometer, inputs


def _own(kind: str, after: list[str], extra: dict[str, str | bool]) -> tuple[list[str], int]:
    """Columns of the report's own, and the hours behind them; what is left, and inputs."""
    inputs = 0
    if kind == "STT" and len(after) > 1:
        extra["mode"], extra["number"], *after = after
    elif kind == "EMG" and after:
        extra["emergency_id"] = after[0]
        inputs, after = EMERGENCIES.get(after[0], 0), after[1:]
    elif kind == "ALT" and after:
        extra["alert_id"] = after[0]
        inputs, after = ALERTS.get(after[0], 0), after[1:]
    elif kind == "EVT" and after:
        extra["event_id"] = after[0]
        after = after[1:]
    elif kind == "UEX" and after:
        after = serial_data(after, extra)
    if len(after) > 2 and _HOURS.fullmatch(";".join(after[:3])):
        extra["hour_meter"], extra["backup_v"] = after[:2]
        if after[2] == "0":
            extra["buffered"] = True
        after = after[3:]
    return after, inputs
