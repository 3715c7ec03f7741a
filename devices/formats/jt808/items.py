"""JT/T 808: the additional items of a location: id u8, length u8, value.

An item of the standard, with the standard's length, is read; any other is kept in hexadecimal.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from math import nan
from struct import Struct
from typing import Any, Final, NamedTuple

from devices.formats.jt808.meaning import IO, SIGNALS, aircon, named


class Item(NamedTuple):
    """An item as it stands in a body: where its value begins, and how many bytes it has."""

    kind: int
    size: int
    at: int


MILEAGE: Final = (0x01, 4)
MILEAGE_UNIT_M: Final = 100
SATELLITES: Final = (0x31, 1)
SIGNAL_BITS: Final = (0x25, 4)

_U32: Final = Struct(">I")
_TYPE_ID: Final = Struct(">BI")
_AREA: Final = Struct(">BIB")
_ROUTE: Final = Struct(">IHB")
_ANALOG: Final = Struct(">HH")

OLD_TAIL_BYTES: Final = 18
"""Some trackers send, in place of items, eighteen bytes of fixed fields."""
_OLD_TAIL: Final = Struct(">4sIHIB3s")


def _tenths(value: bytes) -> float:
    return int.from_bytes(value) / 10


def _number(value: bytes) -> int:
    return int.from_bytes(value)


def _signed(value: bytes) -> int:
    return int.from_bytes(value, signed=True)


def _over_speed(value: bytes) -> dict[str, int]:
    if len(value) == 1:
        return {"type": value[0]}
    return dict(zip(("type", "id"), _TYPE_ID.unpack(value), strict=True))


def _area(value: bytes) -> dict[str, int]:
    return dict(zip(("type", "id", "direction"), _AREA.unpack(value), strict=True))


def _route(value: bytes) -> dict[str, int]:
    return dict(zip(("id", "seconds", "result"), _ROUTE.unpack(value), strict=True))


@lru_cache(maxsize=4096)
def _signals(value: bytes) -> list[str]:
    return named(int.from_bytes(value), SIGNALS)


@lru_cache(maxsize=4096)
def _io(value: bytes) -> list[str]:
    return named(int.from_bytes(value), IO)


def _analog(value: bytes) -> list[int]:
    second, first = _ANALOG.unpack(value)
    return [first, second]


READERS: Final[dict[tuple[int, int], tuple[str, Callable[[bytes], Any]]]] = {
    (0x02, 2): ("fuel_l", _tenths),
    (0x03, 2): ("recorder_kmh", _tenths),
    (0x04, 2): ("alarm_event", _number),
    (0x06, 2): ("carriage_c", _signed),
    (0x11, 1): ("over_speed", _over_speed),
    (0x11, 5): ("over_speed", _over_speed),
    (0x12, 6): ("area", _area),
    (0x13, 7): ("route", _route),
    (0x14, 4): ("video_alarms", _number),
    (0x15, 4): ("video_lost", _number),
    (0x16, 4): ("video_covered", _number),
    (0x17, 2): ("storage_faults", _number),
    (0x18, 2): ("driving_alarms", _number),
    SIGNAL_BITS: ("signals", _signals),
    (0x2A, 2): ("io", _io),
    (0x2B, 4): ("analog", _analog),
    (0x30, 1): ("signal", _number),
}
"""Items by id and length: the key in `extra`, and what reads the value (14 to 18: JT/T 1078)."""


@dataclass(slots=True)
class Items:
    """What the items of one location say."""

    odometer: float = nan
    satellites: float = nan
    inputs: int = 0
    extra: dict[str, Any] = field(default_factory=dict)


def layout(body: bytes, at: int) -> list[Item] | None:
    """The items from `at` on; None if they do not end where the body does."""
    found: list[Item] = []
    size = len(body)
    while at + 2 <= size:
        kind, length = body[at], body[at + 1]
        found.append(Item(kind, length, at + 2))
        at += 2 + length
    return found if at == size else None


def read_items(body: bytes, at: int) -> Items:
    """The items from `at` on; what follows the last whole one is kept as `rest`."""
    items = Items()
    found = layout(body, at)
    if found is None and len(body) - at == OLD_TAIL_BYTES:
        _, kilometres, tenths, area, signal, _ = _OLD_TAIL.unpack_from(body, at)
        items.odometer = kilometres * 1000.0
        items.extra |= {"battery_v": tenths / 10, "area": area, "signal": signal}
        items.extra["tail"] = body[at:].hex()
        return items
    if found is None:
        end, found = _whole_items(body, at)
        items.extra["rest"] = body[end:].hex()
    for kind, size, start in found:
        value = body[start : start + size]
        if (kind, size) == MILEAGE:
            items.odometer = _U32.unpack(value)[0] * float(MILEAGE_UNIT_M)
        elif (kind, size) == SATELLITES:
            items.satellites = value[0]
        else:
            _take(kind, value, items.extra)
            if (kind, size) == SIGNAL_BITS:
                items.inputs |= aircon(int.from_bytes(value))
    return items


def _whole_items(body: bytes, at: int) -> tuple[int, list[Item]]:
    """The items that are whole, and where the rest begins."""
    found = []
    while at + 2 <= len(body) and at + 2 + body[at + 1] <= len(body):
        found.append(Item(body[at], body[at + 1], at + 2))
        at += 2 + body[at + 1]
    return at, found


def _take(kind: int, value: bytes, extra: dict[str, Any]) -> None:
    """Put the value of one item into `extra`."""
    known = READERS.get((kind, len(value)))
    if known and known[0] not in extra:
        extra[known[0]] = known[1](value)
        return
    other = extra.setdefault("items", {})
    key = f"{kind:02x}"
    if key in other:
        before = other[key]
        other[key] = [*(before if isinstance(before, list) else [before]), value.hex()]
    else:
        other[key] = value.hex()
