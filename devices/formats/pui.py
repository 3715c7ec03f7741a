"""Codec "pui": JSON reports of PUI trackers over MQTT (docs/codecs/pui.md).

{"id", "ts": ISO 8601, "rpt": kind, "location": {"lat", "lon"}, "bear": degrees, "spd": cm/s,
"ign": "on" or "off"}
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np

from devices.batch import I64, FixBatch
from devices.codec import Codec, Decoded, register
from devices.errors import DecodeError, Reject
from devices.input_names import OFF, ON
from devices.json_input import (
    as_object,
    identity,
    instant_us,
    iso_us,
    number,
    read_objects,
    required_number,
    switches,
)
from devices.messages import Row, decode_messages, known, spoken
from devices.rows import FixRows, read_each

CM_S_KMH: Final = 0.036

_DECODER: Final = msgspec.json.Decoder(list[dict[str, Any]] | dict[str, Any])
_ENCODER: Final = msgspec.json.Encoder()
_SCALE: Final = {"speed_kmh": CM_S_KMH}
_IGNITION: Final = {"on": ON["ignition"], "off": OFF["ignition"]}


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads of reports."""
    return decode_messages(payloads, received, _shape, read, _SCALE)


def _shape(payload: bytes) -> Sequence[Row]:
    found = _DECODER.decode(payload)
    return [_row(found)] if type(found) is dict else [_row(values) for values in found]


def _row(values: dict[str, Any]) -> Row:
    take, place = values.pop, values.pop("location")
    lon, lat = place.pop("lon"), place.pop("lat")
    if place:
        values["location"] = place
    word = _IGNITION[take("ign")] if "ign" in values else 0
    return (
        iso_us(take("ts")), lon, lat, take("spd", None), take("bear", None), None, None, None, None,
        take("id", None), None, word, False, values,
    )  # fmt: skip


def read(payload: bytes, rows: FixRows) -> None:
    """Read one payload, element by element."""
    read_each(read_objects(payload), _add, rows)


def _add(element: Any, at: int, rows: FixRows) -> None:
    values = as_object(element, "report")
    found = values.pop("location", None)
    if found is None:
        detail = f"a report without a location: rpt {values.get('rpt')!r:.40}"
        raise DecodeError(Reject.UNSUPPORTED, detail=detail)
    place = as_object(found, "location")
    lon, lat = required_number(place, "lon"), required_number(place, "lat")
    if place:
        values["location"] = place
    time = values.pop("ts", None)
    if time is None:
        raise DecodeError(Reject.MISSING_FIELD, detail="ts: expected a time, got nothing")
    inputs = switches(values, {"ign": "ignition"})
    rows.add(
        instant_us(time, "ts"),
        lon,
        lat,
        at=at,
        speed_kmh=number(values, "spd") * CM_S_KMH,
        heading=number(values, "bear"),
        ident=identity(values, "id"),
        inputs=inputs,
        extra=values,
    )


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One report per fix; of the inputs it has a place for the ignition alone."""
    times = np.datetime_as_string(fixes.time.view("datetime64[us]"), unit="ms").tolist()
    out = []
    for fix, ident, time in zip(spoken(fixes, drivers), idents, times, strict=True):
        state = fix.inputs.get("ignition")
        report = known({
            "id": ident,
            "ts": f"{time}Z",
            "location": {"lat": fix.lat, "lon": fix.lon},
            "bear": fix.heading,
            "spd": None if fix.speed_kmh is None else round(fix.speed_kmh / CM_S_KMH, 3),
            "ign": None if state is None else ("on" if state else "off"),
        })  # fmt: skip
        out.append(_ENCODER.encode({**report, **fix.extra}))
    return out


PUI: Final = register(Codec(name="pui", decode=decode, encode=encode))
