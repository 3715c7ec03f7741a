"""Codec "weigh-json": hanhtrinh's own format for weighings, one or an array (docs/codecs.md)."""

from collections.abc import Sequence
from datetime import datetime
from math import nan
from typing import Annotated, Any, Final

import msgspec
import numpy as np

from devices.batch import I64, WeighingBatch
from devices.codec import Codec, Decoded, register
from devices.columns import rounded
from devices.errors import DecodeError, Reject
from devices.formats.weighing.rows import Weighing, WeighingRows, decode_weighings
from devices.json_input import JSON_ERRORS, as_object, json_error, read_objects, whole_us


class Axle(msgspec.Struct, forbid_unknown_fields=True):
    """One axle, from the front; its spacing is to the axle before it."""

    kg: float
    spacing_m: float | None = None


class Message(msgspec.Struct, forbid_unknown_fields=True):
    """One weighing of a payload, in the order of docs/codecs.md."""

    time: Annotated[datetime, msgspec.Meta(tz=True)] | float
    station: str | None = None
    plate: str | None = None
    lane: int | None = None
    gross_kg: float | None = None
    speed_kmh: float | None = None
    length_m: float | None = None
    axles: list[Axle] | None = None
    axle_kg: list[float] | None = None
    axle_spacing_m: list[float | None] | None = None
    extra: dict[str, Any] | None = None


FIELDS: Final = frozenset(Message.__struct_fields__)

_ENCODER: Final = msgspec.json.Encoder()


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads, element by element."""
    return decode_weighings(payloads, received, _read)


def _read(payload: bytes, rows: WeighingRows) -> None:
    for at, element in enumerate(read_objects(payload)):
        try:
            rows.add(_weighing(as_object(element, "weighing")))
        except DecodeError as error:
            rows.refuse(error, at)


def _weighing(values: dict[str, Any]) -> Weighing:
    unknown = {key: value for key, value in values.items() if key not in FIELDS}
    known = {key: value for key, value in values.items() if key in FIELDS}
    try:
        message = msgspec.convert(known, Message)
    except JSON_ERRORS as error:
        raise json_error(error, b"") from None
    axle_kg, spacing_m = _axles(message)
    time = message.time
    return Weighing(
        time_us=whole_us((time if isinstance(time, float) else time.timestamp()) * 1e6),
        station=message.station or "",
        plate=message.plate or "",
        lane=message.lane or 0,
        gross_kg=_or_nan(message.gross_kg),
        speed_kmh=_or_nan(message.speed_kmh),
        length_m=_or_nan(message.length_m),
        axle_kg=axle_kg,
        spacing_m=spacing_m,
        extra={**(message.extra or {}), **unknown},
    )


def _axles(message: Message) -> tuple[list[float], list[float]]:
    """Masses and spacings, of equal length, from either way of writing them."""
    if message.axles is not None:
        if message.axle_kg is not None or message.axle_spacing_m is not None:
            raise DecodeError(
                Reject.BAD_VALUE, detail="axles: expected either axles or axle_kg, got both"
            )
        masses = [axle.kg for axle in message.axles]
        spacings = [_or_nan(axle.spacing_m) for axle in message.axles]
    else:
        masses = message.axle_kg or []
        spacings = [_or_nan(m) for m in message.axle_spacing_m or ()]
    return masses, full_spacings(spacings, len(masses))


def full_spacings(spacings: Sequence[float], axles: int) -> list[float]:
    """One spacing per axle, the first NaN, from a list with or without a place for the first.

    Raises DecodeError if the list fits neither; an empty list is "not measured".
    """
    if not spacings or not axles:
        if spacings:
            raise DecodeError(Reject.BAD_VALUE, detail="axle_spacing_m: spacings without axles")
        return [nan] * axles
    if len(spacings) not in {axles, axles - 1}:
        raise DecodeError(
            Reject.BAD_VALUE,
            detail=f"axle_spacing_m: expected {axles - 1} for {axles} axles, got {len(spacings)}",
        )
    return [nan, *spacings[len(spacings) - axles + 1 :]]


def _or_nan(value: float | None) -> float:
    return nan if value is None else value


def encode(weighings: WeighingBatch) -> list[bytes]:
    """One object per weighing; values that are not known are left out."""
    times = np.datetime_as_string(weighings.time.view("datetime64[us]"), unit="us", timezone="UTC")
    speeds, lengths = rounded(weighings.speed_kmh), rounded(weighings.length_m)
    out = []
    for row, time in enumerate(times.tolist()):
        message: dict[str, Any] = {"time": time, "gross_kg": float(weighings.gross_kg[row])}
        axle_kg, spacing_m = (part.tolist() for part in weighings.axles(row))
        optional = (
            ("station", weighings.station[row]),
            ("plate", weighings.plate[row]),
            ("lane", int(weighings.lane[row])),
            ("speed_kmh", _known(speeds[row])),
            ("length_m", _known(lengths[row])),
            ("axles", [_axle(kg, m) for kg, m in zip(axle_kg, spacing_m, strict=True)]),
        )
        message.update((name, value) for name, value in optional if value or value == 0.0)
        if row in weighings.extra:
            message["extra"] = msgspec.Raw(weighings.extra[row])
        out.append(_ENCODER.encode(message))
    return out


def _known(value: float) -> float | None:
    return value if value == value else None  # noqa: PLR0124 not NaN


def _axle(kg: float, spacing_m: float) -> dict[str, float]:
    return {"kg": kg} if spacing_m != spacing_m else {"kg": kg, "spacing_m": spacing_m}  # noqa: PLR0124 NaN


WEIGH_JSON: Final = register(
    Codec(name="weigh-json", decode=decode, carries="weighings", encode_weighings=encode)
)
