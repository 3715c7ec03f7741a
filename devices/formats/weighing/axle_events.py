"""Codec "weigh-axle-events": axles as a station saw them (docs/codecs/weigh-axle-events.md).

One record for each axle: CSV with a header, or a JSON array of objects. Records are grouped into
vehicles by the number that the station gave, else by the gaps between axles. Force in kilonewtons
is made mass by standard gravity, 9.80665 m/s2 (3rd General Conference on Weights and Measures,
1901; ISO 80000-3).
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import isnan, nan
from typing import Any, Final

import msgspec

from devices.batch import I64, WeighingBatch
from devices.codec import Codec, Decoded, register
from devices.errors import DecodeError, EncodeError, Reject
from devices.formats.weighing.rows import MAX_AXLES, Weighing, WeighingRows, decode_weighings
from devices.json_input import as_number, as_object, instant_us, number, read_objects

STANDARD_GRAVITY: Final = 9.80665

NEW_VEHICLE_M: Final = 15.0
"""Axles further apart belong to two vehicles: the longest wheelbase within one, from a tractor to
the first axle of its trailer, is under 13 m."""
NEW_VEHICLE_S: Final = 4.0
"""Axles with a longer pause between them belong to two vehicles: 13 m at 12 km/h."""
SAME_NUMBER_S: Final = 60.0
"""A number that comes again after a longer pause is another vehicle: the station's counter began
anew."""

FIELDS: Final = ("time", "station", "lane", "vehicle", "axle_kn", "speed_kmh", "spacing_m", "plate")


class Axle(msgspec.Struct):
    """One record: where it belongs is known, what it says is not read yet."""

    at: int
    time_us: float
    lane: int
    vehicle: str
    spacing: Any
    values: dict[str, Any]


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads of axles."""
    return decode_weighings(payloads, received, _read)


def _read(payload: bytes, rows: WeighingRows) -> None:
    records = read_objects(payload) if payload.lstrip()[:1] in {b"[", b"{"} else _of_csv(payload)
    axles = [_axle(record, at) for at, record in enumerate(records)]
    for vehicle in _vehicles(axles):
        try:
            rows.add(_weighing(vehicle))
        except DecodeError as error:
            rows.refuse(error, vehicle[0].at)


def _of_csv(payload: bytes) -> list[dict[str, Any]]:
    """The lines of a CSV by the names of its header; cells of nothing are left out."""
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        detail = f"not utf-8: {error.reason}"
        raise DecodeError(Reject.BAD_ENCODING, at=error.start, detail=detail) from None
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    out: list[dict[str, Any]] = []
    try:
        names = [name.strip() for name in next(lines, [])]
        if len(set(names)) < len(names):
            raise DecodeError(Reject.BAD_SYNTAX, detail="header: a name stands twice")
        if "time" not in names or "axle_kn" not in names:
            raise DecodeError(Reject.MISSING_FIELD, detail="header: expected time and axle_kn")
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(names):
                reason = Reject.TRUNCATED if len(cells) < len(names) else Reject.TRAILING_BYTES
                detail = f"expected {len(names)} fields, got {len(cells)}"
                raise DecodeError(reason, at=len(out), detail=detail)
            written = zip(names, (cell.strip() for cell in cells), strict=True)
            out.append({name: cell for name, cell in written if cell})
    except csv.Error as error:
        raise DecodeError(Reject.BAD_SYNTAX, at=len(out), detail=f"csv: {error}") from None
    return out


def _axle(record: Any, at: int) -> Axle:
    """A record's place. Raises DecodeError: a record that belongs nowhere spoils the payload."""
    try:
        values = dict(as_object(record, "axle"))
        if values.get("time") is None:
            raise DecodeError(Reject.MISSING_FIELD, detail="time: expected it, got nothing")  # noqa: TRY301 given its place below
        lane = number(values, "lane")
        vehicle = values.pop("vehicle", None)
        return Axle(
            at,
            instant_us(values.pop("time"), "time"),
            0 if isnan(lane) else _whole(lane, "lane"),
            "" if vehicle is None else str(_whole(as_number(vehicle, "vehicle"), "vehicle")),
            values.get("spacing_m"),
            values,
        )
    except DecodeError as error:
        raise DecodeError(error.reason, at=at, detail=error.detail) from None


def _whole(value: float, name: str) -> int:
    if not value.is_integer() or not 0 <= value < 1 << 53:
        raise DecodeError(Reject.BAD_VALUE, detail=f"{name}: expected a number, got {value:g}")
    return int(value)


def _vehicles(axles: Iterable[Axle]) -> list[list[Axle]]:
    """Axles by vehicle, in the order of their first axles. Raises DecodeError."""
    vehicles: list[list[Axle]] = []
    open_: dict[tuple[int, str], list[Axle]] = {}
    numbered: bool | None = None
    for axle in axles:
        if numbered not in {None, axle.vehicle != ""}:
            detail = "vehicle: expected a number in every record, or in none"
            raise DecodeError(Reject.MISSING_FIELD, at=axle.at, detail=detail)
        numbered = axle.vehicle != ""
        key = axle.lane, axle.vehicle
        before = open_.get(key)
        if before and _is_same(before[-1], axle):
            before.append(axle)
        else:
            open_[key] = [axle]
            vehicles.append(open_[key])
    return vehicles


def _is_same(before: Axle, axle: Axle) -> bool:
    """Whether an axle is of the vehicle of the one before it, in its lane."""
    pause_s = abs(axle.time_us - before.time_us) / 1e6
    if axle.vehicle:
        return pause_s <= SAME_NUMBER_S
    if axle.spacing is None:
        return False  # the first axle of a vehicle has none before it
    return pause_s <= NEW_VEHICLE_S and as_number(axle.spacing, "spacing_m") <= NEW_VEHICLE_M


def _weighing(vehicle: Sequence[Axle]) -> Weighing:
    """One vehicle's axles as a weighing. Raises DecodeError: half of a vehicle is none."""
    if len(vehicle) > MAX_AXLES:
        detail = f"axles: expected at most {MAX_AXLES}, got {len(vehicle)}"
        raise DecodeError(Reject.BAD_VALUE, detail=detail)
    masses, spacings, speeds = [], [], []
    names: dict[str, dict[str, str]] = {"station": {}, "plate": {}}
    others: list[dict[str, Any]] = []
    for axle in vehicle:
        values = dict(axle.values)
        if values.get("axle_kn") is None:
            raise DecodeError(Reject.MISSING_FIELD, detail="axle_kn: expected it, got nothing")
        masses.append(number(values, "axle_kn") * 1000 / STANDARD_GRAVITY)
        spacings.append(number(values, "spacing_m"))
        speeds.append(number(values, "speed_kmh"))
        for name, found in names.items():
            said = values.pop(name, None)
            if said is not None and not isinstance(said, str):
                detail = f"{name}: expected text, got {said!r:.40}"
                raise DecodeError(Reject.BAD_VALUE, detail=detail)
            if said:
                found[said] = said
        others.append(values)
    for name, found in names.items():
        if len(found) > 1:
            detail = f"{name}: expected one for all axles of a vehicle, got {len(found)}"
            raise DecodeError(Reject.BAD_VALUE, detail=detail)
    known = [speed for speed in speeds if not isnan(speed)]
    return Weighing(
        time_us=min(axle.time_us for axle in vehicle),
        station=next(iter(names["station"]), ""),
        plate=next(iter(names["plate"]), ""),
        lane=vehicle[0].lane,
        speed_kmh=sum(known) / len(known) if known else nan,
        axle_kg=masses,
        spacing_m=[nan, *spacings[1:]],
        extra=_extra(vehicle[0].vehicle, spacings[0], others),
    )


def _extra(number_: str, gap_m: float, others: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The station's number, the gap to the vehicle in front, and what else the records say.

    What differs between axles is a list, one value for each.
    """
    extra: dict[str, Any] = {"vehicle": int(number_)} if number_ else {}
    if not isnan(gap_m):
        extra["gap_m"] = gap_m
    for name in dict.fromkeys(name for values in others for name in values):
        said = [values.get(name) for values in others]
        extra[name] = said[0] if all(value == said[0] for value in said) else said
    return extra


def encode(weighings: WeighingBatch) -> list[bytes]:
    """A header and one line for each axle, one payload for each weighing."""
    out = []
    for row in range(len(weighings)):
        masses, spacings = (part.tolist() for part in weighings.axles(row))
        if not masses:
            raise EncodeError(f"weigh-axle-events: weighing {row}: expected axles, got none")
        speed = float(weighings.speed_kmh[row])
        when = datetime.fromtimestamp(int(weighings.time[row]) / 1e6, UTC)
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(FIELDS)
        for mass, spacing in zip(masses, spacings, strict=True):
            writer.writerow((
                when.isoformat(), weighings.station[row], int(weighings.lane[row]), row + 1,
                repr(mass * STANDARD_GRAVITY / 1000), "" if isnan(speed) else repr(speed),
                "" if isnan(spacing) else repr(spacing), weighings.plate[row],
            ))  # fmt: skip
        out.append(text.getvalue().encode())
    return out


WEIGH_AXLE_EVENTS: Final = register(
    Codec(name="weigh-axle-events", decode=decode, carries="weighings", encode_weighings=encode)
)
