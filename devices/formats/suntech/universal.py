"""Reports of the universal family: `STT;device;map;...`, the map saying which columns there are.

Bit 1 model, 2 version, 3 live, 4 date, 5 time, 6 cell, 7 country, 8 network, 9 area, 10 strength,
11 latitude, 12 longitude, 13 speed, 14 course, 15 satellites, 16 fix, 17 inputs, 18 outputs,
19 to 21 columns of the report, 22 reserved, 23 assigned: one more map and its columns. Zipped it is
`81` (STT) or `82` (ALT) and so on, length u16, device (5 BCD bytes), map u24, the columns as bytes.
"""

import re
from math import nan
from struct import Struct
from typing import Final

from devices.batch import Quality
from devices.errors import DecodeError, Reject
from devices.formats.suntech.columns import (
    ALERTS,
    bit_inputs,
    check_ident,
    is_angle,
    is_clock,
    is_date,
    readable,
    serial_data,
    time_us,
)
from devices.rows import FixRows
from devices.text_fields import decimal, instant_us

_MAP: Final = re.compile(r"[0-9A-Fa-f]{1,8}", re.ASCII)
_BITS: Final = re.compile(r"[01]{8}", re.ASCII)
_MAPPED: Final = frozenset({"STT", "ALT", "EMG", "EVT", "UEX", "BSA", "TRV"})
_BEACONS: Final = "BLE"
_BEACON_MAP: Final = 0b1_1000_0011_0110

_NAMES: Final = (
    "", "model", "version", "live", "date", "time", "cell", "mcc", "mnc", "lac", "rssi", "lat",
    "lon", "speed", "course", "satellites", "fix", "inputs", "outputs",
)  # fmt: skip
_OWN: Final = {
    "ALT": ("alert_id", "alert_modifier", "alert_data"),
    "STT": ("mode", "reason", "number"),
}
_ASSIGNED: Final = {0: "backup_v", 1: "power_v"}
_REQUIRED: Final = ("date", "time", "lat", "lon")
_KEPT: Final = ("model", "version", "rssi", "outputs")
_CELL: Final = ("cell", "mcc", "mnc", "lac")


def read_universal(text: str, at: int, rows: FixRows) -> None:
    """Add the fix of one report as text. Raises DecodeError."""
    kind, *columns = text.split(";")
    if kind not in _MAPPED and kind != _BEACONS:
        raise DecodeError(Reject.UNSUPPORTED, detail=f"{kind:.20}: no report of a position")
    if len(columns) < 3:
        raise DecodeError(Reject.TRUNCATED, at=len(text), detail=f"{kind}: no columns")
    ident = columns.pop(0)
    check_ident(ident, len(kind) + 1)
    mask = _BEACON_MAP
    if kind != _BEACONS:
        sent = columns.pop(0)
        if _MAP.fullmatch(sent) is None:
            detail = f"map: expected hexadecimal, got {sent!r:.20}"
            raise DecodeError(Reject.BAD_VALUE, at=len(kind) + len(ident) + 2, detail=detail)
        mask = int(sent, 16)
    names = [name for bit, name in enumerate(_NAMES) if name and mask >> bit & 1]
    if len(columns) < len(names):
        detail = f"{kind}: expected {len(names)} columns by the map, got {len(columns)}"
        raise DecodeError(Reject.TRUNCATED, at=len(text), detail=detail)
    found = dict(zip(names, columns, strict=False))
    if missing := [name for name in _REQUIRED if not found.get(name)]:
        raise DecodeError(Reject.NO_CONTENT, detail=f"{kind}: no {', '.join(missing)}")
    _check(found)
    extra: dict[str, str | bool] = {"report": kind}
    extra |= {name: found[name] for name in _KEPT if found.get(name)}
    if any(cell := [found.get(name, "") for name in _CELL]):
        extra["cell"] = ";".join(cell)
    if found.get("live") == "0":
        extra["buffered"] = True
    _rest(kind, mask, columns[len(names) :], extra)
    inputs = found.get("inputs", "")
    if inputs:
        extra["inputs"] = inputs
    word = bit_inputs(int(inputs, 2)) if _BITS.fullmatch(inputs) else 0
    rows.add(
        time_us(found["date"], found["time"]),
        float(found["lon"]),
        float(found["lat"]),
        at=at,
        speed_kmh=decimal(found.get("speed", ""), "speed"),
        heading=decimal(found.get("course", ""), "course"),
        satellites=decimal(found.get("satellites", ""), "satellites"),
        ident=ident,
        inputs=word | ALERTS.get(str(extra.get("alert_id", "")), 0),
        quality=int(Quality.NO_POSITION) if found.get("fix") == "0" else 0,
        extra=extra,
    )


def _check(found: dict[str, str]) -> None:
    for name, good in (("date", is_date), ("time", is_clock), ("lat", is_angle), ("lon", is_angle)):
        if not good(found[name]):
            detail = f"{name}: a column of the map does not look like it: {found[name]!r:.40}"
            raise DecodeError(Reject.BAD_VALUE, detail=detail)
    if found.get("fix", "1") not in {"0", "1"}:
        raise DecodeError(Reject.BAD_VALUE, detail=f"fix: expected 0, 1, got {found['fix']!r:.20}")


def _rest(kind: str, mask: int, columns: list[str], extra: dict[str, str | bool]) -> None:
    """Columns behind those that every report has."""
    if kind == "UEX":
        columns = serial_data(columns, extra) if columns else []
    elif kind not in {_BEACONS, "BSA"}:
        for bit, name in enumerate(_OWN.get(kind, _OWN["STT"]), 19):
            if mask >> bit & 1 and columns:
                text = columns.pop(0)
                extra |= {name: text} if text else {}
        if mask >> 22 & 1 and columns:
            columns.pop(0)
        if mask >> 23 & 1 and columns and _MAP.fullmatch(columns[0]):
            assigned = int(columns[0], 16)
            bits = [bit for bit in range(32) if assigned >> bit & 1]
            columns = columns[1:]
            for bit, text in zip(bits, columns, strict=False):
                extra |= {_ASSIGNED.get(bit, f"assigned_{bit}"): text} if text else {}
            columns = columns[len(bits) :]
    if tail := ";".join(columns).strip(";"):
        extra["tail"] = readable(tail)


ZIPPED: Final = {0x81: "STT", 0x82: "ALT", 0x83: "EMG", 0x84: "EVT", 0x85: "UEX"}
_HEAD: Final = Struct(">BH5s3s")
_WIDTHS: Final = (0, 1, 3, 1, 3, 3, 4, 2, 2, 2, 1, 4, 4, 2, 2, 1, 1, 1, 1)
"""Bytes of each column by its bit."""


def read_zipped_universal(data: bytes, rows: FixRows) -> None:
    """Add the fix of one zipped report. Raises DecodeError."""
    if len(data) < _HEAD.size:
        raise DecodeError(Reject.TRUNCATED, at=len(data), detail=f"got {len(data)} bytes")
    kind, length, device, sent = _HEAD.unpack_from(data)
    if kind not in ZIPPED:
        raise DecodeError(Reject.UNSUPPORTED, detail=f"zipped report {kind:02x}")
    if length + 3 != len(data):
        reason = Reject.TRUNCATED if len(data) < length + 3 else Reject.TRAILING_BYTES
        detail = f"length: expected {length + 3} bytes, got {len(data)}"
        raise DecodeError(reason, at=min(length + 3, len(data)), detail=detail)
    ident = device.hex()
    if not ident.isdecimal():
        raise DecodeError(Reject.BAD_VALUE, at=3, detail=f"device: expected digits, got {ident}")
    mask = int.from_bytes(sent, "big")
    found, at = _zipped_columns(data, mask)
    if missing := [name for name in _REQUIRED if name not in found]:
        raise DecodeError(Reject.NO_CONTENT, detail=f"{ZIPPED[kind]}: no {', '.join(missing)}")
    extra: dict[str, str | bool] = {"report": ZIPPED[kind]}
    _keep_zipped(found, extra)
    at = _zipped_own(kind, mask, data, at, extra)
    if tail := data[at:]:
        extra["tail"] = tail.hex()
    word = bit_inputs(found["inputs"][0]) if "inputs" in found else 0
    rows.add(
        instant_us(*found["date"], *found["time"]),
        _signed(found["lon"]),
        _signed(found["lat"]),
        speed_kmh=_hundredths(found.get("speed")),
        heading=_hundredths(found.get("course")),
        satellites=found["satellites"][0] if "satellites" in found else nan,
        ident=ident,
        inputs=word | ALERTS.get(str(extra.get("alert_id", "")), 0),
        quality=int(Quality.NO_POSITION) if found.get("fix") == b"\0" else 0,
        extra=extra,
    )


def _zipped_columns(data: bytes, mask: int) -> tuple[dict[str, bytes], int]:
    """The columns of the map, and where they end."""
    found: dict[str, bytes] = {}
    at = _HEAD.size
    for bit, (name, width) in enumerate(zip(_NAMES, _WIDTHS, strict=True)):
        if width and mask >> bit & 1:
            found[name] = data[at : at + width]
            at += width
    if at > len(data):
        detail = f"map {mask:06x}: its columns end at {at}"
        raise DecodeError(Reject.TRUNCATED, at=len(data), detail=detail)
    return found, at


def _keep_zipped(found: dict[str, bytes], extra: dict[str, str | bool]) -> None:
    """Put into extra what has no column of its own."""
    if "model" in found:
        extra["model"] = str(found["model"][0])
    if "version" in found:
        extra["version"] = ".".join(map(str, found["version"]))
    if cell := b"".join(found.get(name, b"") for name in _CELL):
        extra["cell"] = cell.hex()
    extra |= {
        name: str(int.from_bytes(found[name], "big")) for name in ("rssi", "outputs", "inputs")
        if name in found
    }  # fmt: skip
    if found.get("live") == b"\0":
        extra["buffered"] = True


def _zipped_own(kind: int, mask: int, data: bytes, at: int, extra: dict[str, str | bool]) -> int:
    """Columns of the report's own: an identifier, and one of two bytes; where they end."""
    names = _OWN.get(ZIPPED[kind], _OWN["STT"])
    widths = (1, 2) if ZIPPED[kind] == "ALT" else (1, 1, 2)
    if ZIPPED[kind] == "UEX":
        return at
    for bit, (name, width) in enumerate(zip(names, widths, strict=False), 19):
        if mask >> bit & 1 and at + width <= len(data):
            extra[name] = str(int.from_bytes(data[at : at + width], "big"))
            at += width
    return at


def _signed(raw: bytes) -> float:
    """Millionths of a degree, the highest bit being the sign."""
    value = int.from_bytes(raw, "big")
    return (value & 0x7FFF_FFFF) / (-1e6 if value >> 31 else 1e6)


def _hundredths(raw: bytes | None) -> float:
    return nan if raw is None else int.from_bytes(raw, "big") / 100
