"""Codec "json": hanhtrinh's own format, one fix or an array of fixes (docs/codecs/json.md).

The published schema is devices/schemas/json_fix.schema.json. The fast path knows exactly the
fields of `Fix`; a payload that it refuses is read again leniently, element by element, so that
unknown fields are kept in `extra` and one bad fix does not take the others with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from math import nan
from typing import Annotated, Any, Final

import msgspec
import numpy as np

from devices.batch import F64, I64, FixBatch, Quality
from devices.checks import assemble, check_bad_parts, check_size
from devices.codec import MAX_PAYLOAD_BYTES, Codec, Decoded, Refusal, register
from devices.columns import rounded
from devices.errors import DecodeError, Reject
from devices.extra import extra_bytes
from devices.input_names import INPUT_NAMES, named_states, named_word
from devices.json_input import JSON_ERRORS, as_object, json_error, read_objects
from devices.texts import Names, known_licence

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Ident = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]{1,64}\Z")]


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
    inputs: dict[str, bool] | None = None
    extra: dict[str, Any] | None = None


FIELDS: Final = frozenset(Fix.__struct_fields__)

_DECODER: Final = msgspec.json.Decoder(Fix | list[Fix])
_ENCODER: Final = msgspec.json.Encoder()
_NO_SATELLITES: Final = 255
_MEASURED: Final = ("speed_kmh", "heading", "altitude_m", "hdop", "satellites", "odometer_m")


class _Read:
    """What was read so far: a fix, its payload and its place inside, and refusals."""

    def __init__(self) -> None:
        self.fixes: list[Fix] = []
        self.payload: list[int] = []
        self.at: list[int] = []
        self.refusals: list[Refusal] = []

    def refuse(self, payload: int, at: int, error: DecodeError) -> None:
        self.refusals.append(replace(Refusal.of(payload, error), at=at))

    def extras(self) -> dict[int, bytes]:
        """`extra` by row; fixes whose extra cannot be stored are refused and dropped."""
        made: dict[int, bytes] = {}
        bad: set[int] = set()
        for row in [row for row, fix in enumerate(self.fixes) if fix.extra]:
            try:
                made[row] = extra_bytes(self.fixes[row].extra or {})
            except DecodeError as error:
                self.refuse(self.payload[row], self.at[row], error)
                bad.add(row)
        if not bad:
            return made
        keep = [row for row in range(len(self.fixes)) if row not in bad]
        self.fixes = [self.fixes[row] for row in keep]
        self.payload = [self.payload[row] for row in keep]
        self.at = [self.at[row] for row in keep]
        return {new: made[old] for new, old in enumerate(keep) if old in made}


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads: one Python step per payload, columns in bulk."""
    read = _Read()
    one: Callable[[bytes], Fix | list[Fix]] = _DECODER.decode
    for index, payload in enumerate(payloads):
        try:
            if len(payload) > MAX_PAYLOAD_BYTES:
                check_size(payload)
            found = one(payload)
        except JSON_ERRORS:
            _read_leniently(read, index, payload)
        except DecodeError as error:
            read.refuse(index, error.at, error)
        else:
            if isinstance(found, Fix):
                read.fixes.append(found)
                read.payload.append(index)
                read.at.append(0)
            elif found:
                read.fixes.extend(found)
                read.payload.extend([index] * len(found))
                read.at.extend(range(len(found)))
            else:
                read.refuse(index, 0, _nothing())
    return _decoded(read, received)


def _nothing() -> DecodeError:
    return DecodeError(Reject.NO_CONTENT, detail="expected at least one fix, got an empty array")


def _read_leniently(read: _Read, index: int, payload: bytes) -> None:
    """Read a payload that the fast path refused: keep what is good, say what is not."""
    try:
        check_size(payload)
        elements = read_objects(payload)
        if not elements:
            raise _nothing()
        _read_elements(read, index, elements)
    except DecodeError as error:
        read.refuse(index, error.at, error)


def _read_elements(read: _Read, index: int, elements: list[Any]) -> None:
    bad = 0
    for at, element in enumerate(elements):
        try:
            fix = _lenient_fix(element)
        except DecodeError as error:
            read.refuse(index, at, error)
            bad += 1
            check_bad_parts(bad, at)
            continue
        read.fixes.append(fix)
        read.payload.append(index)
        read.at.append(at)


def _lenient_fix(element: Any) -> Fix:
    values = as_object(element, "fix")
    unknown = {key: value for key, value in values.items() if key not in FIELDS}
    known = {key: value for key, value in values.items() if key in FIELDS} if unknown else values
    try:
        fix = msgspec.convert(known, Fix)
    except JSON_ERRORS as error:
        raise json_error(error, b"") from None
    if unknown:
        fix.extra = {**(fix.extra or {}), **unknown}
    return fix


def _decoded(read: _Read, received: I64) -> Decoded:
    for fix in read.fixes:
        if fix.inputs:
            _keep_unknown_inputs(fix)
    extra = read.extras()
    width = len(Fix.__struct_fields__)
    rows = zip(*map(msgspec.structs.astuple, read.fixes), strict=True)
    columns: list[Sequence[Any]] = list(rows) if read.fixes else [()] * width
    (time, lat, lon, speed_kmh, heading, altitude, hdop, satellites, odometer,
     driver, ident, valid, inputs, _) = columns  # fmt: skip
    drivers, idents = Names(), Names()
    licences = {raw: drivers.number(known_licence(raw or "")) for raw in dict.fromkeys(driver)}
    return assemble(
        {
            "time": _microseconds(time),
            "lon": lon,
            "lat": lat,
            "speed_kmh": speed_kmh,
            "heading": heading,
            "altitude": altitude,
            "hdop": hdop,
            "satellites": satellites,
            "odometer": odometer,
            "driver": [licences[raw] for raw in driver],
            "inputs": [named_word(states) if states else 0 for states in inputs],
            "quality": [int(Quality.NO_POSITION) if ok is False else 0 for ok in valid],
        },
        payload=read.payload,
        at=read.at,
        received=received,
        extra=extra,
        refusals=read.refusals,
        ident=idents.numbers([name or "" for name in ident]),
        idents=idents.known(),
        drivers=drivers.known(),
    )


def _microseconds(times: Sequence[datetime | float]) -> F64:
    """Instants, or seconds since 1970, as microseconds in float64."""
    seconds = [time if type(time) is float else time.timestamp() for time in times]  # type: ignore[union-attr]
    with np.errstate(over="ignore"):  # 1e308 becomes infinite, and is refused as such
        return np.rint(np.array(seconds, np.float64) * 1e6)


def _keep_unknown_inputs(fix: Fix) -> None:
    """Move inputs that have no name here into `extra`, so that they are not lost."""
    inputs = fix.inputs or {}
    unknown = {name: on for name, on in inputs.items() if name not in INPUT_NAMES}
    if unknown:
        fix.extra = {**(fix.extra or {}), "inputs": unknown}
        fix.inputs = {name: on for name, on in inputs.items() if name in INPUT_NAMES}


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
