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
import numpy as np

from devices.batch import F64, I64, FixBatch, Input, Quality, inputs_states
from devices.codec import Codec, Decoded, register
from devices.each_fix import each_fix
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
from devices.json_columns import Columns, Said, Shape, decode_columns, words_of
from devices.json_input import (
    as_number,
    as_object,
    number,
    read_objects,
    required_number,
    whole_us,
)
from devices.json_kernel import KEPT, NULL, NUMBER, REQUIRED, TEXT
from devices.json_texts import ELEMENTS
from devices.rows import FixRows, read_each

_ENCODER: Final = msgspec.json.Encoder()
_READ: Final = {str(element): element for element in (*INPUTS, HDOP, ODOMETER_M)}


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads, element by element."""
    return decode_columns(payloads, received, SHAPE, say, read)


NAMES: Final = {"pr": "priority", "evt": "event"}
_REPORTED: Final = ("state", "reported")
SHAPE: Final = Shape({
    (*_REPORTED, "ts"): NUMBER | REQUIRED,
    (*_REPORTED, "latlng"): TEXT | REQUIRED,
    **{(*_REPORTED, name): NUMBER | NULL for name in ("alt", "ang", "sat", "sp", *NAMES)},
    **{(*_REPORTED, str(element)): NUMBER | KEPT for element in (*INPUTS, HDOP, ODOMETER_M)},
})  # fmt: skip


def say(columns: Columns) -> Said:
    """What messages say."""

    def number(name: str | int) -> F64:
        return columns.number(*_REPORTED, str(name))

    lat, lon = columns.pairs(*_REPORTED, "latlng")
    columns.leave(np.isnan(lat) | np.isnan(lon))
    states = {
        str(bit.name).lower(): np.where(np.isnan(number(element)), np.nan, number(element) != 0)
        for element, bit in INPUTS.items()
    }
    said = {
        "time": number("ts") * 1e3,
        "lon": lon,
        "lat": lat,
        "speed_kmh": number("sp"),
        "heading": number("ang"),
        "altitude": number("alt"),
        "hdop": number(HDOP) * HDOP_UNIT,
        "satellites": number("sat"),
        "odometer": number(ODOMETER_M),
        "inputs": words_of(states),
        "quality": np.where(number("sat") == 0, int(Quality.NO_POSITION), 0),
    }
    return Said(said, None, None, _extra(columns))


def _extra(columns: Columns) -> dict[int, bytes]:
    """`extra` by row: priority and event, what is no element, and the elements."""
    numbers = [columns.number(*_REPORTED, key) for key in NAMES]
    for column in numbers:
        columns.leave(~np.isnan(column) & (np.rint(column) != column))
    kind, written = columns.kept(*_REPORTED)
    before = [*map(_before, *(column.tolist() for column in numbers))]
    usual = kind == ELEMENTS
    extra = {row: before[row] + written[row] + b"}" for row in np.flatnonzero(usual).tolist()}
    if not usual.all():
        rows = np.flatnonzero(~usual).tolist()
        said = zip(*(column[~usual].tolist() for column in numbers), strict=True)
        others = columns.others(*_REPORTED, only=~usual)
        extra |= columns.stored(_kept(dict(zip(rows, said, strict=True)), others))
    return extra


@lru_cache(maxsize=1 << 12)
def _before(priority: float, event: float) -> bytes:
    """What stands in front of the elements."""
    written = b"" if isnan(priority) else b'"priority":%d,' % priority
    return b"{%b%b" % (written, b'"io":' if isnan(event) else b'"event":%d,"io":' % event)


def _kept(
    numbers: Mapping[int, tuple[float, ...]], others: Mapping[int, dict[str, Any]]
) -> dict[int, dict[str, Any]]:
    """As `_extra`, of rows whose members may be anything."""
    found = {}
    for row, said in numbers.items():
        reported = others.get(row, {})
        io = {key: value for key, value in reported.items() if key.isdecimal()}
        found[row] = {
            **{n: int(v) for n, v in zip(NAMES.values(), said, strict=True) if not isnan(v)},
            **{key: value for key, value in reported.items() if key not in io},
            **({"io": io} if io else {}),
        }
    return found


def read(payload: bytes, rows: FixRows) -> None:
    """Read one payload, element by element."""
    read_messages(read_objects(payload), rows)


def read_messages(messages: Sequence[Any], rows: FixRows) -> None:
    """Read the messages of a payload one by one."""
    read_each(messages, _add, rows)


def _reported(element: Any) -> dict[str, Any]:
    state = as_object(element).get("state")
    if state is None:
        raise DecodeError(Reject.MISSING_FIELD, detail="state: expected an object, got nothing")
    reported = as_object(state, "state").get("reported")
    if reported is None:
        detail = "state.reported: expected an object, got nothing"
        raise DecodeError(Reject.MISSING_FIELD, detail=detail)
    return as_object(reported, "state.reported")


def _add(element: Any, at: int, rows: FixRows) -> None:
    values = _reported(element)
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
            out[NAMES[key]] = int(value)
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
    for row, fix in enumerate(each_fix(fixes)):
        extra = extra_values(fixes.extra[row]) if row in fixes.extra else {}
        reported: dict[str, Any] = {
            "ts": fix.time_us // 1000,
            "pr": extra.get("priority", 0),
            "evt": extra.get("event", 0),
            "latlng": f"{fix.lat:.7f},{fix.lon:.7f}",
        }
        whole = (("alt", fix.altitude), ("ang", fix.heading), ("sp", fix.speed_kmh))
        reported.update((name, round(value)) for name, value in whole if not isnan(value))
        if fix.is_lost:
            reported["sat"] = 0
        elif fix.satellites != _UNKNOWN_SATELLITES:
            reported["sat"] = fix.satellites
        said = elements(_inputs(fix.inputs), fix.hdop, fix.odometer)
        io = {str(key): value for key, value in said.items()}
        sent = extra.get("io")
        reported |= {**(sent if isinstance(sent, dict) else {}), **io}
        yield {"state": {"reported": reported}}


_UNKNOWN_SATELLITES: Final = 255

TELTONIKA_JSON: Final = register(Codec(name="teltonika-json", decode=decode, encode=encode))
