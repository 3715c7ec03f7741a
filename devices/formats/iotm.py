"""Codec "iotm": records of sensors of IoTM gateways, made for MQTT (docs/codecs/iotm.md).

    version 02, blocks (type u8, length u16, content), sum of all bytes before it u8

Numbers are little-endian. Block 2 is the IMEI, block 1 a record: time u32, then sensors, each of a
type u8, an id u16 and a value whose size the type tells. A sensor of type 14 is a place.
"""

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isnan
from struct import Struct
from typing import Any, Final, NamedTuple

import numpy as np

from devices.batch import I64, FixBatch, Input, Quality, inputs_states
from devices.checks import check_size
from devices.codec import Codec, Decoded, register
from devices.each_fix import each_fix, with_zeros
from devices.errors import DecodeError, EncodeError, Reject
from devices.layouts import Kind, Meaning, Splits, Values, Walk, inputs_of, known, read
from devices.records import Records
from devices.texts import printable

VERSION: Final = 2
RECORD: Final = 1
IMEI: Final = 2
EVENT: Final = 3

OFF: Final = 0
ON: Final = 1
ZERO: Final = 3
PLACE: Final = 14

_NUMBERS: Final = {
    4: "u1", 5: "<u2", 6: "<u4", 7: "<u8", 8: "i1", 9: "<i2", 10: "<i4", 11: "<i8", 12: "<f4",
    13: "<f8",
}  # fmt: skip
_STRINGS: Final = {32: ("B", True), 33: ("B", False), 64: ("<H", True), 65: ("<H", False)}
"""Types of values that begin with their length: how that is written, and whether it is text."""

_PLACE_FIELDS: Final = (
    ("lat", "<f4"), ("lon", "<f4"), ("speed", "<u2"), ("hdop", "u1"), ("satellites", "u1"),
    ("course", "<u2"), ("altitude", "<i2"),
)  # fmt: skip

INPUTS: Final[dict[int, Input]] = {
    0x0002: Input.MOVEMENT,
    0x0010: Input.DIN_2,
    0x0011: Input.DIN_3,
    0x0012: Input.DIN_4,
    0x006D: Input.IGNITION,
}

ODOMETER: Final = 0xB002
PULSES: Final = 0x4003
PULSE_M: Final = 5


class Sensor(NamedTuple):
    """The name of a sensor in `extra`, and what its value is multiplied with and divided by."""

    key: str
    factor: int = 1
    divisor: int = 1


SENSORS: Final[dict[int, Sensor]] = {
    0x0008: Sensor("jamming"),
    0x0062: Sensor("door_front_left"),
    0x0063: Sensor("door_front_right"),
    0x0064: Sensor("door_rear_left"),
    0x0065: Sensor("door_rear_right"),
    0x008B: Sensor("hand_brake"),
    0x008C: Sensor("foot_brake"),
    0x0094: Sensor("out_1"),
    0x0095: Sensor("out_2"),
    0x0096: Sensor("out_3"),
    0x009A: Sensor("out_4"),
    0x009B: Sensor("gnss_jamming"),
    0x2000: Sensor("speed_obd_kmh"),
    0x2006: Sensor("throttle"),
    0x2007: Sensor("fuel"),
    0x2008: Sensor("coolant_c"),
    0x2009: Sensor("fuel_2"),
    0x200A: Sensor("load"),
    0x2041: Sensor("battery_percent"),
    0x3000: Sensor("power_v", divisor=1000),
    0x3001: Sensor("adc_1_v", divisor=1000),
    0x3002: Sensor("adc_2_v", divisor=1000),
    0x3003: Sensor("adc_3_v", divisor=1000),
    0x3004: Sensor("battery_v", divisor=1000),
    0x300C: Sensor("rpm"),
    0x3021: Sensor("fuel_rate", divisor=20),
    0x3037: Sensor("cargo_kg", factor=2),
    0x4001: Sensor("fuel_used"),
    0x4002: Sensor("hours"),
    PULSES: Sensor("odometer_can_m", factor=PULSE_M),
    0x4063: Sensor("axle_weight"),
    0x5000: Sensor("driver_key"),
    0x500D: Sensor("trailer"),
    0xA000: Sensor("device_temperature_c"),
    0xA001: Sensor("acceleration"),
    0xA002: Sensor("cornering"),
    0xA017: Sensor("temperature_1_c"),
    0xA018: Sensor("temperature_2_c"),
    0xA019: Sensor("temperature_3_c"),
    0xA01A: Sensor("temperature_4_c"),
}
"""Others are kept under "io" by their id in four hexadecimal digits."""


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads: blocks cut one by one, records as columns."""
    records = Records()
    splits = Splits(_split)

    def add(index: int, payload: bytes) -> None:
        check_size(payload)
        _add(payload, index, splits, records)

    records.each(add, range(len(payloads)), payloads)
    return read(records, _KINDS, received)


def _split(walk: Walk) -> list[tuple[int, int, int]]:
    """Type, start and end of the blocks of a payload without its sum."""
    walk.look()
    blocks = []
    while walk.left:
        kind, size = walk.look(), walk.look("<H")
        start = walk.position
        walk.skip(size)
        blocks.append((kind, start, walk.position))
    return blocks


def _add(payload: bytes, index: int, splits: Splits, records: Records) -> None:
    if payload[0] != VERSION:
        raise DecodeError(Reject.BAD_SYNTAX, detail=f"version: expected 02, got {payload[0]:02x}")
    end = len(payload) - 1
    blocks = splits.of(payload[:end])
    if (total := sum(payload[:end]) & 0xFF) != payload[end]:
        detail = f"sum: expected {total:02x}, got {payload[end]:02x}"
        raise DecodeError(Reject.BAD_CHECKSUM, at=end, detail=detail)
    if not blocks:
        raise DecodeError(Reject.NO_CONTENT, at=1, detail="no blocks")
    ident, before = "", len(records)
    for kind, start, stop in blocks:
        if kind == RECORD:
            records.add(index, start, "record", payload[start:stop], ident)
        elif kind == IMEI:
            number = int.from_bytes(payload[start:stop], "little")
            ident = f"{number:015d}" if 0 < number < 1 << 64 else ""
        else:
            name = "an event" if kind == EVENT else "unknown"
            detail = f"block {kind} ({name}): no place"
            error = DecodeError(Reject.UNSUPPORTED, at=start, detail=detail)
            records.refuse_part(index, error, start)
    if len(records) == before:
        raise DecodeError(Reject.NO_CONTENT, at=1, detail="no record")


def _walk(walk: Walk) -> None:
    walk.value("time", "<u4")
    has_place = False
    while walk.left:
        at = walk.position
        kind = walk.look()
        if kind in {OFF, ON}:
            walk.narrow(~ON & 0xFF)
        sensor = walk.look("<H")
        has_place |= kind == PLACE
        _walk_value(walk, kind, sensor, at)
    if not has_place:
        raise DecodeError(Reject.UNSUPPORTED, detail="a record without a place (type 14)")


def _walk_value(walk: Walk, kind: int, sensor: int, at: int) -> None:
    """Name the value of a sensor; that of a boolean is its type, at this place."""
    if kind in {OFF, ON}:
        walk.values.append((sensor, at, "u1"))
    elif kind == ZERO:
        walk.constant(sensor, 0)
    elif kind == PLACE:
        for key, form in _PLACE_FIELDS:
            walk.value(key, form)
    elif kind in _NUMBERS:
        walk.value(sensor, _NUMBERS[kind])
    elif kind in _STRINGS:
        form, text = _STRINGS[kind]
        if size := walk.look(form):
            walk.value(("text" if text else "bytes", sensor), f"V{size}")
    else:
        detail = f"type of sensor {sensor:04x}: expected a known one, got {kind}"
        raise DecodeError(Reject.BAD_VALUE, at=at, detail=detail)


def _meaning(values: Values) -> Meaning:
    satellites = values["satellites"]
    columns: dict[str, Any] = {
        "time": values["time"] * 1e6,
        "lat": values["lat"].astype(np.float64),
        "lon": values["lon"].astype(np.float64),
        "speed_kmh": values["speed"],
        "heading": values["course"],
        "altitude": values["altitude"],
        "hdop": known(values["hdop"], 0) / 10,
        "satellites": known(satellites, _UNKNOWN_SATELLITES),
        "quality": np.where(satellites == 0, int(Quality.NO_POSITION), 0),
        "inputs": inputs_of({
            bit: values[sensor] > 0 for sensor, bit in INPUTS.items() if sensor in values
        }),
    }  # fmt: skip
    if ODOMETER in values:
        columns["odometer"] = values[ODOMETER]
    elif PULSES in values:
        columns["odometer"] = values[PULSES].astype(np.float64) * PULSE_M
    return Meaning(columns, _extra(values))


_UNKNOWN_SATELLITES: Final = 255


def _extra(values: Values) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    io: dict[str, Any] = {}
    for key, column in values.items():
        if isinstance(key, str) or key in INPUTS or key == ODOMETER:
            continue
        sensor = key
        said: Any = column
        if isinstance(key, tuple):
            form, sensor = key
            said = [_text(raw) if form == "text" else raw.hex() for raw in column.tolist()]
        elif column.dtype.kind == "f":
            said = np.round(column.astype(np.float64), 3)
        name, factor, divisor = SENSORS.get(sensor, _NO_NAME)
        if not isinstance(key, tuple):
            said = said.astype(np.int64) * factor if factor > 1 and said.dtype.kind != "f" else said
            said = said / divisor if divisor > 1 else said
        if name:
            extra[name] = said
        else:
            io[f"{sensor:04x}"] = said
    return extra | {"io": io} if io else extra


_NO_NAME: Final = Sensor("")


def _text(raw: bytes) -> str:
    return printable(raw.decode("utf-8", "replace"))


_KINDS: Final = {"record": Kind(_walk, _meaning)}

_TIME_AND_PLACE: Final = Struct("<IBHffHBBHh")
_DOUBLE: Final = Struct("<BHd")
_BOOLEAN: Final = Struct("<BH")
_BLOCK: Final = Struct("<BH")
_PLACE_SENSOR: Final = 0xD000


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One record per fix, behind its IMEI where the ident is one."""
    del drivers
    out = []
    columns = with_zeros(fixes, "altitude", "speed_kmh", "heading", "hdop")
    for row, (fix, ident) in enumerate(zip(each_fix(columns), idents, strict=True)):
        try:
            content = _TIME_AND_PLACE.pack(
                fix.time_us // 1_000_000, PLACE, _PLACE_SENSOR, fix.lat, fix.lon,
                round(fix.speed_kmh), min(round(fix.hdop * 10), 0xFF),
                0 if fix.is_lost else fix.satellites, round(fix.heading) % 360, round(fix.altitude),
            ) + _booleans(fix.inputs)  # fmt: skip
        except (struct.error, OverflowError) as error:
            raise EncodeError(f"iotm: fix {row}: {error}") from None
        if not isnan(fix.odometer):
            content += _DOUBLE.pack(13, ODOMETER, fix.odometer)
        message = bytes((VERSION,))
        if len(ident) == _IMEI_DIGITS and ident.isdecimal():
            message += _BLOCK.pack(IMEI, 8) + int(ident).to_bytes(8, "little")
        message += _BLOCK.pack(RECORD, len(content)) + content
        out.append(message + bytes((sum(message) & 0xFF,)))
    return out


_IMEI_DIGITS: Final = 15


@lru_cache(maxsize=4096)
def _booleans(word: int) -> bytes:
    states: Mapping[Input, bool] = inputs_states(word)
    return b"".join(
        _BOOLEAN.pack(states[bit], sensor) for sensor, bit in INPUTS.items() if bit in states
    )


IOTM: Final = register(Codec(name="iotm", decode=decode, encode=encode))
