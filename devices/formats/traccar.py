"""Codec "traccar": positions as a Traccar server forwards them (docs/codecs/traccar.md).

    {"position": {"fixTime", "latitude", "longitude", "speed" (knots), "course", "attributes": {}},
     "device": {"uniqueId"}}

One object or an array; events that carry their position, and bare positions, are read as well.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np

from devices.batch import F64, I64, FixBatch, Quality
from devices.codec import Codec, Decoded, register
from devices.errors import DecodeError, Reject
from devices.json_columns import (
    Columns,
    Said,
    Shape,
    decode_columns,
    words_of,
)
from devices.json_input import (
    as_object,
    identity,
    instant_us,
    number,
    read_objects,
    required_number,
    switch,
    switches,
)
from devices.json_kernel import INSTANT, NULL, NUMBER, REQUIRED, TEXT, TRUTH
from devices.messages import known, spoken
from devices.rows import FixRows, read_each
from devices.texts import is_ident
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
"""Attributes that are an input; each true or false."""

_ENCODER: Final = msgspec.json.Encoder()


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads of forwarded positions."""
    return decode_columns(payloads, received, _SHAPE, _say, read)


_SHAPE: Final = Shape({
    ("position", "fixTime"): INSTANT | REQUIRED,
    ("position", "latitude"): NUMBER | REQUIRED,
    ("position", "longitude"): NUMBER | REQUIRED,
    **{("position", name): NUMBER | NULL for name in ("speed", "course", "altitude")},
    ("position", "valid"): TRUTH,
    ("position", "attributes"): NULL,
    **{("position", "attributes", name): NUMBER | NULL for name in ("hdop", "sat", "odometer")},
    ("position", "attributes", "driverUniqueId"): TEXT,
    **{("position", "attributes", name): TRUTH for name in INPUTS},
    ("device", "uniqueId"): TEXT | REQUIRED,
})  # fmt: skip


def _say(columns: Columns) -> Said:
    def number(name: str) -> F64:
        return columns.number("position", name)

    def attribute(name: str) -> F64:
        return columns.number("position", "attributes", name)

    said = {
        "time": number("fixTime") * 1e6,
        "lon": number("longitude"),
        "lat": number("latitude"),
        "speed_kmh": number("speed") * KNOT_KMH,
        "heading": number("course"),
        "altitude": number("altitude"),
        "hdop": attribute("hdop"),
        "satellites": attribute("sat"),
        "odometer": attribute("odometer"),
        "inputs": words_of({ours: attribute(name) for name, ours in INPUTS.items()}),
        "quality": np.where(number("valid") == 0, int(Quality.NO_POSITION), 0),
    }
    driver = columns.texts("position", "attributes", "driverUniqueId")
    return Said(said, columns.texts("device", "uniqueId"), driver, columns.stored(_kept(columns)))


def _kept(columns: Columns) -> dict[int, dict[str, Any]]:
    message, position, said, device = (columns.others(*path) for path in _OBJECTS)
    return {
        row: _others(*(members.get(row, {}) for members in (message, position, said, device)))
        for row in {**message, **position, **said, **device}
    }


_OBJECTS: Final = ((), ("position",), ("position", "attributes"), ("device",))


def _others(
    values: dict[str, Any], position: dict[str, Any], said: dict[str, Any], device: dict[str, Any]
) -> dict[str, Any]:
    """Whatever has no column: of the position, its attributes, the device and beside them."""
    extra = position
    if None in position.values():
        extra = {key: value for key, value in position.items() if value is not None}
    if said:
        extra["attributes"] = said
    if device:
        extra["device"] = device
    if values:
        extra.update((key, value) for key, value in values.items() if value is not None)
    return extra


def read(payload: bytes, rows: FixRows) -> None:
    """Read one payload, element by element."""
    read_each(read_objects(payload), _add, rows)


def _add(element: Any, at: int, rows: FixRows) -> None:
    values = as_object(element, "message")
    position, device, said = _parts(values)
    key = "fixTime" if position.get("fixTime") is not None else "deviceTime"
    time = position.pop(key, None)
    if time is None:
        raise DecodeError(Reject.MISSING_FIELD, detail="fixTime: expected a time, got nothing")
    inputs = switches(said, INPUTS)
    driver = said.get("driverUniqueId")
    if isinstance(driver, str) and is_ident(driver) and driver == driver.strip():
        said.pop("driverUniqueId")
    else:
        driver = ""
    rows.add(
        instant_us(time, key),
        required_number(position, "longitude"),
        required_number(position, "latitude"),
        at=at,
        speed_kmh=number(position, "speed") * KNOT_KMH,
        heading=number(position, "course"),
        altitude=number(position, "altitude"),
        hdop=number(said, "hdop"),
        satellites=number(said, "sat"),
        odometer=number(said, "odometer"),
        driver=driver,
        ident=identity(device, "uniqueId"),
        inputs=inputs,
        quality=Quality.NO_POSITION if switch(position, "valid") is False else 0,
        extra=_others(values, position, said, device),
    )


def _parts(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The position, its device and its attributes, taken out of a message."""
    if "position" not in values and "latitude" in values:
        position = dict(values)
        values.clear()
    else:
        found = values.pop("position", None)
        if found is None:
            kind = "an event" if "event" in values else "a message"
            raise DecodeError(Reject.UNSUPPORTED, detail=f"{kind} without a position")
        position = as_object(found, "position")
    device = values.pop("device", None)
    said = position.pop("attributes", None)
    return (
        position,
        {} if device is None else as_object(device, "device"),
        {} if said is None else as_object(said, "position.attributes"),
    )


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One forwarded position per fix; the inputs that Traccar has no attribute for are left out."""
    times = np.datetime_as_string(fixes.time.view("datetime64[us]"), unit="ms").tolist()
    keys = {name: key for key, name in INPUTS.items()}
    out = []
    for fix, ident, time in zip(spoken(fixes, drivers), idents, times, strict=True):
        sent = fix.extra.pop("attributes", None)
        said = known({
            "sat": fix.satellites, "hdop": fix.hdop, "odometer": fix.odometer,
            "driverUniqueId": fix.driver,
        })  # fmt: skip
        said |= {keys[name]: state for name, state in fix.inputs.items() if name in keys}
        position = known({
            "fixTime": f"{time}+00:00",
            "valid": not fix.lost,
            "latitude": fix.lat,
            "longitude": fix.lon,
            "altitude": fix.altitude,
            "speed": None if fix.speed_kmh is None else round(fix.speed_kmh / KNOT_KMH, 4),
            "course": fix.heading,
        })  # fmt: skip
        position["attributes"] = {**(sent if isinstance(sent, dict) else {}), **said}
        device = fix.extra.pop("device", None)
        device = {**(device if isinstance(device, dict) else {}), **known({"uniqueId": ident})}
        message = {"position": {**fix.extra, **position}, "device": device}
        out.append(_ENCODER.encode(message))
    return out


TRACCAR: Final = register(Codec(name="traccar", decode=decode, encode=encode))
