"""Eelink's packages with a place: where their values are, and what they mean.

Two generations: GPS (02), alarm (04), state (05) and message (06) of the first; location (12),
warning (14), report (15), message (16) and OBD (17-19) of the second, whose place has a mask.
Numbers are big-endian.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from devices.batch import Input, Quality
from devices.columns import decimals, instants
from devices.errors import DecodeError, Reject
from devices.layouts import Kind, Meaning, Values, Walk, inputs_of

GPS: Final = 0x02
ALARM: Final = 0x04
STATE: Final = 0x05
LOCATION: Final = 0x12
WARNING: Final = 0x14
REPORT: Final = 0x15

UNITS_OF_DEGREE: Final = 1_800_000

NAMES: Final = {
    0x01: "login", 0x03: "heartbeat", 0x07: "OBD", 0x0E: "photo", 0x0F: "photo",
    0x1B: "pedometer", 0x1E: "camera", 0x1F: "camera", 0x81: "broadcast",
}  # fmt: skip
"""Packages that carry no place."""

_Fields = tuple[tuple[str, str], ...]

_TAIL: Final[tuple[_Fields, ...]] = (
    (("battery_v", ">u2"),),
    (("in_0", ">u2"), ("in_1", ">u2")),
    (("odometer", ">u4"),),
    (("gsm_count", ">u2"), ("gps_count", ">u2")),
    (("steps", ">u2"), ("walking_time", ">u2")),
    (("temperature_c", ">i2"), ("humidity", ">u2"), ("illuminance", ">u4"), ("co2", ">u4")),
    (("probe_c", ">i2"),),
)
"""What may follow the status, in this order, as far as the package is long."""

_DIVISORS: Final = {
    "battery_v": 1000, "temperature_c": 256, "humidity": 10, "illuminance": 256, "probe_c": 16,
}  # fmt: skip

_SIZES: Final = {"1": 1, "2": 2, "4": 4}


def _named(walk: Walk, fields: _Fields) -> None:
    for key, kind in fields:
        walk.value(key, kind)


def _walk_old(kind: int) -> Callable[[Walk], None]:
    def walk_old(walk: Walk) -> None:
        _named(walk, (
            ("index", ">u2"), ("time", ">u4"), ("lat", ">i4"), ("lon", ">i4"), ("speed", "u1"),
            ("course", ">u2"),
        ))  # fmt: skip
        for key, form in (("mcc", ">u2"), ("mnc", ">u2"), ("lac", ">u2"), ("cid", ">u3")):
            walk.value(("cell", key), form)
        walk.value("valid", "u1")
        if kind in _BEHIND:
            _BEHIND[kind](walk)
        _rest(walk)

    return walk_old


def _behind_gps(walk: Walk) -> None:
    if walk.left >= 2:
        walk.value("status", ">u2")
    if walk.left >= 8:
        _named(walk, (("battery_v", ">u2"), ("rssi", ">u2"), ("in_1", ">u2"), ("in_2", ">u2")))


def _behind_alarm(walk: Walk) -> None:
    if walk.left:
        walk.value("alarm", "u1")


def _behind_state(walk: Walk) -> None:
    if walk.left and walk.look("B", key="state") in {1, 2, 3} and walk.left >= 4:
        walk.value("device_time", ">u4")
        if walk.left >= 2:
            walk.value("status", ">u2")


_BEHIND: Final = {GPS: _behind_gps, ALARM: _behind_alarm, STATE: _behind_state}


def _walk_new(kind: int) -> Callable[[Walk], None]:
    def walk_new(walk: Walk) -> None:
        _named(walk, (("index", ">u2"), ("time", ">u4")))
        mask = walk.look()
        if not mask & 1:
            detail = f"package {kind:02x}: no place by satellites, only cells (mask {mask:02x})"
            raise DecodeError(Reject.UNSUPPORTED, detail=detail)
        _named(walk, (
            ("lat", ">i4"), ("lon", ">i4"), ("altitude", ">i2"), ("speed", ">u2"),
            ("course", ">u2"), ("satellites", "u1"),
        ))  # fmt: skip
        _walk_network(walk, mask)
        if kind in _EVENTS:
            walk.value(_EVENTS[kind], "u1")
        if kind in {LOCATION, *_EVENTS}:
            walk.value("status", ">u2")
            for fields in _TAIL:
                if walk.left >= sum(_SIZES[form[-1]] for _, form in fields):
                    _named(walk, fields)
        _rest(walk)

    return walk_new


_EVENTS: Final = {WARNING: "alarm", REPORT: "report"}


def _walk_network(walk: Walk, mask: int) -> None:
    """Cells (mask bits 1-3), wireless networks (4-6), and what a 4G modem says (7)."""
    for bit in (1, 2, 3):
        if mask >> bit & 1:
            if bit == 1:
                walk.value(("cell", "mcc"), ">u2")
                walk.value(("cell", "mnc"), ">u2")
            name = "cell" if bit == 1 else f"cell_{bit}"
            for key, form in (("lac", ">u2"), ("cid", ">u4"), ("rssi", "u1")):
                walk.value((name, key), form)
    for bit in (4, 5, 6):
        if mask >> bit & 1:
            walk.value((f"wifi_{bit - 3}", "mac"), "V6")
            walk.value((f"wifi_{bit - 3}", "rssi"), "i1")
    if mask >> 7:
        _walk_lte(walk)


def _walk_lte(walk: Walk) -> None:
    walk.value("radio", "u1")
    count = walk.look()
    if count:
        for key, form in (
            ("mcc", ">u2"), ("mnc", ">u2"), ("lac", ">u2"), ("tac", ">u2"), ("cid", ">u4"),
            ("ta", ">u2"),
        ):  # fmt: skip
            walk.value(("lte", key), form)
    for number in range(count):
        for key, form in (("pcid", ">u2"), ("earfcn", ">u2"), ("rssi", "u1")):
            walk.value((f"lte_{number + 1}", key), form)


def _rest(walk: Walk) -> None:
    if walk.left:
        walk.value("rest", f"V{walk.left}")


def _meaning(values: Values) -> Meaning:
    status = values.get("status")
    if "valid" in values:
        valid = values["valid"] & 1
    elif status is not None:
        valid = status & 1
    else:  # a message or OBD values; the mask says that there is a place
        valid = np.ones(len(values["time"]), np.uint8)
    columns: dict[str, Any] = {
        "time": values["time"] * 1e6,
        "lat": values["lat"] / UNITS_OF_DEGREE,
        "lon": values["lon"] / UNITS_OF_DEGREE,
        "speed_kmh": values["speed"],
        "heading": values["course"],
        "quality": np.where(valid, 0, int(Quality.NO_POSITION)),
    }
    columns |= {key: values[key] for key in _SAME if key in values}
    if status is not None:
        columns["inputs"] = _inputs(status)
    return Meaning(columns, _extra(values))


_SAME: Final = ("altitude", "satellites", "odometer")
_READ: Final = frozenset({"time", "lat", "lon", "speed", "course", "valid", "received", *_SAME})


def _inputs(status: Any) -> Any:
    """Ignition, movement and charging, each if another bit says that the device can tell."""
    word: Any = np.uint32(0)
    for bit, known, on in (
        (Input.IGNITION, 1, 2), (Input.MOVEMENT, 3, 9), (Input.CHARGING, 7, 8),
    ):  # fmt: skip
        state = inputs_of({bit: status >> on & 1 > 0})
        word = word | np.where(status >> known & 1 > 0, state, np.uint32(0))
    return word


def _extra(values: Values) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    for key, column in values.items():
        if key in _READ:
            continue
        said: Any = column
        if column.dtype.kind == "V":
            said = [raw.hex() for raw in column.tolist()]
        elif key in _DIVISORS:
            said = column / _DIVISORS[key]
        if isinstance(key, tuple):
            extra.setdefault(key[0], {})[key[1]] = said
        else:
            extra[key] = said
    return extra


def _walk_answer(walk: Walk) -> None:
    walk.value("index", ">u2")
    walk.skip(5)  # kind of the answer, number of the asker
    walk.value("text", f"V{max(walk.left, 1)}")


def _answer(values: Values) -> Meaning:
    """Places of answers: "Lat:N31.8,Lon:W82.6,Course:0.0,Speed:0.0km/h,DateTime:2017-..."."""
    found = [_ANSWER.search(raw) for raw in values["text"].tolist()]
    parts = [one.groups() if one else _NO_ANSWER for one in found]
    north, lat, east, lon, course, speed, *date = zip(*parts, strict=True)
    time = instants(*(np.array(part, np.int64) for part in date))
    columns = {
        "time": time,
        "lat": np.where(np.array(north) == b"S", -1, 1) * decimals(lat),
        "lon": np.where(np.array(east) == b"W", -1, 1) * decimals(lon),
        "heading": decimals(course),
        "speed_kmh": decimals(speed),
    }
    missed = np.array([one is None for one in found], np.bool_)
    refused = [
        (missed, Reject.UNSUPPORTED, "package 80 (answer) carries no place"),
        (np.isnan(time), Reject.BAD_VALUE, "DateTime: expected a date and time"),
    ]
    return Meaning(columns, {"index": values["index"]}, refused=refused)


_NO_ANSWER: Final = (b"N", b"0", b"E", b"0", b"0", b"0", *[b"0"] * 6)
_ANSWER: Final = re.compile(
    rb"Lat:([NS])(\d{1,3}\.\d{1,9}).{1,4}Lon:([EW])(\d{1,3}\.\d{1,9}).{1,4}"
    rb"Course:(\d{1,3}\.\d{1,4}).{1,4}Speed:(\d{1,4}\.\d{1,4}).{1,9}"
    rb"Date ?Time:(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)",
    re.DOTALL,
)

ANSWER: Final = 0x80

KINDS: Final[dict[str, Kind]] = {
    f"{ANSWER:02x}": Kind(_walk_answer, _answer),
    **{
        f"{kind:02x}": Kind(walk(kind), _meaning)
        for walk, kinds in (
            (_walk_old, (GPS, ALARM, STATE, 0x06)),
            (_walk_new, (LOCATION, WARNING, REPORT, 0x16, 0x17, 0x18, 0x19)),
        )
        for kind in kinds
    },
}
"""By the package's type in two hexadecimal digits."""
