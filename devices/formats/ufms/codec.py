"""Codec "ufms": the feed of Vietnamese providers to the state, proto2 (docs/codecs/ufms.md).

One BaseMessage a payload. Fixes name the vehicle's plate inside, so that the topic names the
provider. Registration messages come back as `Registration`, not as fixes.
"""

from collections.abc import Sequence
from math import isfinite, isnan
from typing import Any, Final, Literal

from google.protobuf.message import DecodeError as ProtobufError

from devices.batch import I64, FixBatch
from devices.codec import Codec, Decoded, Registration, register
from devices.errors import DecodeError, EncodeError, Reject
from devices.extra import extra_values
from devices.formats.ufms.columns import INPUTS, NUMBERS, read_columns
from devices.formats.ufms.schema import (
    BODIES,
    BUS_WAY_POINT,
    LISTS,
    MESSAGES,
    TEXT,
    WAY_POINT,
    WAY_POINT_BATCH,
    BaseMessage,
)
from devices.input_names import OFF, ON, named_states
from devices.merging import merged
from devices.rows import FixRows, decode_each
from devices.texts import is_plain, normal_plate

BATCHES: Final = frozenset(number for number, _ in LISTS.values())
KINDS: Final[dict[int, tuple[str, Literal["vehicle", "driver", "company"]]]] = {
    400: ("RegVehicle", "vehicle"),
    410: ("RegDriver", "driver"),
    420: ("RegCompany", "company"),
}

_BUSES: Final = frozenset(number for number, element in LISTS.values() if element != "WayPoint")


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads, each one BaseMessage: plain ones all at once, the others one by one."""
    found, odd = read_columns(payloads, received)
    if odd:
        found.append(decode_each(payloads, received, _read, odd))
    return merged(found)


def decode_slowly(payloads: Sequence[bytes], received: I64) -> Decoded:
    """As `decode`, message by message: its obvious twin."""
    return decode_each(payloads, received, _read)


def _read(payload: bytes, rows: FixRows) -> None:
    try:
        message = BaseMessage.FromString(payload)
    except ProtobufError as error:
        raise DecodeError(Reject.BAD_SYNTAX, detail=f"protobuf: {error}") from None
    kind = message.msgType
    if not message.HasField("msgType"):
        raise DecodeError(Reject.MISSING_FIELD, detail="msgType: expected it, got nothing")
    extension = BODIES.get(kind)
    if extension is None:
        raise DecodeError(Reject.UNSUPPORTED, detail=f"msgType: got {kind}")
    if not message.HasExtension(extension):
        detail = f"BaseMessage: expected extension {kind} for msgType {kind}, got none"
        raise DecodeError(Reject.MISSING_FIELD, detail=detail)
    body = message.Extensions[extension]
    if kind in BATCHES:
        point = BUS_WAY_POINT if kind in _BUSES else WAY_POINT
        for at, event in enumerate(body.events):
            try:
                _add(event, point, at, rows)
            except DecodeError as error:
                rows.refuse(error, at)
    elif kind in KINDS:
        rows.register(_registration(body, kind, rows.payload))
    else:
        _add(body, kind, 0, rows)


def _add(point: Any, kind: int, at: int, rows: FixRows) -> None:
    """One WayPoint or BusWayPoint (`kind`). Absent numbers read as NaN (schema.py)."""
    x, y, when = point.x, point.y, point.datetime
    if isnan(x) or isnan(y) or not when:
        _demand(point, ("datetime", "x", "y"))
    raw = _text(point.vehicle, "vehicle")
    plate = normal_plate(raw)
    if not plate:
        raise DecodeError(Reject.MISSING_FIELD, detail=f"vehicle: expected a plate, got {raw!r}")
    word = 0
    for name in INPUTS[kind]:
        if point.HasField(name):
            word |= ON[name] if getattr(point, name) else OFF[name]
    rows.add(
        when * 1e6,
        x,
        y,
        at=at,
        speed_kmh=point.speed,
        heading=point.heading,
        altitude=point.z,
        driver=_text(point.driver, "driver"),
        ident=plate,
        inputs=word,
        extra=_extra(point, raw if raw != plate else "", kind),
    )


def _demand(message: Any, names: Sequence[str]) -> None:
    for name in names:
        if not message.HasField(name):
            raise DecodeError(Reject.MISSING_FIELD, detail=f"{name}: expected it, got nothing")


def _text(value: bytes, name: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(
            Reject.BAD_ENCODING, detail=f"{name}: not utf-8 at byte {error.start}"
        ) from None


def _extra(point: Any, raw_plate: str, kind: int) -> dict[str, Any]:
    extra: dict[str, Any] = {"vehicle": raw_plate} if raw_plate else {}
    for name in NUMBERS[kind]:
        value = getattr(point, name)
        if not isnan(value):
            extra[name] = value if isfinite(value) else str(value)
    if kind == WAY_POINT and point.location:
        extra["location"] = _text(point.location, "location")
    return extra


def _registration(body: Any, kind: int, payload: int) -> Registration:
    name, what = KINDS[kind]
    values: dict[str, str | int | float] = {}
    for _, field, field_type in MESSAGES[name][1]:
        if not body.HasField(field):
            continue
        value = getattr(body, field)
        if field_type == TEXT:
            value = _text(value, field).strip()
            if not is_plain(value):
                detail = f"{field}: expected text without control characters, got {value!r}"
                raise DecodeError(Reject.BAD_VALUE, detail=detail)
        elif isinstance(value, float) and not isfinite(value):
            raise DecodeError(Reject.NOT_FINITE, detail=f"{field}: got {value}")
        values[field] = value
    if what == "vehicle" and "vehicle" in values:
        values["vehicle"] = normal_plate(str(values["vehicle"]))
    if not values.get(what):
        raise DecodeError(Reject.MISSING_FIELD, detail=f"{what}: expected it, got nothing")
    return Registration(payload, what, values)


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One WayPoint message per fix; the ident is its plate."""
    out = []
    for row, values in enumerate(_values(fixes, idents, drivers)):
        message = BaseMessage(msgType=WAY_POINT)
        _fill(message.Extensions[BODIES[WAY_POINT]], values, fixes.extra.get(row))
        out.append(message.SerializeToString())
    return out


def encode_batch(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> bytes:
    """All fixes as one WayPointBatch."""
    message = BaseMessage(msgType=WAY_POINT_BATCH)
    events = message.Extensions[BODIES[WAY_POINT_BATCH]].events
    for row, values in enumerate(_values(fixes, idents, drivers)):
        _fill(events.add(), values, fixes.extra.get(row))
    done: bytes = message.SerializeToString()
    return done


def encode_registration(registration: Registration) -> bytes:
    """One RegVehicle, RegDriver or RegCompany message."""
    number = next(n for n, (_, what) in KINDS.items() if what == registration.kind)
    message = BaseMessage(msgType=number)
    body = message.Extensions[BODIES[number]]
    body.SetInParent()
    for name, value in registration.values.items():
        setattr(body, name, value.encode() if isinstance(value, str) else value)
    done: bytes = message.SerializeToString()
    return done


_LAST_SECOND: Final = (1 << 31) - 1


def _values(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[dict[str, Any]]:
    """The fields of each fix's WayPoint. Raises EncodeError where there is no place for one."""
    seconds = fixes.time // 1_000_000
    if len(fixes) and not 0 <= int(seconds.min()) <= int(seconds.max()) <= _LAST_SECOND:
        raise EncodeError("ufms: datetime: expected seconds within 1970..2038")
    if not all(idents):
        raise EncodeError("ufms: ident: expected a plate for every fix, got none")
    columns = zip(
        idents, seconds.tolist(), fixes.lon.tolist(), fixes.lat.tolist(), fixes.speed_kmh.tolist(),
        fixes.altitude.tolist(), fixes.heading.tolist(), fixes.driver.tolist(),
        fixes.inputs.tolist(), strict=True,
    )  # fmt: skip
    out = []
    for ident, when, x, y, speed, z, heading, driver, word in columns:
        values = {"vehicle": ident.encode(), "datetime": when, "x": x, "y": y}
        values["speed"] = speed  # NaN if unknown: the field is required
        if not isnan(z):
            values["z"] = z
        if not isnan(heading):
            values["heading"] = heading
        if driver >= 0:
            values["driver"] = drivers[driver].encode()
        if word:
            states = named_states(word)
            values |= {name: states[name] for name in INPUTS[WAY_POINT] if name in states}
        out.append(values)
    return out


def _fill(point: Any, values: dict[str, Any], extra: bytes | None) -> None:
    for name, value in values.items():
        setattr(point, name, value)
    if extra is not None:
        more = extra_values(extra)
        for name in ("maxvalidspeed", "vss"):
            if isinstance(more.get(name), int | float):
                setattr(point, name, more[name])
        for name in ("vehicle", "location"):
            if isinstance(more.get(name), str):
                setattr(point, name, more[name].encode())


UFMS: Final = register(Codec(name="ufms", decode=decode, identity="plate", encode=encode))
