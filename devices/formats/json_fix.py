"""Codec "json": hanhtrinh's own format, one fix or an array of fixes (docs/codecs/json.md).

The published schema is devices/schemas/json_fix.schema.json. The fast path knows exactly the
fields of `Fix`; a payload that it refuses is read again leniently, element by element, so that
unknown fields are kept in `extra` and one bad fix does not take the others with it. Elements may
also stand on lines of their own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
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
from devices.json_input import JSON_ERRORS, as_object, json_error, read_json, read_objects
from devices.texts import Names, known_licence

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Ident = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]{1,64}\Z")]


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
_LINES: Final = msgspec.json.Decoder(Fix)
_STATES: Final = msgspec.json.Decoder(dict[str, bool] | None)
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

    def refuse_rows(self, wrong: dict[int, DecodeError]) -> None:
        """Drop rows, each for its reason."""
        for row, error in wrong.items():
            self.refuse(self.payload[row], self.at[row], error)
        keep = [row for row in range(len(self.fixes)) if row not in wrong]
        self.fixes = [self.fixes[row] for row in keep]
        self.payload = [self.payload[row] for row in keep]
        self.at = [self.at[row] for row in keep]

    def words(self) -> list[int]:
        """The word of each fix's inputs; those without a name here are moved into its `extra`."""
        try:
            found = [_inputs(bytes(fix.inputs)) for fix in self.fixes]
        except DecodeError:
            self.refuse_rows(_errors(lambda fix: _inputs(bytes(fix.inputs)), self.fixes))
            found = [_inputs(bytes(fix.inputs)) for fix in self.fixes]
        for row in [row for row, (_, unknown) in enumerate(found) if unknown]:
            fix = self.fixes[row]
            fix.extra = {**(fix.extra or {}), "inputs": dict(found[row][1])}
        return [word for word, _ in found]

    def extras(self) -> dict[int, bytes]:
        """`extra` by row."""
        return {row: extra_bytes(fix.extra) for row, fix in enumerate(self.fixes) if fix.extra}


def _errors(read: Callable[[Fix], object], fixes: list[Fix]) -> dict[int, DecodeError]:
    """What `read` raises, by row."""
    wrong: dict[int, DecodeError] = {}
    for row, fix in enumerate(fixes):
        try:
            read(fix)
        except DecodeError as error:
            wrong[row] = error
    return wrong


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
    """Decode payloads: one look at all of them where each is one plain fix, columns in bulk."""
    read = _Read()
    together = b"\n".join(payloads)
    # A line cannot reach into the next one: what was sent apart stays apart.
    largest = max(map(len, payloads), default=0)
    if together.count(b"\n") == len(payloads) - 1 and largest <= MAX_PAYLOAD_BYTES:
        try:
            read.fixes = _LINES.decode_lines(together)
        except JSON_ERRORS:
            read.fixes = []
    if payloads and len(read.fixes) == len(payloads):
        read.payload = list(range(len(payloads)))
        read.at = [0] * len(payloads)
    else:
        read.fixes = []
        _read_each(read, payloads)
    return _decoded(read, received)


def _read_each(read: _Read, payloads: Sequence[bytes]) -> None:
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


def _nothing() -> DecodeError:
    return DecodeError(Reject.NO_CONTENT, detail="expected at least one fix, got an empty array")


def _read_leniently(read: _Read, index: int, payload: bytes) -> None:
    """Read a payload that the fast path refused: keep what is good, say what is not."""
    try:
        check_size(payload)
        elements = _elements(payload)
        if not elements:
            raise _nothing()
        _read_elements(read, index, elements)
    except DecodeError as error:
        read.refuse(index, error.at, error)


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


def _read_elements(read: _Read, index: int, elements: list[Any]) -> None:
    bad = 0
    for at, element in enumerate(elements):
        try:
            if isinstance(element, DecodeError):
                raise element
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


def _decoded(read: _Read, received: I64) -> Decoded:
    words = read.words()
    try:
        extra = read.extras()
    except DecodeError:
        read.refuse_rows(_errors(lambda fix: extra_bytes(fix.extra or {}), read.fixes))
        words, extra = read.words(), read.extras()
    width = len(Fix.__struct_fields__)
    rows = zip(*map(msgspec.structs.astuple, read.fixes), strict=True)
    columns: list[Sequence[Any]] = list(rows) if read.fixes else [()] * width
    (time, lat, lon, speed_kmh, heading, altitude, hdop, satellites, odometer,
     driver, ident, valid, _, _) = columns  # fmt: skip
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
            "inputs": words,
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
