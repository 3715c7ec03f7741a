"""EGTS subrecords of the teledata service: where their values are, and their names.

Numbers are little-endian. Values with a column have fixed names, read by `packet.py`; all others
are named as they stand in `extra`. A subrecord of a type that is not known here is kept in
hexadecimal.
"""

from collections.abc import Callable
from typing import Final

from devices.errors import DecodeError, Reject
from devices.layouts import Walk

TERM_IDENTITY: Final = 1
POS_DATA: Final = 16

ALTITUDE_BIT: Final = 1 << 7

IMEI_BYTES: Final = 15
_TENTHS: Final = "_v"


class Names:
    """Names of one record's values: one that was given already gets a number."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def new(self, name: str) -> str:
        """The name itself, or with the number of its repetition."""
        times = self._given[name] = self._given.get(name, 0) + 1
        return name if times == 1 else f"{name}_{times}"


def walk_subrecord(walk: Walk, names: Names, record_end: int) -> int:
    """Walk the next subrecord; gives its type. Raises DecodeError if it contradicts its length."""
    start = walk.position
    kind, size = walk.look(), walk.look("<H")
    end = walk.position + size
    if end > record_end:
        detail = f"subrecord {kind} of {size} bytes reaches past the end of its record"
        raise DecodeError(Reject.TRUNCATED, at=start, detail=detail)
    reader = _READERS.get(kind)
    if reader and size >= _LEAST[kind]:
        reader(walk, end, names)
        if walk.position > end:
            detail = f"subrecord {kind}: expected {walk.position - end} more than its {size} bytes"
            raise DecodeError(Reject.TRUNCATED, at=start, detail=detail)
    elif kind == POS_DATA:
        detail = f"subrecord 16: expected at least {_LEAST[kind]} bytes, got {size}"
        raise DecodeError(Reject.TRUNCATED, at=start, detail=detail)
    elif kind == TERM_IDENTITY and size >= _IDENTITY_HEAD:
        _identity(walk, end, names)
    if rest := end - walk.position:
        walk.value(names.new(f"sr_{kind}"), f"V{rest}")
    return kind


_IDENTITY_HEAD: Final = 5
IMEI_KEY: Final = "imei"


def _identity(walk: Walk, end: int, names: Names) -> None:
    """Terminal's number, flags, network (bit 0), IMEI (bit 1), and what follows."""
    walk.skip(4)
    flags = walk.look()
    network = 2 * (flags & 1)
    if flags & 2 and end - walk.position >= network + IMEI_BYTES:
        walk.skip(network)
        walk.value(names.new(IMEI_KEY), f"V{IMEI_BYTES}")


def _position(walk: Walk, end: int, names: Names) -> None:
    for key, form in (("time", "<u4"), ("lat", "<u4"), ("lon", "<u4")):
        walk.value(key, form)
    has_altitude = walk.look(mask=ALTITUDE_BIT, key="flags")
    walk.value("speed", "<u2")
    walk.value("direction", "u1")
    walk.value("odometer", "<u3")
    walk.value("inputs", "u1")
    walk.value(names.new("source"), "u1")
    if has_altitude:
        walk.value("altitude", "<u3")
    if end - walk.position == 2:
        walk.value(names.new("source_data"), "<i2")


def _precision(walk: Walk, end: int, names: Names) -> None:
    del end
    flags = walk.look()
    for bit, (key, form) in enumerate((
        ("vdop", "<u2"), ("hdop", "<u2"), ("pdop", "<u2"), ("satellites", "u1"),
        ("systems", "<u2"),
    )):  # fmt: skip
        if flags >> bit & 1:
            walk.value(names.new(key), form)


def _sensors(walk: Walk, end: int, names: Names) -> None:
    del end
    inputs = walk.look()
    walk.value(names.new("outputs"), "u1")
    analog = walk.look()
    _masked(walk, inputs, "inputs", "u1", names)
    _masked(walk, analog, "analog", "<u3", names)


def _counters(walk: Walk, end: int, names: Names) -> None:
    del end
    _masked(walk, walk.look(), "counter", "<u3", names)


def _masked(walk: Walk, mask: int, name: str, form: str, names: Names) -> None:
    for bit in range(8):
        if mask >> bit & 1:
            walk.value(names.new(f"{name}_{bit + 1}"), form)


def _state(walk: Walk, end: int, names: Names) -> None:
    del end
    walk.value(names.new("state"), "u1")
    for name in ("main", "backup", "internal"):
        walk.value(names.new(name + _TENTHS), "u1")
    walk.value(names.new("state_flags"), "u1")


def _absolute(name: str) -> Callable[[Walk, int, Names], None]:
    def read(walk: Walk, end: int, names: Names) -> None:
        del end
        walk.value(names.new(f"{name}_{walk.look()}"), "<u3")

    return read


_UNITS: Final = ("", "_percent", "_dl", "")


def _liquid(walk: Walk, end: int, names: Names) -> None:
    flags = walk.look()
    name = f"liquid_{flags & 7}"
    if flags & 0x40:
        name += "_failed"
    walk.value(names.new(f"{name}_address"), "<u2")
    if flags & 8:  # as the sensor sent it
        if left := end - walk.position:
            walk.value(names.new(f"{name}_raw"), f"V{left}")
    else:
        walk.value(names.new(name + _UNITS[flags >> 4 & 3]), "<u4")


def divided(name: str) -> int:
    """By what the value of that name is to be divided."""
    base = name.rsplit("_", 1)[0] if name[-1].isdigit() else name
    if base.endswith(_TENTHS):
        return 10
    return 100 if base in {"vdop", "pdop"} else 1


_READERS: Final[dict[int, Callable[[Walk, int, Names], None]]] = {
    POS_DATA: _position,
    17: _precision,
    18: _sensors,
    19: _counters,
    20: _state,
    24: _absolute("analog"),
    25: _absolute("counter"),
    27: _liquid,
}
_LEAST: Final = {POS_DATA: 21, 17: 1, 18: 3, 19: 1, 20: 5, 24: 4, 25: 4, 27: 7}
"""A shorter one is kept in hexadecimal, but a position must be whole."""
