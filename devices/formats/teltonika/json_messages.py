"""Codec "teltonika-json": Teltonika's "Codec JSON" over MQTT (docs/codecs/teltonika-json.md).

    {"state": {"reported": {"ts": ms, "latlng": "lat,lon", "alt", "ang", "sat", "sp", "evt", "pr",
                            "<AVL id>": value}}}

One object or an array; numbers are sometimes written as text.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import isnan
from typing import Any, Final

import msgspec

from devices.batch import I64, FixBatch, Input, Quality, inputs_states
from devices.codec import Codec, Decoded, register
from devices.errors import DecodeError, Reject
from devices.extra import extra_values
from devices.formats.teltonika.elements import (
    HDOP,
    HDOP_UNIT,
    INPUTS,
    ODOMETER_M,
    elements,
    measured,
)
from devices.input_names import OFF, ON
from devices.json_input import (
    as_number,
    as_object,
    number,
    read_objects,
    required_number,
    whole_us,
)
from devices.messages import Row, decode_messages
from devices.rows import FixRows

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(list[dict[str, Any]] | dict[str, Any])
_READ: Final = {str(element): element for element in (*INPUTS, HDOP, ODOMETER_M)}


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads, element by element."""
    return decode_messages(payloads, received, _shape, read, SCALE)


SCALE: Final = {"time": 1e3, "hdop": HDOP_UNIT}
"""Milliseconds; tenths."""

_WORDS: Final = [
    (str(element), OFF[str(bit.name).lower()], ON[str(bit.name).lower()])
    for element, bit in INPUTS.items()
]


def _shape(payload: bytes) -> Sequence[Row]:
    found = _DECODER.decode(payload)
    messages = [found] if type(found) is dict else found
    return [row_of(message["state"]["reported"]) for message in messages]


def row_of(values: dict[str, Any]) -> Row:
    """The row of a "reported" as it mostly is; whatever is odd may raise."""
    take = values.pop
    lat, _, lon = take("latlng").partition(",")
    time, altitude, heading = take("ts"), take("alt", None), take("ang", None)
    satellites, speed = take("sat", None), take("sp", None)
    extra: dict[str, Any] = {}
    for key, name in _NAMES.items():
        if key in values:
            extra[name] = take(key)
            if type(extra[name]) is not int or abs(extra[name]) > _LARGEST:
                raise ValueError
    word, io = 0, values.get
    if values:
        if not "".join(values).isdecimal() or set(map(type, values.values())) != _WHOLE:
            raise ValueError
        if max(values.values()) > _LARGEST or min(values.values()) < -_LARGEST:
            raise ValueError
        for element, off, on in _WORDS:
            if element in values:
                word |= on if values[element] else off
        extra["io"] = values
    return (
        time, float(lon), float(lat), speed, heading, altitude, io(_HDOP), satellites,
        io(_ODOMETER), None, None, word, satellites == 0, _ENCODER.encode(extra) if extra else None,
    )  # fmt: skip


_WHOLE: Final = {int}
_LARGEST: Final = 1 << 63
_HDOP: Final = str(HDOP)
_ODOMETER: Final = str(ODOMETER_M)
_NAMES: Final = {"pr": "priority", "evt": "event"}


def read(payload: bytes, rows: FixRows) -> None:
    """Read one payload, element by element."""
    read_messages(read_objects(payload), rows)


def read_messages(messages: Sequence[Any], rows: FixRows) -> None:
    """Read the messages of a payload one by one."""
    for at, element in enumerate(messages):
        try:
            _add(_reported(element), at, rows)
        except DecodeError as error:
            rows.refuse(error, at)


def _reported(element: Any) -> dict[str, Any]:
    state = as_object(element).get("state")
    if state is None:
        raise DecodeError(Reject.MISSING_FIELD, detail="state: expected an object, got nothing")
    reported = as_object(state, "state").get("reported")
    if reported is None:
        detail = "state.reported: expected an object, got nothing"
        raise DecodeError(Reject.MISSING_FIELD, detail=detail)
    return as_object(reported, "state.reported")


def _add(values: dict[str, Any], at: int, rows: FixRows) -> None:
    milliseconds = required_number(values, "ts")
    lat, lon = _place(values.pop("latlng", None))
    satellites = number(values, "sat")
    speed, heading, altitude = (number(values, key) for key in ("sp", "ang", "alt"))
    found = measured(
        {
            element: as_number(values[key], key)
            for key, element in _READ.items()
            if values.get(key) is not None
        }
    )
    io = {key: values.pop(key) for key in list(values) if key.isdecimal()}
    rows.add(
        whole_us(milliseconds * 1e3),
        lon,
        lat,
        at=at,
        speed_kmh=speed,
        heading=heading,
        altitude=altitude,
        satellites=satellites,
        hdop=found.hdop,
        odometer=found.odometer,
        inputs=found.inputs,
        quality=Quality.NO_POSITION if satellites == 0 else 0,
        extra={**_numbers(values, "pr", "evt"), **values, **({"io": io} if io else {})},
    )


def _numbers(values: dict[str, Any], *keys: str) -> dict[str, int]:
    """Take whole numbers out of an object, by the names that the binary codec gives them."""
    out = {}
    for key in keys:
        value = number(values, key)
        if not isnan(value):
            if not value.is_integer():
                raise DecodeError(Reject.BAD_VALUE, detail=f"{key}: expected a number, got {value}")
            out[_NAMES[key]] = int(value)
    return out


def _place(latlng: Any) -> tuple[float, float]:
    if latlng is None:
        raise DecodeError(Reject.MISSING_FIELD, detail='latlng: expected "lat,lon", got nothing')
    lat, comma, lon = latlng.partition(",") if isinstance(latlng, str) else ("", "", "")
    if not comma:
        detail = f'latlng: expected "lat,lon", got {latlng!r:.60}'
        raise DecodeError(Reject.BAD_VALUE, detail=detail)
    return as_number(lat, "latlng"), as_number(lon, "latlng")


@lru_cache(maxsize=4096)
def _inputs(word: int) -> Mapping[Input, bool]:
    return inputs_states(word)


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One message per fix; idents and drivers have no place in it."""
    del idents, drivers
    return [_ENCODER.encode(message) for message in messages_of(fixes)]


def messages_of(fixes: FixBatch) -> Iterator[dict[str, Any]]:
    """The message of each fix."""
    columns = zip(
        (fixes.time // 1000).tolist(), fixes.lat.tolist(), fixes.lon.tolist(),
        fixes.altitude.tolist(), fixes.heading.tolist(), fixes.speed_kmh.tolist(),
        fixes.satellites.tolist(), fixes.quality.tolist(), fixes.inputs.tolist(),
        fixes.hdop.tolist(), fixes.odometer.tolist(), strict=True,
    )  # fmt: skip
    for row, (time, lat, lon, altitude, heading, speed, satellites, quality, word, hdop,
              odometer) in enumerate(columns):  # fmt: skip
        extra = extra_values(fixes.extra[row]) if row in fixes.extra else {}
        reported: dict[str, Any] = {
            "ts": time,
            "pr": extra.get("priority", 0),
            "evt": extra.get("event", 0),
            "latlng": f"{lat:.7f},{lon:.7f}",
        }
        whole = (("alt", altitude), ("ang", heading), ("sp", speed))
        reported.update((name, round(value)) for name, value in whole if not isnan(value))
        if quality & Quality.NO_POSITION:
            reported["sat"] = 0
        elif satellites != _UNKNOWN_SATELLITES:
            reported["sat"] = satellites
        io = {str(key): value for key, value in elements(_inputs(word), hdop, odometer).items()}
        sent = extra.get("io")
        reported |= {**(sent if isinstance(sent, dict) else {}), **io}
        yield {"state": {"reported": reported}}


_UNKNOWN_SATELLITES: Final = 255

TELTONIKA_JSON: Final = register(Codec(name="teltonika-json", decode=decode, encode=encode))
