"""TopFlyTech's messages with a place: where their values are, and what they mean.

A message is known by its mark (2323, 2525, 2626, 2727) and type. Whole numbers are big-endian, the
floats of a place are little-endian, times and many small values are BCD.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np

from devices.batch import F64, Input, Quality
from devices.columns import bcd_numbers, bcd_pairs, instants
from devices.errors import DecodeError, Reject
from devices.layouts import Kind, Meaning, Values, Walk, inputs_of, known

GPS: Final = 0x02
ALARM: Final = 0x04
BEHAVIOR: Final = 0x05
BEHAVIOR_2: Final = 0x06
GPS_2: Final = 0x13
ALARM_2: Final = 0x14

PLACE_BIT: Final = 1 << 6
"""Of the status: the message has a place; otherwise it has cells."""

_SATELLITES: Final = 0x1F
_IMEI_BYTES: Final = 8
_OBD_BYTES: Final = 19
_IGNITION_BIT: Final = 14
_AIRCON_BIT: Final = 13
_DIN_3_BIT: Final = 12
_DIN_4_BIT: Final = 11
_OWN_IGNITION_BIT: Final = 2

_Fields = tuple[tuple[str, str], ...]

_SETTINGS: Final[_Fields] = (
    ("interval_on_s", ">u2"), ("interval_off_s", ">u2"), ("angle", "u1"), ("distance", ">u2"),
    ("rssi", ">u2"),
)  # fmt: skip
_STATES: Final[_Fields] = (
    ("gsensor", "u1"), ("flags", "u1"), ("heartbeat", "u1"), ("relay", "u1"), ("drag", ">u2"),
    ("io", ">u2"),
)  # fmt: skip
_PLACE: Final[_Fields] = (
    ("time", "V6"), ("altitude", "<f4"), ("lon", "<f4"), ("lat", "<f4"),
)  # fmt: skip
_OBD: Final[_Fields] = (
    ("speed_obd", "V2"), ("fuel_used_ml", ">u4"), ("fuel_rate_ml", ">u4"), ("rpm", ">u2"),
    ("air_input", "u1"), ("air_pressure", "u1"), ("coolant_c", "u1"), ("air_c", "u1"),
    ("load", "u1"), ("throttle", "u1"), ("fuel", "u1"),
)  # fmt: skip
_OWN: Final[_Fields] = (
    ("acceleration", "V5"), ("battery_percent", "V1"), ("temperature_c", "i1"), ("light", "V1"),
    ("battery_v", "V1"), ("solar_v", "V1"), ("odometer", ">u4"), ("inputs", ">u2"),
    ("interval_on_s", ">u2"), ("interval_off_s", ">u4"), ("angle", "u1"), ("distance", ">u2"),
    ("heartbeat", "u1"),
)  # fmt: skip


def _named(walk: Walk, fields: _Fields) -> None:
    for key, kind in fields:
        walk.value(key, kind)


def _begin(walk: Walk) -> None:
    walk.value("index", ">u2")
    walk.skip(_IMEI_BYTES)


def _walk_vehicle(walk: Walk, *, mark: int, wide: bool) -> None:
    """A place or alarm of the trackers of vehicles; the wide ones have more inputs."""
    _begin(walk)
    _named(walk, _SETTINGS)
    has_place = walk.look(mask=PLACE_BIT, key="status")
    _named(walk, _STATES)
    if wide:
        _named(walk, (("output", "u1"), ("reserved", "u1")))
    if mark != 0x2626:
        for number in range(5 if wide else 2):
            walk.value(f"adc_{number + 1}", ">u2")
    walk.value("alarm", "u1")
    walk.skip(1)
    _named(walk, (("odometer", ">u4"), ("battery_percent", "V1")))
    _require_place(has_place)
    _named(walk, _PLACE)
    walk.value("hdop_raw" if mark == 0x2626 else "speed", ">u2" if mark == 0x2626 else "V2")
    walk.value("course", ">u2")
    if wide:
        walk.value("battery_v", "V2")
    if walk.left >= 2:
        walk.value("power_v", "V2")
    if walk.left >= _OBD_BYTES:
        _named(walk, _OBD)
    _rest(walk)


def _walk_own(walk: Walk) -> None:
    """A place or alarm of the trackers with a battery of their own (2727)."""
    _begin(walk)
    has_place = walk.look(mask=PLACE_BIT, key="status")
    walk.value("alarm", "u1")
    _require_place(has_place)
    _named(walk, _PLACE)
    _named(walk, (("speed", "V2"), ("course", ">u2")))
    _named(walk, _OWN)
    _rest(walk)


def _walk_behavior(walk: Walk) -> None:
    """One of the places of a harsh braking or acceleration (2626)."""
    _begin(walk)
    walk.value("behavior", "u1")
    _named(walk, _PLACE)
    _named(walk, (("speed", "V2"), ("course_tenths", ">u2"), ("rpm", ">u2")))
    walk.end()


def _walk_behavior_2(walk: Walk) -> None:
    """The place of a harsh braking, acceleration or turn (2626)."""
    _begin(walk)
    _named(walk, (("behavior", "u1"), ("time", "V6"), ("lost", "u1"), ("acceleration", "V5")))
    _named(walk, _PLACE[1:])
    _named(walk, (("speed", "V2"), ("course_tenths", ">u2"), ("rpm", ">u2")))
    _rest(walk)


def _require_place(has_place: int) -> None:
    if not has_place:
        raise DecodeError(Reject.UNSUPPORTED, detail="no place by satellites, only cells")


def _rest(walk: Walk) -> None:
    if walk.left:
        walk.value("rest", f"V{walk.left}")


def _raw(column: Any) -> Any:
    """Bytes of a column of them, shape (n, size)."""
    return np.frombuffer(column.tobytes(), np.uint8).reshape(len(column), -1)


def _bcd(values: Values, key: str, divisor: int) -> F64:
    return bcd_numbers(_raw(values[key])) / divisor


def _meaning(values: Values) -> Meaning:
    date = bcd_pairs(_raw(values["time"]))
    columns: dict[str, Any] = {
        "time": instants(*date.T),
        "lon": values["lon"].astype(np.float64),
        "lat": values["lat"].astype(np.float64),
        "altitude": values["altitude"],
        "speed_kmh": np.nan,
    }
    if "course" in values:
        columns["heading"] = known(values["course"], 0xFFFF)
    else:
        columns["heading"] = known(values["course_tenths"], 0xFFFF) / 10
    for key in ("speed", "speed_obd"):
        if key in values:
            columns["speed_kmh"] = _bcd(values, key, 10)
    if "odometer" in values:
        columns["odometer"] = values["odometer"]
    lost: Any = np.zeros(len(date), np.bool_)
    if "status" in values:
        columns["satellites"] = values["status"] & _SATELLITES
        lost = columns["satellites"] == 0
    elif "lost" in values:
        lost = values["lost"] >> 7 > 0
    columns["quality"] = np.where(lost, int(Quality.NO_POSITION), 0)
    columns["inputs"] = inputs_of(_states(values))
    absent = np.isnan(columns["lon"]) & np.isnan(columns["lat"])
    refused = [
        (absent, Reject.MISSING_FIELD, "no place"),
        (np.isnan(columns["time"]), Reject.BAD_VALUE, "time: expected a date and time in BCD"),
    ]
    return Meaning(columns, _extra(values), refused=refused)


def _states(values: Values) -> Mapping[Input, Any]:
    if "io" in values:
        io = values["io"]
        bits = {
            Input.IGNITION: _IGNITION_BIT, Input.AIRCON: _AIRCON_BIT, Input.DIN_3: _DIN_3_BIT,
            Input.DIN_4: _DIN_4_BIT,
        }  # fmt: skip
        return {bit: io >> number & 1 > 0 for bit, number in bits.items()}
    if "inputs" in values:
        return {Input.IGNITION: values["inputs"] >> _OWN_IGNITION_BIT & 1 > 0}
    return {}


_BCD_DIVISORS: Final = {"light": 10, "battery_v": 10, "solar_v": 10, "power_v": 100}
_COLUMNS: Final = frozenset({
    "time", "lon", "lat", "altitude", "course", "course_tenths", "speed", "speed_obd", "odometer",
    "received", "lost",
})  # fmt: skip


def _extra(values: Values) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    for key, column in values.items():
        if key in _COLUMNS:
            continue
        if key == "battery_percent":
            sent = _bcd(values, key, 1)
            extra[key] = np.where(sent == 0, 100, sent)  # two digits have no room for 100
        elif key in _BCD_DIVISORS:
            wide = column.dtype.itemsize == 2
            extra[key] = _bcd(values, key, 100 if wide else _BCD_DIVISORS[key])
        elif column.dtype.kind == "V":
            extra[key] = [raw.hex() for raw in column.tolist()]
        elif key in _CELSIUS:
            extra[key] = known(column, 0xFF) - 40
        elif key.startswith("adc_"):
            extra[key] = known(column, 0xFFFF) / 100
        elif key in _FULL_IS_NONE:
            none = _FULL_IS_NONE[key]
            extra[key] = [None if value == none else value for value in column.tolist()]
        else:
            extra[key] = column
    return extra


_CELSIUS: Final = frozenset({"coolant_c", "air_c"})
_FULL_IS_NONE: Final = {
    "rpm": 0xFFFF, "fuel_used_ml": 0xFFFF_FFFF, "fuel_rate_ml": 0xFFFF_FFFF,
    **dict.fromkeys(("air_input", "air_pressure", "load", "throttle", "fuel"), 0xFF),
}  # fmt: skip


def _vehicle(mark: int, kind: int) -> Callable[[Walk], None]:
    return partial(_walk_vehicle, mark=mark, wide=kind in {GPS_2, ALARM_2})


KINDS: Final[dict[str, Kind]] = {
    **{
        f"{mark:04x}{kind:02x}": Kind(_vehicle(mark, kind), _meaning)
        for mark in (0x2323, 0x2525, 0x2626)
        for kind in (GPS, ALARM, GPS_2, ALARM_2)
    },
    **{f"2727{kind:02x}": Kind(_walk_own, _meaning) for kind in (GPS, ALARM)},
    f"2626{BEHAVIOR:02x}": Kind(_walk_behavior, _meaning),
    f"2626{BEHAVIOR_2:02x}": Kind(_walk_behavior_2, _meaning),
}
"""By mark and type in hexadecimal digits."""
