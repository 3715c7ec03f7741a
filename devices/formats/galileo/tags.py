"""Galileosky's tags: how long each is, and the name that its value has in `extra`.

Numbers are little-endian. Tags with a column (time, place, speed, ...) have no name here.
"""

from typing import Final, NamedTuple

IMEI: Final = 0x03
TIME: Final = 0x20
MILLISECONDS: Final = 0x21
PLACE: Final = 0x30
MOTION: Final = 0x33
ALTITUDE: Final = 0x34
HDOP: Final = 0x35
STATUS: Final = 0x40
INPUTS: Final = 0x46
ODOMETER: Final = 0xD4

ANSWER: Final = 0xE1
USER_ARRAY: Final = 0xEA
EXTENDED: Final = 0xFE


class Tag(NamedTuple):
    """How a tag is read: a kind of `devices.layouts.Walk`, its name, and what divides it."""

    kind: str
    key: str
    divisor: int = 1


def _numbered(kind: str, first: int, last: int, key: str, start: int = 0) -> dict[int, Tag]:
    return {tag: Tag(kind, f"{key}_{tag - first + start}") for tag in range(first, last + 1)}


TAGS: Final[dict[int, Tag]] = {
    0x01: Tag("u1", "hardware"),
    0x02: Tag("u1", "firmware"),
    IMEI: Tag("V15", ""),
    0x04: Tag("<u2", "device"),
    0x10: Tag("<u2", "record"),
    TIME: Tag("<u4", ""),
    MILLISECONDS: Tag("<u2", ""),
    ALTITUDE: Tag("<i2", ""),
    HDOP: Tag("u1", ""),
    STATUS: Tag("<u2", "status"),
    0x41: Tag("<u2", "power_v", 1000),
    0x42: Tag("<u2", "battery_v", 1000),
    0x43: Tag("i1", "device_temperature_c"),
    0x44: Tag("<u4", "acceleration"),
    0x45: Tag("<u2", "outputs"),
    INPUTS: Tag("<u2", "inputs"),
    0x47: Tag("<u4", "eco_drive"),
    0x48: Tag("<u2", "status_extended"),
    **_numbered("<u2", 0x50, 0x57, "in"),
    **_numbered("<u2", 0x58, 0x59, "rs232"),
    0x5A: Tag("<u4", "rep500"),
    0x5B: Tag("V7", "refrigerator"),
    0x5C: Tag("V68", "tyres"),
    0x5D: Tag("<u3", "dosimeter"),
    **_numbered("<u2", 0x60, 0x62, "rs485"),
    **_numbered("<u3", 0x63, 0x6F, "rs485", 3),
    **_numbered("<u2", 0x70, 0x77, "thermometer"),
    **_numbered("<u2", 0x78, 0x7F, "in", 8),
    **_numbered("<u3", 0x80, 0x87, "hygrometer"),
    **_numbered("i1", 0x88, 0x89, "rs232_temperature_c"),
    **_numbered("i1", 0x8A, 0x8C, "rs485_temperature_c"),
    0x90: Tag("<u4", "driver_key"),
    **_numbered("u1", 0xA0, 0xAF, "can8", 15),
    **_numbered("<u2", 0xB0, 0xB9, "can16", 5),
    0xC0: Tag("<u4", "fuel_used_l", 2),
    0xC1: Tag("<u4", "can_a1"),
    0xC2: Tag("<u4", "can_b0"),
    0xC3: Tag("<u4", "can_b1"),
    **_numbered("u1", 0xC4, 0xD2, "can8"),
    0xD3: Tag("<u4", "driver_key_2"),
    ODOMETER: Tag("<u4", ""),
    0xD5: Tag("u1", "keys"),
    **_numbered("<u2", 0xD6, 0xDA, "can16"),
    **_numbered("<u4", 0xDB, 0xDF, "can32"),
    0xE0: Tag("<u4", "command"),
    **_numbered("<u4", 0xE2, 0xE9, "user"),
    **_numbered("<u4", 0xF0, 0xF9, "can32", 5),
    0xFA: Tag("V3", "tag_fa"),
    0xFD: Tag("V8", "tag_fd"),
}
"""Tags of one size; those of several fields, and those that bring their length, stand apart."""

PARTED: Final[dict[int, tuple[tuple[str, str], ...]]] = {
    PLACE: (("place", "u1"), ("lat", "<i4"), ("lon", "<i4")),
    MOTION: (("speed", "<u2"), ("course", "<u2")),
}

SIZED: Final[dict[int, tuple[str, str]]] = {
    ANSWER: ("B", "answer"),
    USER_ARRAY: ("B", "user_array"),
    EXTENDED: ("<H", "extended"),
}
"""Tags that begin with their length: how that is written, and the name."""
