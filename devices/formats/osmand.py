"""Codec "osmand": what OsmAnd and the phone clients of its kind send (docs/codecs/osmand.md).

A query string, alone or as part of a request:

    id=..&lat=..&lon=..&timestamp=..&speed=.. (knots)&bearing=..&altitude=..&accuracy=..&batt=..

or the JSON of newer clients, {"location": {"timestamp", "coords": {...}}, "device_id"} with metres
per second; one object or an array, "location" one object or an array as well.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import nan
from operator import itemgetter
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus, urlencode

import msgspec

from devices.batch import I64, FixBatch, Quality
from devices.codec import Codec, Decoded, register
from devices.errors import DecodeError, Reject
from devices.input_names import OFF, ON
from devices.json_input import (
    as_number,
    as_object,
    identity,
    instant_us,
    iso_us,
    number,
    read_objects,
    required_number,
    switch,
)
from devices.messages import Row, decode_messages, known, spoken
from devices.rows import FixRows
from devices.texts import MAX_IDENT_CHARACTERS
from devices.units import KNOT_KMH

MPS_KMH: Final = 3.6
MAX_PARAMETERS: Final = 200

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

_JSON: Final = msgspec.json.Decoder(dict[str, Any])
_ENCODER: Final = msgspec.json.Encoder()
_WORDS: Final = {key: {"true": ON[name], "false": OFF[name]} for key, name in INPUTS.items()}
_REQUEST: Final = re.compile(rb"(GET|POST|PUT) (\S*)( HTTP/[0-9.]+)?(?=\r?\n|$)")
_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?")


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads of query strings, requests or JSON."""
    return decode_messages(payloads, received, _shape, read, {})


def _shape(payload: bytes) -> Sequence[Row]:
    return [_row_of_json(payload) if payload[:1] == b"{" else _row_of_query(payload)]


def _row_of_query(payload: bytes) -> Row:
    query = payload[1:] if payload[:1] == b"?" else payload.removeprefix(b"/?")
    parts = query.decode("ascii").replace("&", "=").split("=")
    plan = _plan(*parts[::2])
    if query.translate(None, _TEXT) != plan.marks:
        raise ValueError
    values = [*parts[1::2], "nan"]
    seconds, lon, lat, speed, heading, altitude, hdop, satellites, odometer = map(
        float, plan.numbers(values)
    )
    if not 0 < seconds < _MILLISECONDS_FROM:
        raise ValueError
    word, lost, extra = 0, False, {}
    for at, words in plan.words:
        word |= words[values[at]]
    for at, key in plan.others:
        written = values[at]
        if not written:
            raise ValueError
        if key == "valid":
            lost = _LOST[written]
        else:
            extra[key] = _typed(written)
    return (
        seconds * 1e6, lon, lat, speed * KNOT_KMH, heading, altitude, hdop, satellites,
        odometer, values[plan.ident] if plan.ident >= 0 else None,
        values[plan.driver] if plan.driver >= 0 else None, word, lost, extra,
    )  # fmt: skip


class _Plan(NamedTuple):
    """Where the values of queries with the same names in the same order stand."""

    marks: bytes
    numbers: Callable[[list[str]], tuple[str, ...]]
    ident: int
    driver: int
    words: Sequence[tuple[int, Mapping[str, int]]]
    others: Sequence[tuple[int, str]]


@lru_cache(maxsize=1024)
def _plan(*keys: str) -> _Plan:
    """The plan of these names. Raises ValueError for what is left to the other reader."""
    place = {key: at for at, key in enumerate(keys)}
    if (
        not place.keys() >= {"timestamp", "lat", "lon"}
        or len(place) != len(keys)
        or len(keys) > MAX_PARAMETERS
        or max(map(len, keys)) > MAX_IDENT_CHARACTERS
        or place.keys() & {"location", "heading", "deviceid", ""}
    ):
        raise ValueError
    used = {*_COLUMNS, *INPUTS, "id", "driverUniqueId"}
    return _Plan(
        b"&".join([b"="] * len(keys)),
        itemgetter(*(place.get(key, -1) for key in _COLUMNS)),
        place.get("id", -1),
        place.get("driverUniqueId", -1),
        [(place[key], _WORDS[key]) for key in INPUTS if key in place],
        [(at, key) for key, at in place.items() if key not in used],
    )


_COLUMNS: Final = (
    "timestamp", "lon", "lat", "speed", "bearing", "altitude", "hdop", "sat", "odometer",
)  # fmt: skip
_TEXT: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.,:-"
"""What names and values of plain queries are made of; whatever else stands there is no "=&=..."."""
_MILLISECONDS_FROM: Final = 1e11
_LOST: Final = {"true": False, "1": False, "false": True, "0": True}


def _row_of_json(payload: bytes) -> Row:
    values = _JSON.decode(payload)
    location, ident = values.pop("location"), values.pop("device_id")
    coords, take = location.pop("coords"), location.pop
    battery, word = location.get("battery"), 0
    if "is_moving" in location:
        word |= _MOVING[take("is_moving")]
    if battery is not None and "is_charging" in battery:
        word |= _CHARGING[battery.pop("is_charging")]
    if battery is not None and not battery:
        take("battery")
    row = (
        iso_us(take("timestamp")), coords.pop("longitude"), coords.pop("latitude"),
        _unless_negative(coords.pop("speed", None), MPS_KMH),
        _unless_negative(coords.pop("heading", None), 1.0),
        coords.pop("altitude", None), None, None, take("odometer", None), ident, None, word, False,
    )  # fmt: skip
    return (*row, _together(values, location, coords))


def _unless_negative(value: Any, factor: float) -> float | None:
    """A number in our unit; negative ones are how the clients say unknown."""
    if value is None:
        return None
    if type(value) not in _NUMBERS:
        raise TypeError
    return value * factor if value >= 0 else None


_NUMBERS: Final = frozenset({int, float})
_MOVING: Final = {True: ON["movement"], False: OFF["movement"]}
_CHARGING: Final = {True: ON["charging"], False: OFF["charging"]}


def _together(
    message: dict[str, Any], location: dict[str, Any], coords: dict[str, Any]
) -> dict[str, Any]:
    """What has no column, as one object; as three where their names clash."""
    made = {**message, **location, **coords}
    if len(made) < len(message) + len(location) + len(coords):
        return known({"message": message, "location": location, "coords": coords})
    return made


def read(payload: bytes, rows: FixRows) -> None:
    """Read one payload of any kind."""
    text = payload.strip()
    request = _REQUEST.match(text)
    if request:
        body = re.split(rb"\r?\n\r?\n", text, maxsplit=1)[1:]
        text = (
            request[2] + b"&" + body[0].strip()
            if body and b"?" in request[2]
            else (body[0].strip() if body and body[0].strip() else request[2])
        )
    if text[:1] in {b"{", b"["}:
        for at, element in enumerate(read_objects(text)):
            _read_message(element, at, rows)
    else:
        _add_query(_parameters(text), rows)


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
    battery, states = location.get("battery"), {"movement": switch(location, "is_moving")}
    if isinstance(battery, dict):
        states["charging"] = switch(battery, "is_charging")
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
        inputs=_word(states),
        extra=_together(message, location, coords),
    )


def _required(values: dict[str, Any], key: str) -> Any:
    value = values.pop(key, None)
    if value is None:
        raise DecodeError(Reject.MISSING_FIELD, detail=f"{key}: expected it, got nothing")
    return value


def _word(states: dict[str, bool | None]) -> int:
    word = 0
    for name, state in states.items():
        if state is not None:
            word |= ON[name] if state else OFF[name]
    return word


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


def _add_query(values: dict[str, Any], rows: FixRows) -> None:
    lon, lat = _place(values)
    time = values.pop("timestamp", None)
    if time is None:
        values["time_of"] = "arrival"
    states = {ours: switch(values, key) for key, ours in INPUTS.items()}
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
        inputs=_word(states),
        quality=Quality.NO_POSITION if switch(values, "valid") is False else 0,
        extra={key: _typed(value) for key, value in values.items()},
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


_OFFSET: Final = re.compile(r"(T[0-9:.,]{0,30}) (\d\d:?\d\d)$")


def _time_us(written: Any) -> float:
    """An instant; the + of an offset that was not escaped came as a blank."""
    if isinstance(written, str):
        written = _OFFSET.sub(r"\1+\2", written)
    return instant_us(written, "timestamp")


def _typed(value: Any) -> Any:
    """A parameter as the number or truth that it is written as, else as text."""
    if not isinstance(value, str):
        return value
    if value in {"true", "false"}:
        return value == "true"
    if _DECIMAL.fullmatch(value):
        return float(value) if "." in value else int(value)
    return value


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One query string per fix; the inputs that have no parameter are left out."""
    keys = {name: key for key, name in INPUTS.items()}
    out = []
    for fix, ident in zip(spoken(fixes, drivers), idents, strict=True):
        values = known({
            "id": ident,
            "lat": fix.lat,
            "lon": fix.lon,
            "timestamp": fix.time_us // 1_000_000,
            "speed": None if fix.speed_kmh is None else round(fix.speed_kmh / KNOT_KMH, 4),
            "bearing": fix.heading,
            "altitude": fix.altitude,
            "hdop": fix.hdop,
            "sat": fix.satellites,
            "odometer": fix.odometer,
            "driverUniqueId": fix.driver,
            "valid": "false" if fix.lost else None,
        })  # fmt: skip
        values |= {keys[name]: str(on).lower() for name, on in fix.inputs.items() if name in keys}
        values = {**{key: v for key, v in fix.extra.items() if key not in values}, **values}
        out.append(f"?{urlencode(values, doseq=True)}".encode())
    return out


OSMAND: Final = register(Codec(name="osmand", decode=decode, encode=encode))
