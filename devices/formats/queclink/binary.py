"""The two binary forms of @Track.

HEX: `+RSP`, `+EVT` (and buffered `+BSP`, `+BVT`), type u8, mask u32, length u16, device u8, version
u16, firmware u16, identity of 8 bytes, battery (per cent) u8, external power (mV) u16, motion u8,
satellites u8, columns of the type, count of positions u8, positions of `POSITION`, what the mask
adds, time of sending, count u16, CRC-16/CCITT-FALSE from byte 4 to itself, CR LF. Which bits of the
mask stand for which columns differs by device, so only what adds up to the length is read.

TLV: `2B 00`, length u16, flag u8, identity of 8 BCD bytes, device u16, version u16, custom u8,
reserved part, records, count u16, check u8, `$`. Data 0x52 of a record is a position.
"""

import binascii
from struct import Struct
from typing import Any, Final

from devices.batch import Quality
from devices.errors import DecodeError, Reject
from devices.formats.queclink.reports import status_inputs
from devices.formats.queclink.track import points
from devices.rows import FixRows
from devices.text_fields import instant_us

HEX_REPORTS: Final = {b"+RSP": False, b"+EVT": False, b"+BSP": True, b"+BVT": True}
"""Headers of reports with positions, and whether they were buffered."""

HEX_OTHERS: Final = frozenset({b"+INF", b"+BNF", b"+ACK", b"+HBD", b"+CRD", b"+BRD", b"+LGN"})
"""Headers of what has no position: information, acknowledgements, heartbeats, crash data, login."""

_HEAD: Final = Struct(">4sBIHBHH8sBHBB")
POSITION: Final = Struct(">BHBHhiiHBBBBBHHHHB")
"""Accuracy, speed in km/h and tenths, azimuth, altitude, longitude and latitude in millionths,
year, month, day, hour, minute, second, country, network, area, cell, reserved."""
_FOOT: Final = Struct(">HBBBBBHH2s")
_MILEAGE: Final = Struct(">HBIB3s6s")
"""Mileage of the trip and in all, each in km and tenths; hours of both."""

_UNIT: Final = slice(16, 24)
_SATELLITES_AT: Final = _HEAD.size - 1
_COUNT: Final = Struct(">H")
_CELL: Final = Struct(">HHHH")
_CELL_BYTES: Final = _CELL.size + 1
_EVENTS: Final = frozenset({b"EV", b"BV"})
_PLAIN_EVENT: Final = (1, _MILEAGE.size)
"""Positions of an event without columns of its own, and how many bytes stand behind."""

_COMPRESSED: Final = 100
_RSP_INDEX_AND_PHONE: Final = 3
_RSP_FENCE: Final = 8
_EVENT_BYTES: Final = {
    6: 2, 45: 7, 46: 7, 15: 3, 17: 4, 21: 5, 26: 12, 31: 2, 35: 1, 33: 1, 23: 1, 34: 3,
}  # fmt: skip
"""Columns of an event's own before its position, in bytes: battery voltage (6), ignition (45, 46),
update (15), idling (17), GPS signal (21), fences (26), jamming (31, 33), roaming (35), crash (23),
configuration (34)."""


def read_hex(data: bytes, rows: FixRows) -> None:
    """Add the fixes of one HEX frame. Raises DecodeError."""
    header = data[:4]
    if header in HEX_OTHERS:
        detail = f"{header.decode()}: a frame without a position"
        raise DecodeError(Reject.UNSUPPORTED, detail=detail)
    if len(data) < _HEAD.size + POSITION.size + _FOOT.size:
        detail = f"{header.decode()}: the frame ends after {len(data)} bytes"
        raise DecodeError(Reject.TRUNCATED, at=len(data), detail=detail)
    _check_hex(data)
    kind = data[4]
    shared = _shared(header, data)
    ident, name = _identity(data[_UNIT])
    if name:
        shared["device_name"] = name
    if kind == _COMPRESSED and header[1:3] not in _EVENTS:
        _read_track(data, rows, ident, shared)
        return
    position = _HEAD.size + _own_columns(header, kind, data)
    count = data[position]
    position += 1
    end = len(data) - _FOOT.size
    rest = end - position - count * POSITION.size
    if not count or rest < 0:
        detail = f"{count} positions do not fit into {len(data)} bytes"
        raise DecodeError(Reject.BAD_VALUE, at=position - 1, detail=detail)
    if header[1:3] in _EVENTS and kind not in _EVENT_BYTES and (count, rest) != _PLAIN_EVENT:
        raise DecodeError(Reject.UNSUPPORTED, at=4, detail=f"event {kind}: unknown columns")
    if own := data[_HEAD.size : position - 1]:
        shared["head"] = own.hex()
    odometer = _odometer(data[end - rest : end], shared)
    for at in range(position, position + count * POSITION.size, POSITION.size):
        _add_hex(data, at, rows, ident, odometer, shared)


def _shared(header: bytes, data: bytes) -> dict[str, Any]:
    """What all positions of a frame have in common."""
    _, kind, mask, _, device, version, firmware, _, battery, power, motion, _ = _HEAD.unpack_from(
        data
    )
    *sent, number, _, _ = _FOOT.unpack_from(data, len(data) - _FOOT.size)
    shared: dict[str, Any] = {
        "report": f"{header[1:].decode().lower()}_{kind}",
        "protocol": f"{device:02X}{version:04X}",
        "firmware": f"{firmware:04X}",
        "mask": f"{mask:08X}",
        "battery_percent": str(battery),
        "power_mv": str(power),
        "motion_state": f"{motion:02X}",
        "sent": "".join(f"{part:02}" for part in sent),
        "count": f"{number:04X}",
    }
    if HEX_REPORTS[header]:
        shared["buffered"] = True
    return shared


def _read_track(data: bytes, rows: FixRows, ident: str, shared: dict[str, Any]) -> None:
    """Positions of a second each, in steps; behind them the cell, and mileages."""
    start, end = _HEAD.size + _COUNT.size, len(data) - _FOOT.size
    (count,) = _COUNT.unpack_from(data, _HEAD.size)
    found, missing, behind = points(data, start, end, count)
    if not found:
        raise DecodeError(Reject.NO_CONTENT, at=start, detail="a track without positions")
    if missing:
        shared["points_missing"] = missing
    if end - behind >= _CELL_BYTES:
        shared["cell"] = _cell(*_CELL.unpack_from(data, behind))
        behind += _CELL_BYTES
    odometer = _odometer(data[behind:end], shared)
    for point in found:
        rows.add(
            point.time * 1e6,
            point.lon / 1e6,
            point.lat / 1e6,
            at=point.at,
            speed_kmh=point.speed / 10,
            heading=point.azimuth,
            satellites=data[_SATELLITES_AT],
            odometer=odometer if point is found[-1] else float("nan"),
            ident=ident,
            inputs=status_inputs(shared["motion_state"]),
            extra=shared,
        )


def _check_hex(data: bytes) -> None:
    length = _HEAD.unpack_from(data)[3]
    if length != len(data):
        reason = Reject.TRUNCATED if len(data) < length else Reject.TRAILING_BYTES
        detail = f"length: expected {length} bytes, got {len(data)}"
        raise DecodeError(reason, at=min(length, len(data)), detail=detail)
    sent, found = int.from_bytes(data[-4:-2], "big"), binascii.crc_hqx(data[4:-4], 0xFFFF)
    if sent != found:
        detail = f"crc: expected {found:04x}, got {sent:04x}"
        raise DecodeError(Reject.BAD_CHECKSUM, at=len(data) - 4, detail=detail)


def _own_columns(header: bytes, kind: int, data: bytes) -> int:
    """How many bytes of a type's own stand before the count of positions."""
    if header[1:3] in _EVENTS:
        return _EVENT_BYTES.get(kind, 0)
    if kind != _RSP_INDEX_AND_PHONE:
        return 3 if kind == _RSP_FENCE else 1
    at = _HEAD.size + 2
    for size, digits in enumerate(data[at : at + 16], 1):
        if digits & 0xF == 0xF or digits >> 4 == 0xF:
            return 2 + size
    raise DecodeError(Reject.BAD_VALUE, at=at, detail="phone: expected a filling half-byte")


def _identity(unit: bytes) -> tuple[str, str]:
    """(IMEI, name): bytes of two decimal digits each and one at the end; else the device's name."""
    if max(unit[:7]) < 100 and unit[7] < 10:
        return "".join(f"{byte:02}" for byte in unit[:7]) + str(unit[7]), ""
    name = unit.rstrip(b"\0").decode("latin-1")
    return "", name if name.isprintable() else unit.hex()


def _cell(mcc: int, mnc: int, lac: int, cell: int) -> str:
    return f"{mcc:04X},{mnc:04X},{lac:04X},{cell:04X}"


def _odometer(rest: bytes, shared: dict[str, Any]) -> float:
    """Metres, where the part behind the positions has the width of mileages and hours."""
    if len(rest) != _MILEAGE.size:
        if rest:
            shared["tail"] = rest.hex()
        return float("nan")
    trip, trip_tenths, total, total_tenths, trip_hours, hours = _MILEAGE.unpack(rest)
    shared["trip_m"] = trip * 1000 + trip_tenths * 100
    shared["trip_hours"] = trip_hours.hex()
    shared["hour_meter"] = hours.hex()
    return float(total * 1000 + total_tenths * 100)


def _add_hex(
    data: bytes,
    at: int,
    rows: FixRows,
    ident: str,
    odometer: float,
    shared: dict[str, Any],
) -> None:
    (accuracy, speed, tenths, azimuth, altitude, lon, lat, year, *clock, mcc, mnc, lac, cell, _) = (
        POSITION.unpack_from(data, at)
    )
    rows.add(
        instant_us(year, *clock),
        lon / 1e6,
        lat / 1e6,
        at=at,
        speed_kmh=speed + tenths / 10,
        heading=azimuth,
        altitude=altitude,
        hdop=accuracy or float("nan"),
        satellites=data[_SATELLITES_AT],
        odometer=odometer,
        ident=ident,
        inputs=status_inputs(shared["motion_state"]),
        quality=0 if accuracy else int(Quality.NO_POSITION),
        extra=shared | {"cell": _cell(mcc, mnc, lac, cell)},
    )


_TLV_HEAD: Final = Struct(">BBHB")
_RECORD: Final = Struct(">IHBB")
_PLACE: Final = Struct(">BiiIHBH3sB")
_PLACE_DATA: Final = 0x52
_FIXED: Final = 0b10


def read_tlv(data: bytes, rows: FixRows) -> None:
    """Add the fixes of one frame of records. Raises DecodeError."""
    if len(data) < _TLV_HEAD.size + 18:
        raise DecodeError(Reject.TRUNCATED, at=len(data), detail=f"got {len(data)} bytes")
    _, _, length, flag = _TLV_HEAD.unpack_from(data)
    if length != len(data):
        reason = Reject.TRUNCATED if len(data) < length else Reject.TRAILING_BYTES
        detail = f"length: expected {length} bytes, got {len(data)}"
        raise DecodeError(reason, at=min(length, len(data)), detail=detail)
    if data[-1:] != b"$":
        detail = f"expected $ at the end, got {data[-1:]!r}"
        raise DecodeError(Reject.BAD_SYNTAX, at=len(data) - 1, detail=detail)
    at = _TLV_HEAD.size + (2 if flag & 0x80 else 0)
    ident = data[at : at + 8].hex()[1:]
    if not ident.isdecimal():
        raise DecodeError(Reject.BAD_VALUE, at=at, detail=f"identity: expected digits, got {ident}")
    shared = {
        "protocol": data[at + 8 : at + 12].hex().upper(),
        "count": data[-4:-2].hex().upper(),
    }
    at += 13
    at += 1 + data[at]
    end = len(data) - 4
    found = 0
    while at < end:
        size, body = _variable(data, at, end)
        if at + size > end or body + _RECORD.size > at + size:
            detail = f"a record of {size} bytes does not fit"
            raise DecodeError(Reject.TRUNCATED, at=at, detail=detail)
        found += _read_record(data, body, at + size, ident, shared, rows)
        at += size
    if not found:
        raise DecodeError(Reject.UNSUPPORTED, detail="records without a position")


def _variable(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number of one byte, or of two if the first has its high bit; and what is behind it."""
    if at >= end or (data[at] & 0x80 and at + 1 >= end):
        raise DecodeError(Reject.TRUNCATED, at=at, detail="a record ends within a number")
    if data[at] & 0x80:
        return (data[at] & 0x7F) << 8 | data[at + 1], at + 2
    return data[at], at + 1


def _read_record(
    data: bytes, at: int, end: int, ident: str, shared: dict[str, str], rows: FixRows
) -> int:
    """Add the positions of a record; how many there were."""
    made, number, record, event = _RECORD.unpack_from(data, at)
    values: dict[int, tuple[int, bytes]] = {}
    at += _RECORD.size
    while at < end:
        name, at = _variable(data, at, end)
        size, at = _variable(data, at, end)
        if at + size > end:
            detail = f"data {name:02x} of {size} bytes does not fit"
            raise DecodeError(Reject.TRUNCATED, at=at, detail=detail)
        values[name] = at, data[at : at + size]
        at += size
    if _PLACE_DATA not in values:
        return 0
    place_at, place = values.pop(_PLACE_DATA)
    if len(place) < _PLACE.size:
        detail = f"position: expected {_PLACE.size} bytes, got {len(place)}"
        raise DecodeError(Reject.BAD_VALUE, at=place_at, detail=detail)
    state, lon, lat, time, speed, hdop, heading, altitude, satellites = _PLACE.unpack_from(place)
    rest = {f"data_{name:02x}": value.hex() for name, (_, value) in sorted(values.items())}
    rows.add(
        time * 1e6,
        lon / 1e6,
        lat / 1e6,
        at=place_at,
        speed_kmh=speed / 10,
        heading=heading,
        altitude=int.from_bytes(altitude, "big", signed=True) / 10,
        hdop=hdop / 10,
        satellites=satellites,
        ident=ident,
        quality=0 if state >> 2 & 0b11 == _FIXED else int(Quality.NO_POSITION),
        extra=shared
        | {"made": made, "record": record, "event": event, "record_count": number}
        | rest,
    )
    return 1
