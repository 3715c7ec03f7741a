"""Codec "teltonika-json": Teltonika's "Codec JSON" over MQTT (docs/codecs/teltonika-json.md).

    {"state": {"reported": {"ts": ms, "latlng": "lat,lon", "alt", "ang", "sat", "sp", "evt", "pr",
                            "<AVL id>": value}}}

One object or an array; numbers are sometimes written as text.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isnan
from typing import Any, Final

import msgspec

from devices.batch import I64, FixBatch, Input, Quality, inputs_states
from devices.codec import Codec, Decoded, register
from devices.errors import DecodeError, Reject
from devices.extra import extra_values
from devices.formats.teltonika.elements import HDOP, INPUTS, ODOMETER_M, elements, measured
from devices.json_input import as_number, as_object, number, read_objects, required_number
from devices.rows import FixRows, decode_each

_ENCODER: Final = msgspec.json.Encoder()
_READ: Final = {str(element): element for element in (*INPUTS, HDOP, ODOMETER_M)}


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads, element by element."""
    return decode_each(payloads, received, _read)


def _read(payload: bytes, rows: FixRows) -> None:
    for at, element in enumerate(read_objects(payload)):
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
        milliseconds * 1e3,
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


_NAMES: Final = {"pr": "priority", "evt": "event"}


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
    columns = zip(
        (fixes.time // 1000).tolist(), fixes.lat.tolist(), fixes.lon.tolist(),
        fixes.altitude.tolist(), fixes.heading.tolist(), fixes.speed_kmh.tolist(),
        fixes.satellites.tolist(), fixes.quality.tolist(), fixes.inputs.tolist(),
        fixes.hdop.tolist(), fixes.odometer.tolist(), strict=True,
    )  # fmt: skip
    out = []
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
        out.append(_ENCODER.encode({"state": {"reported": reported}}))
    return out


_UNKNOWN_SATELLITES: Final = 255

TELTONIKA_JSON: Final = register(Codec(name="teltonika-json", decode=decode, encode=encode))
