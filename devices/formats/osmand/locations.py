"""The JSON of newer clients: {"location": {"timestamp", "coords": {...}}, "device_id"}.

Belongs here: which members are known, and both readers: that of many messages, and that of one.
Speeds are metres per second; a negative speed or heading is how clients say that it is unknown.
"""

from math import nan
from typing import Any, Final

import numpy as np

from devices.batch import F64, Bool
from devices.errors import DecodeError, Reject
from devices.json_columns import Columns, Said, Shape, words_of
from devices.json_input import (
    as_object,
    identity,
    instant_us,
    number,
    read_objects,
    required_number,
    switches,
)
from devices.json_kernel import INSTANT, NULL, NUMBER, REQUIRED, TEXT, TRUTH
from devices.json_texts import OTHER
from devices.messages import known
from devices.rows import FixRows

MPS_KMH: Final = 3.6

MOVING: Final = {"is_moving": "movement"}
CHARGING: Final = {"is_charging": "charging"}
"""Members of a location and of its battery that are an input."""

_LOCATION, _COORDS, _BATTERY = ("location",), ("location", "coords"), ("location", "battery")

SHAPE: Final = Shape({
    (*_LOCATION, "timestamp"): INSTANT | REQUIRED,
    (*_LOCATION, "odometer"): NUMBER | NULL,
    **{(*_LOCATION, name): TRUTH | NULL for name in MOVING},
    **{(*_BATTERY, name): TRUTH | NULL for name in CHARGING},
    (*_COORDS, "longitude"): NUMBER | REQUIRED,
    (*_COORDS, "latitude"): NUMBER | REQUIRED,
    **{(*_COORDS, name): NUMBER | NULL for name in ("speed", "heading", "altitude")},
    ("device_id",): TEXT,
})  # fmt: skip


def say(columns: Columns) -> Said:
    """What messages say."""

    def coordinate(name: str) -> F64:
        return columns.number(*_COORDS, name)

    states = {ours: columns.number(*_LOCATION, key) for key, ours in MOVING.items()}
    states |= {ours: columns.number(*_BATTERY, key) for key, ours in CHARGING.items()}
    said = {
        "time": columns.number(*_LOCATION, "timestamp") * 1e6,
        "lon": coordinate("longitude"),
        "lat": coordinate("latitude"),
        "speed_kmh": _unless_negative(coordinate("speed")) * MPS_KMH,
        "heading": _unless_negative(coordinate("heading")),
        "altitude": coordinate("altitude"),
        "odometer": columns.number(*_LOCATION, "odometer"),
        "inputs": words_of(states),
        "quality": np.zeros(len(columns), np.uint16),
    }
    return Said(said, columns.texts("device_id"), None, _extra(columns))


def _unless_negative(values: F64) -> F64:
    return np.where(values >= 0, values, np.nan)


def _extra(columns: Columns) -> dict[int, bytes]:
    """`extra` by row: what has no column."""
    kind, texts = columns.joined((), _LOCATION, _COORDS, inner=_BATTERY)
    extra = {row: text for row, text in enumerate(texts) if text}
    others = kind == OTHER
    return extra | columns.stored(_kept(columns, others)) if others.any() else extra


def _kept(columns: Columns, only: Bool) -> dict[int, dict[str, Any]]:
    """As `_extra`, of rows whose members may be anything."""
    message, location, coords, battery = (
        columns.others(*path, only=only) for path in ((), _LOCATION, _COORDS, _BATTERY)
    )
    for row, members in battery.items():
        location.setdefault(row, {})["battery"] = members
    return {
        row: _together(message.get(row, {}), location.get(row, {}), coords.get(row, {}))
        for row in {**message, **location, **coords}
    }


def _together(
    message: dict[str, Any], location: dict[str, Any], coords: dict[str, Any]
) -> dict[str, Any]:
    """What has no column, as one object; as three where their names clash."""
    made = {**message, **location, **coords}
    if len(made) < len(message) + len(location) + len(coords):
        return known({"message": message, "location": location, "coords": coords})
    return made


def read_messages(text: bytes, rows: FixRows) -> None:
    """Read one message or an array of them. Raises DecodeError."""
    for at, element in enumerate(read_objects(text)):
        _read_message(element, at, rows)


def _read_message(element: Any, at: int, rows: FixRows) -> None:
    """One JSON message; each of its locations is a part of its own."""
    try:
        values = as_object(element, "message")
        locations = _locations(values)
        ident = identity(values, "device_id")
    except DecodeError as error:
        rows.refuse(error, at)
        return
    for place, location in enumerate(locations, at):
        try:
            _add_location(as_object(location, "location"), values, ident, place, rows)
        except DecodeError as error:
            rows.refuse(error, place)


def _locations(values: dict[str, Any]) -> list[Any]:
    found = values.pop("location", None)
    if found is None or found == []:
        raise DecodeError(Reject.UNSUPPORTED, detail="a message without a location")
    return found if isinstance(found, list) else [found]


def _add_location(
    location: dict[str, Any], message: dict[str, Any], ident: str, at: int, rows: FixRows
) -> None:
    coords = as_object(_required(location, "coords"), "coords")
    time = instant_us(_required(location, "timestamp"), "timestamp")
    battery, inputs = location.get("battery"), switches(location, MOVING)
    if isinstance(battery, dict):
        inputs |= switches(battery, CHARGING)
        if not battery:
            location.pop("battery")
    speed, heading = number(coords, "speed"), number(coords, "heading")
    rows.add(
        time,
        required_number(coords, "longitude"),
        required_number(coords, "latitude"),
        at=at,
        speed_kmh=speed * MPS_KMH if speed >= 0 else nan,
        heading=heading if heading >= 0 else nan,
        altitude=number(coords, "altitude"),
        odometer=number(location, "odometer"),
        ident=ident,
        inputs=inputs,
        extra=_together(message, location, coords),
    )


def _required(values: dict[str, Any], key: str) -> Any:
    value = values.pop(key, None)
    if value is None:
        raise DecodeError(Reject.MISSING_FIELD, detail=f"{key}: expected it, got nothing")
    return value
