"""Query strings: id=..&lat=..&lon=..&timestamp=..&speed=.. (knots)&bearing=..&altitude=..

Belongs here: which parameters are known, and both readers: that of many queries, and that of one.
"""

import re
from typing import Any, Final
from urllib.parse import unquote_plus

import numpy as np

from devices.batch import F64, Quality
from devices.errors import DecodeError, Reject
from devices.formats.osmand.query_kernel import MAX_PARAMETERS, MOST_DECIMALS, MOST_WHOLE_DIGITS
from devices.json_columns import Columns, Said, Shape, words_of
from devices.json_input import (
    MILLISECONDS_FROM,
    as_number,
    identity,
    instant_us,
    number,
    required_number,
    switch,
    switches,
)
from devices.json_kernel import INSTANT, NUMBER, RAW, REQUIRED, TEXT
from devices.json_texts import OTHER
from devices.rows import FixRows
from devices.units import KNOT_KMH

INPUTS: Final = {
    "ignition": "ignition",
    "motion": "movement",
    "door": "door",
    "charge": "charging",
    "in1": "din_1",
    "in2": "din_2",
    "in3": "din_3",
    "in4": "din_4",
}
"""Parameters that are an input."""

NAMES: Final = {"ident": ("id", "deviceid"), "heading": ("bearing", "heading")}
"""The names that a value is met by; the first that is there counts."""

LEFT: Final = ("deviceid", "heading", "location")
"""Queries with these are left to the reader of one."""

SHAPE: Final = Shape({
    ("timestamp",): NUMBER | INSTANT | REQUIRED,
    ("lat",): NUMBER | REQUIRED,
    ("lon",): NUMBER | REQUIRED,
    **{(name,): NUMBER for name in ("speed", "bearing", "altitude", "hdop", "sat", "odometer")},
    **{(name,): TEXT for name in ("id", "driverUniqueId")},
    **{(name,): RAW for name in ("valid", *INPUTS)},
    **{(name,): 0 for name in LEFT},
})  # fmt: skip


def say(columns: Columns) -> Said:
    """What queries say."""
    time = columns.number("timestamp")
    states = {ours: _states(columns, key) for key, ours in INPUTS.items()}
    said = {
        "time": time * np.where(np.abs(time) >= MILLISECONDS_FROM, 1e3, 1e6),
        "lon": columns.number("lon"),
        "lat": columns.number("lat"),
        "speed_kmh": columns.number("speed") * KNOT_KMH,
        "heading": columns.number("bearing"),
        "altitude": columns.number("altitude"),
        "hdop": columns.number("hdop"),
        "satellites": columns.number("sat"),
        "odometer": columns.number("odometer"),
        "inputs": words_of(states),
        "quality": np.where(_states(columns, "valid") == 0, int(Quality.NO_POSITION), 0),
    }
    kind, written = columns.kept()
    columns.leave(kind == OTHER)  # a parameter twice is a list, which only the reader of one makes
    extra = {row: text for row, text in enumerate(written) if text}
    return Said(said, columns.texts("id"), columns.texts("driverUniqueId"), extra)


def _states(columns: Columns, key: str) -> F64:
    """1 for what is on, 0 for off, NaN for none; what is neither is left to the reader of one."""
    which, words = columns.texts(key)
    states = np.array([*(_STATES.get(word, np.nan) for word in words), np.nan])[which]
    columns.leave(np.isnan(states) & (which >= 0))
    return states


_STATES: Final = {b"true": 1.0, b"1": 1.0, b'"on"': 1.0, b"false": 0.0, b"0": 0.0, b'"off"': 0.0}


def read_query(text: bytes, rows: FixRows) -> None:
    """Read one query, with an address in front or not. Raises DecodeError."""
    _add(_parameters(text), rows)


def _parameters(text: bytes) -> dict[str, Any]:
    """The parameters of a query string, those of one name as a list. Raises DecodeError."""
    try:
        query = text.decode()
    except UnicodeDecodeError as error:
        detail = f"not utf-8: {error.reason}"
        raise DecodeError(Reject.BAD_ENCODING, at=error.start, detail=detail) from None
    pairs = query.partition("?")[2].split("&") if "?" in query else query.split("&")
    if len(pairs) > MAX_PARAMETERS:
        detail = f"expected at most {MAX_PARAMETERS} parameters, got {len(pairs)}"
        raise DecodeError(Reject.BAD_SYNTAX, detail=detail)
    values: dict[str, Any] = {}
    for pair in pairs:
        key, is_pair, value = pair.partition("=")
        if is_pair and value:
            values.setdefault(unquote_plus(key), []).append(unquote_plus(value))
    if not values:
        raise DecodeError(Reject.BAD_SYNTAX, detail=f"expected name=value&..., got {query!r:.60}")
    return {key: found[0] if len(found) == 1 else found for key, found in values.items()}


def _add(values: dict[str, Any], rows: FixRows) -> None:
    lon, lat = _place(values)
    time = values.pop("timestamp", None)
    if time is None:
        values["time_of"] = "arrival"
    inputs = switches(values, INPUTS)
    heading = _first("heading", values)
    driver = identity(values, "driverUniqueId")
    rows.add(
        int(rows.received[rows.payload]) if time is None else _time_us(time),
        lon,
        lat,
        speed_kmh=number(values, "speed") * KNOT_KMH,
        heading=number(values, heading),
        altitude=number(values, "altitude"),
        hdop=number(values, "hdop"),
        satellites=number(values, "sat"),
        odometer=number(values, "odometer"),
        driver=driver,
        ident=identity(values, _first("ident", values)),
        inputs=inputs,
        quality=Quality.NO_POSITION if switch(values, "valid") is False else 0,
        extra={key: typed(value) for key, value in values.items()},
    )


def _first(value: str, values: dict[str, Any]) -> str:
    return next((name for name in NAMES[value] if name in values), NAMES[value][0])


def _place(values: dict[str, Any]) -> tuple[float, float]:
    """Longitude and latitude out of lat and lon, or of location=lat,lon. Raises DecodeError."""
    if "location" in values and "lat" not in values:
        lat, comma, lon = str(values.pop("location")).partition(",")
        if not comma:
            detail = f"location: expected lat,lon, got {lat!r:.60}"
            raise DecodeError(Reject.BAD_VALUE, detail=detail)
        return as_number(lon, "location"), as_number(lat, "location")
    if "lat" not in values and "lon" not in values:
        with_what = ", ".join(name for name in ("cell", "wifi") if name in values) or "nothing else"
        raise DecodeError(Reject.UNSUPPORTED, detail=f"no position, but {with_what}")
    return required_number(values, "lon"), required_number(values, "lat")


_DECIMAL: Final = re.compile(
    rf"-?(0|[1-9][0-9]{{0,{MOST_WHOLE_DIGITS - 1}}})(\.[0-9]{{1,{MOST_DECIMALS}}})?"
)
_OFFSET: Final = re.compile(r"(T[0-9:.,]{0,30}) (\d\d:?\d\d)$")


def _time_us(written: Any) -> float:
    """An instant; the + of an offset that was not escaped came as a blank."""
    if isinstance(written, str):
        written = _OFFSET.sub(r"\1+\2", written)
    return instant_us(written, "timestamp")


def typed(value: Any) -> Any:
    """A parameter as the number or truth that it is written as, else as text."""
    if not isinstance(value, str):
        return value
    if value in {"true", "false"}:
        return value == "true"
    if _DECIMAL.fullmatch(value):
        return float(value) if "." in value else int(value)
    return value
