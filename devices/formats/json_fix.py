"""Codec "json": hanhtrinh's own format, one fix or an array of fixes (docs/codecs/json.md).

The published schema is devices/schemas/json_fix.schema.json. Payloads as they mostly are are read
as columns; all others element by element, so that one bad fix does not take the others with it.
Elements may also stand on lines of their own. Unknown fields are kept in `extra`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from math import nan
from typing import Annotated, Any, Final

import msgspec
import numpy as np

from devices.batch import I64, U32, FixBatch, Quality
from devices.codec import Codec, Decoded, register
from devices.columns import rounded
from devices.errors import DecodeError, Reject
from devices.input_names import INPUT_NAMES, named_states, named_word
from devices.json_columns import Columns, Said, Shape, decode_columns
from devices.json_input import (
    JSON_ERRORS,
    as_object,
    json_error,
    read_json,
    read_objects,
    whole_us,
)
from devices.json_kernel import INSTANT, NULL, NUMBER, RAW, REQUIRED, TEXT, TRUTH
from devices.rows import FixRows, read_each

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Ident = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,64}\Z")]


_NOTHING: Final = msgspec.Raw(b"")


class Fix(msgspec.Struct, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """One fix of a payload, in the order of docs/codecs.md. Unknown values are absent or null."""

    time: Instant | float
    lat: float
    lon: float
    speed_kmh: float | None = nan
    heading: float | None = nan
    altitude_m: float | None = nan
    hdop: float | None = nan
    satellites: float | None = nan
    odometer_m: float | None = nan
    driver: str | None = None
    ident: Ident | None = None
    valid: bool | None = None
    inputs: msgspec.Raw = _NOTHING
    extra: dict[str, Any] | None = None


FIELDS: Final = frozenset(Fix.__struct_fields__)

_DECODER: Final = msgspec.json.Decoder(Fix | list[Fix])
_EXTRA: Final = msgspec.json.Decoder(dict[str, Any] | None)
_STATES: Final = msgspec.json.Decoder(dict[str, bool] | None)
_ENCODER: Final = msgspec.json.Encoder()
_NO_SATELLITES: Final = 255
_MEASURED: Final = ("speed_kmh", "heading", "altitude_m", "hdop", "satellites", "odometer_m")


@lru_cache(maxsize=4096)
def _inputs(raw: bytes) -> tuple[int, Mapping[str, bool]]:
    """The word of an object of inputs, and those of them that have no name here.

    Raises DecodeError. What devices send here are a few texts, again and again.
    """
    if not raw:
        return 0, {}
    try:
        states = _STATES.decode(raw) or {}
    except JSON_ERRORS as error:
        wrong = json_error(error, raw)
        raise DecodeError(wrong.reason, detail=f"inputs: {wrong.detail}") from None
    known = {name: on for name, on in states.items() if name in INPUT_NAMES}
    return named_word(known), {name: on for name, on in states.items() if name not in known}


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads: those of the shape as columns, the others one by one."""
    return decode_columns(payloads, received, _SHAPE, _say, read)


_SHAPE: Final = Shape({
    ("time",): NUMBER | INSTANT | REQUIRED,
    ("lat",): NUMBER | REQUIRED,
    ("lon",): NUMBER | REQUIRED,
    **{(name,): NUMBER | NULL for name in _MEASURED},
    ("driver",): TEXT | NULL,
    ("ident",): TEXT | NULL,
    ("valid",): TRUTH | NULL,
    ("inputs",): RAW,
    ("extra",): RAW,
})  # fmt: skip


def _say(columns: Columns) -> Said:
    number = columns.number
    said = {
        "time": number("time") * 1e6,
        "lon": number("lon"),
        "lat": number("lat"),
        "speed_kmh": number("speed_kmh"),
        "heading": number("heading"),
        "altitude": number("altitude_m"),
        "hdop": number("hdop"),
        "satellites": number("satellites"),
        "odometer": number("odometer_m"),
        "inputs": _words(columns),
        "quality": np.where(number("valid") == 0, int(Quality.NO_POSITION), 0),
    }
    return Said(said, columns.texts("ident"), columns.texts("driver"), _extra(columns))


def _words(columns: Columns) -> U32:
    """The word of each row's inputs; those that have no name here make the payload odd."""
    number, sent = columns.texts("inputs")
    words, odd = np.zeros(len(sent) + 1, np.uint32), np.zeros(len(sent) + 1, np.bool_)
    for at, raw in enumerate(sent):
        try:
            words[at], unknown = _inputs(raw)
            odd[at] = bool(unknown)
        except DecodeError:
            odd[at] = True
    columns.leave(odd[number])
    return words[number]


def _extra(columns: Columns) -> dict[int, bytes]:
    """`extra` by row, with the fields that are not known; what cannot be kept is odd."""
    found: dict[int, dict[str, Any]] = {}
    for row, written in columns.written("extra").items():
        try:
            found[row] = _EXTRA.decode(written) or {}
        except JSON_ERRORS:
            columns.odd[columns.owner[row]] = True
    for row, members in columns.others().items():
        found[row] = {**found.get(row, {}), **members}
    return columns.stored(found)


def read(payload: bytes, rows: FixRows) -> None:
    """Read one payload, element by element, leniently where it is not exactly one of fixes."""
    try:
        found = _DECODER.decode(payload)
    except JSON_ERRORS:
        elements = _elements(payload)
    else:
        elements = found if isinstance(found, list) else [found]
    if not elements:
        detail = "expected at least one fix, got an empty array"
        raise DecodeError(Reject.NO_CONTENT, detail=detail)
    read_each(elements, _add, rows)


def _elements(payload: bytes) -> list[Any]:
    """The values of an array, the one that stands alone, or those of lines; errors as they are."""
    lines = [line for line in payload.splitlines() if line.strip()]
    try:
        return read_objects(payload)
    except DecodeError:
        if len(lines) < 2 or not all(line.lstrip().startswith(b"{") for line in lines):
            raise
    elements: list[Any] = []
    for line in lines:
        try:
            elements.append(read_json(line))
        except DecodeError as error:
            elements.append(error)
    return elements


def _add(element: Any, at: int, rows: FixRows) -> None:
    """Add a fix, or what may become one. Raises DecodeError."""
    if isinstance(element, DecodeError):
        raise element
    fix = element if isinstance(element, Fix) else _lenient_fix(element)
    word, unknown = _inputs(bytes(fix.inputs))
    extra = fix.extra or {}
    rows.add(
        _microseconds(fix.time),
        fix.lon,
        fix.lat,
        at=at,
        speed_kmh=_number(fix.speed_kmh),
        heading=_number(fix.heading),
        altitude=_number(fix.altitude_m),
        hdop=_number(fix.hdop),
        satellites=_number(fix.satellites),
        odometer=_number(fix.odometer_m),
        driver=fix.driver or "",
        ident=fix.ident or "",
        inputs=word,
        quality=Quality.NO_POSITION if fix.valid is False else 0,
        extra={**extra, "inputs": dict(unknown)} if unknown else extra,
    )


def _number(value: float | None) -> float:
    return nan if value is None else value


def _lenient_fix(element: Any) -> Fix:
    values = as_object(element, "fix")
    unknown = {key: value for key, value in values.items() if key not in FIELDS}
    known = {key: value for key, value in values.items() if key in FIELDS}
    if "inputs" in known:
        known["inputs"] = msgspec.Raw(_ENCODER.encode(known["inputs"]))
    try:
        fix = msgspec.convert(known, Fix)
    except JSON_ERRORS as error:
        raise json_error(error, b"") from None
    if unknown:
        fix.extra = {**(fix.extra or {}), **unknown}
    return fix


def _microseconds(time: datetime | float) -> float:
    """An instant, or seconds since 1970, as microseconds."""
    return whole_us((time if isinstance(time, float) else time.timestamp()) * 1e6)


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One object per fix; values that are not known are left out."""
    times = np.datetime_as_string(fixes.time.view("datetime64[us]"), unit="us", timezone="UTC")
    satellites = np.where(fixes.satellites == _NO_SATELLITES, np.nan, fixes.satellites)
    columns = zip(
        times.tolist(), fixes.lon.tolist(), fixes.lat.tolist(), fixes.driver.tolist(),
        fixes.inputs.tolist(), fixes.quality.tolist(), idents,
        rounded(fixes.speed_kmh), rounded(fixes.heading), rounded(fixes.altitude),
        rounded(fixes.hdop), satellites.tolist(), rounded(fixes.odometer),
        strict=True,
    )  # fmt: skip
    out = []
    for row, (time, lon, lat, driver, word, quality, ident, *measured) in enumerate(columns):
        fix: dict[str, Any] = {"time": time, "lat": lat, "lon": lon}
        fix.update((n, v) for n, v in zip(_MEASURED, measured, strict=True) if v == v)  # noqa: PLR0124 not NaN
        if driver >= 0:
            fix["driver"] = drivers[driver]
        if ident:
            fix["ident"] = ident
        if quality & Quality.NO_POSITION:
            fix["valid"] = False
        if word:
            fix["inputs"] = named_states(word)
        if row in fixes.extra:
            fix["extra"] = msgspec.Raw(fixes.extra[row])
        out.append(_ENCODER.encode(fix))
    return out


JSON: Final = register(Codec(name="json", decode=decode, encode=encode))
