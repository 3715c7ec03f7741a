"""Codec "flexapi": messages of InHand's FlexAPI (docs/codecs/flexapi.md).

    ${"topic": "v1/{serial number}/gnss/info", "payload": {"gnss.ts", "gnss.latitude", ...}}xx

Behind the JSON stand two bytes of CRC-16 and perhaps the end of a line. Units are those of InHand's
"FlexAPI supported parameters": knots, metres, seconds since 1970. Any message whose payload has
coordinates is a fix (gnss, summaries, events, groups of one's own); a group may rename parameters,
and the short names that are met are read too.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
import numpy as np

from devices.batch import F64, I64, FixBatch, Quality
from devices.codec import Codec, Decoded, register
from devices.crc16 import crc16_ibm
from devices.errors import DecodeError, EncodeError, Reject
from devices.json_columns import (
    Columns,
    Said,
    Shape,
    Written,
    decode_columns,
    words_of,
)
from devices.json_input import (
    as_object,
    number,
    read_objects,
    required_number,
    seconds_us,
    switches,
)
from devices.json_kernel import KEPT, NULL, NUMBER, REQUIRED, TEXT
from devices.messages import known, spoken
from devices.rows import FixRows, read_each
from devices.texts import is_ident
from devices.units import KNOT_KMH

KILOMETRE_M: Final = 1000

INPUTS: Final = {
    "io.IGT": "ignition",
    "io.DI1": "din_1",
    "io.DI2": "din_2",
    "io.DI3": "din_3",
    "io.DI4": "din_4",
}

NAMES: Final = {
    "time": ("gnss.ts", "time", "ts", "ends_at", "starts_at"),
    "longitude": ("gnss.longitude", "log", "lon", "lng", "longitude"),
    "latitude": ("gnss.latitude", "lat", "latitude"),
}
"""The names that a value is met by; the first that is there counts. Events have no time of their
position but say when they end and start."""

NO_FIX: Final = frozenset({0, 5})
"""Values of gnss.fix without a position: none at all, and time only."""

_TAIL: Final = 4
"""What may stand behind the JSON: two bytes of CRC and the end of the line."""

_ENCODER: Final = msgspec.json.Encoder()
_TOPIC: Final = re.compile(r"v1/([^/\x00-\x20\x7f]{1,64})/(.+)")


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads of one message each."""
    written = Written.of([*map(_written, payloads)])
    return decode_columns(payloads, received, _SHAPE, _say, read, written)


def _written(payload: bytes) -> bytes:
    """The JSON between "$" and the checksum, b"" if it is not there."""
    end = payload.find(b"}}", max(len(payload) - _TAIL - 2, 0)) + 2
    return payload[1:end] if end > 1 and payload[:2] == b"${" else b""


_SHAPE: Final = Shape({
    ("topic",): TEXT | REQUIRED,
    ("payload", "gnss.ts"): NUMBER | REQUIRED,
    ("payload", "gnss.longitude"): NUMBER | REQUIRED,
    ("payload", "gnss.latitude"): NUMBER | REQUIRED,
    ("payload", "gnss.fix"): NUMBER | KEPT,
    **{("payload", f"gnss.{name}"): NUMBER | NULL
       for name in ("speed", "heading", "altitude", "hdop", "num_sv")},
    ("payload", "obd.odo"): NUMBER | NULL,
    **{("payload", key): NUMBER for key in INPUTS},
})  # fmt: skip


def _say(columns: Columns) -> Said:
    def number(name: str) -> F64:
        return columns.number("payload", name)

    for key in INPUTS:
        columns.leave(~np.isin(number(key), [0, 1]) & ~np.isnan(number(key)))
    topic, topics = columns.texts("topic")
    serials = [*map(_usual_serial, topics)]
    columns.leave(np.array([not serial for serial in serials], np.bool_)[topic])
    said = {
        "time": number("gnss.ts") * 1e6,
        "lon": number("gnss.longitude"),
        "lat": number("gnss.latitude"),
        "speed_kmh": number("gnss.speed") * KNOT_KMH,
        "heading": number("gnss.heading"),
        "altitude": number("gnss.altitude"),
        "hdop": number("gnss.hdop"),
        "satellites": number("gnss.num_sv"),
        "odometer": number("obd.odo") * KILOMETRE_M,
        "inputs": words_of({name: number(key) for key, name in INPUTS.items()}),
        "quality": np.where(np.isin(number("gnss.fix"), [*NO_FIX]), int(Quality.NO_POSITION), 0),
    }
    return Said(said, (topic, serials), None, columns.stored(_kept(columns)))


@lru_cache(maxsize=1 << 17)
def _usual_serial(topic: bytes) -> bytes:
    """The serial number of v1/SERIAL/gnss/info, b"" for another topic."""
    found = _TOPIC.fullmatch(topic.decode())
    usual = found and found[2] == _USUAL and found[1] == found[1].strip()
    return found[1].encode() if found and usual else b""


def _kept(columns: Columns) -> dict[int, dict[str, Any]]:
    kept = columns.others("payload")
    for row, members in columns.others().items():
        kept[row] = {**kept.get(row, {}), **members}
    return kept


def read(payload: bytes, rows: FixRows) -> None:
    """Read one payload: wrapped as on a serial line, or its JSON alone, or the inner object."""
    read_each(_elements(payload), _add, rows)


def _elements(payload: bytes) -> list[Any]:
    """The JSON between "$" and the checksum, which may hold a brace itself. Raises DecodeError."""
    if not payload.startswith(b"$"):
        return read_objects(payload)
    first = max(len(payload) - _TAIL - 1, 1)
    ends = [at + 1 for at in range(first, len(payload)) if payload[at : at + 1] == b"}"]
    for end in ends[:-1]:
        try:
            return read_objects(payload[1:end])
        except DecodeError:
            continue
    return read_objects(payload[1 : ends[-1]] if ends else payload[1:])


def _add(element: Any, at: int, rows: FixRows) -> None:
    message = as_object(element, "message")
    serial, group, values = "", "", message
    if "topic" in message:
        serial, group = _sender(message.pop("topic"))
        values = as_object(message.pop("payload", {}), "payload")
    lat_key, lon_key = _name("latitude", values), _name("longitude", values)
    if values.get(lat_key) is None and values.get(lon_key) is None:
        raise DecodeError(Reject.UNSUPPORTED, detail=f"no position in {group or 'the message'}")
    inputs = switches(values, INPUTS)
    time = seconds_us(values, _name("time", values))
    lon, lat = required_number(values, lon_key), required_number(values, lat_key)
    rows.add(
        time,
        lon,
        lat,
        at=at,
        speed_kmh=number(values, "gnss.speed") * KNOT_KMH,
        heading=number(values, "gnss.heading"),
        altitude=number(values, "gnss.altitude"),
        hdop=number(values, "gnss.hdop"),
        satellites=number(values, "gnss.num_sv"),
        odometer=number(values, "obd.odo") * KILOMETRE_M,
        ident=serial,
        inputs=inputs,
        quality=Quality.NO_POSITION if values.get("gnss.fix") in (0, 5) else 0,
        extra={**values, **_beside(message, values, group)},
    )


def _beside(message: dict[str, Any], values: dict[str, Any], group: str) -> dict[str, Any]:
    """What stands beside the payload, and the message's group where it is not the usual one."""
    beside = {} if message is values else message
    return {**beside, "group": group} if group not in {"", _USUAL} else beside


def _sender(topic: Any) -> tuple[str, str]:
    """Serial number and group of a topic. Raises DecodeError."""
    found = _TOPIC.fullmatch(topic) if isinstance(topic, str) else None
    if not found or not is_ident(found[1]):
        detail = f"topic: expected v1/SERIAL/GROUP, got {topic!r:.80}"
        raise DecodeError(Reject.BAD_VALUE, detail=detail)
    return found[1], found[2]


def _name(value: str, values: Mapping[str, Any]) -> str:
    """The first of a value's names that is there, else the usual one."""
    return next((name for name in NAMES[value] if values.get(name) is not None), NAMES[value][0])


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One gnss message per fix, wrapped; inputs stand in it under the names of the group io."""
    keys = {name: key for key, name in INPUTS.items()}
    out = []
    for fix, ident in zip(spoken(fixes, drivers), idents, strict=True):
        if not ident or "/" in ident:
            raise EncodeError(f"flexapi: ident: expected a serial number, got {ident!r}")
        values = known({
            "gnss.ts": fix.time_us // 1_000_000,
            "gnss.latitude": fix.lat,
            "gnss.longitude": fix.lon,
            "gnss.altitude": fix.altitude,
            "gnss.speed": None if fix.speed_kmh is None else round(fix.speed_kmh / KNOT_KMH, 4),
            "gnss.heading": fix.heading,
            "gnss.hdop": fix.hdop,
            "gnss.num_sv": fix.satellites,
            "obd.odo": None if fix.odometer is None else fix.odometer / KILOMETRE_M,
            "gnss.fix": 0 if fix.lost else None,
        })  # fmt: skip
        values |= {keys[name]: int(state) for name, state in fix.inputs.items() if name in keys}
        message = {"topic": f"v1/{ident}/{_USUAL}", "payload": {**fix.extra, **values}}
        json = _ENCODER.encode(message)
        out.append(b"$" + json + crc16_ibm(json).to_bytes(2, "big"))
    return out


_USUAL: Final = "gnss/info"

FLEXAPI: Final = register(Codec(name="flexapi", decode=decode, encode=encode))
