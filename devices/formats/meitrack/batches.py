"""Binary batches: CCC, whose positions have one length, and CCE, whose positions have parameters.

CCC: version u16, length of a position u16, positions left in the device u32, positions. CCE: left
u32, count u16, positions of: length u16, index u16, then four groups of parameters with values of
1, 2 and 4 bytes and of any length; a parameter is one byte, or `FE` and one more. Everything is
little-endian; times are seconds since 2000-01-01 UTC.
"""

from struct import Struct
from typing import Final

from devices.batch import Quality
from devices.errors import DecodeError, Reject
from devices.formats.meitrack.frame import Frame, event_inputs
from devices.rows import FixRows

_CCC: Final = Struct("<HHI")
_POSITION: Final = Struct("<BiiIBBBHHHhII4HHHHHI")
_CCE: Final = Struct("<IH")
_ITEM: Final = Struct("<HH")
_2000_S: Final = 946_684_800
_PREFIX: Final = 0xFE


def read_ccc(frame: Frame, rows: FixRows) -> None:
    """Add the fixes of a CCC frame. Raises DecodeError."""
    data, start = frame.data, frame.data_at
    if len(data) < _CCC.size:
        raise DecodeError(Reject.TRUNCATED, at=start, detail=f"CCC: {len(data)} bytes")
    version, length, left = _CCC.unpack_from(data)
    count, over = divmod(len(data) - _CCC.size, max(length, 1))
    if length < _POSITION.size or over or not count:
        detail = f"CCC: positions of {length} bytes do not fit into {len(data) - _CCC.size}"
        raise DecodeError(Reject.BAD_VALUE, at=start, detail=detail)
    for at in range(_CCC.size, len(data), length):
        (
            event, lat, lon, time, status, satellites, rssi, speed, course, hdop, altitude,
            mileage, run, mcc, mnc, lac, cell, io, analog, battery, power, fence,
        ) = _POSITION.unpack_from(data, at)  # fmt: skip
        extra: dict[str, str | int] = {
            "command": "CCC",
            "version": version,
            "event": event,
            "remaining": left,
            "rssi": rssi,
            "run_time_s": run,
            "cell": f"{mcc}|{mnc}|{lac:04X}|{cell:04X}",
            "io": f"{io:04X}",
            "analog": f"{analog:04X}|{battery:04X}|{power:04X}",
            "fence": fence,
        }
        if rest := data[at + _POSITION.size : at + length]:
            extra["tail"] = rest.hex()
        rows.add(
            (_2000_S + time) * 1e6,
            lon / 1e6,
            lat / 1e6,
            at=start + at,
            speed_kmh=speed,
            heading=course,
            altitude=altitude,
            hdop=hdop / 10,
            satellites=satellites,
            odometer=mileage,
            ident=frame.ident,
            inputs=event_inputs(event, io >> 8),
            quality=0 if status == 1 else int(Quality.NO_POSITION),
            extra=extra,
        )


def read_cce(frame: Frame, rows: FixRows) -> None:
    """Add the fixes of a CCE frame. Raises DecodeError for the rest of it."""
    data, start = frame.data, frame.data_at
    if len(data) < _CCE.size:
        raise DecodeError(Reject.TRUNCATED, at=start, detail=f"CCE: {len(data)} bytes")
    left, count = _CCE.unpack_from(data)
    at = _CCE.size
    if not count:
        raise DecodeError(Reject.NO_CONTENT, at=start, detail="CCE: no positions")
    for _ in range(count):
        if at + _ITEM.size > len(data):
            detail = f"CCE: expected {count} positions"
            raise DecodeError(Reject.TRUNCATED, at=start + at, detail=detail)
        length, index = _ITEM.unpack_from(data, at)
        end = at + 2 + length
        if length < 2 or end > len(data):
            detail = f"CCE: a position of {length} bytes does not fit"
            raise DecodeError(Reject.TRUNCATED, at=start + at, detail=detail)
        try:
            values = _parameters(data, at + _ITEM.size, end)
            _add(values, index, left, frame.ident, start + at, rows)
        except DecodeError as error:
            rows.refuse(error, start + at)
        at = end
    if at != len(data):
        detail = f"CCE: {count} positions end before"
        raise DecodeError(Reject.TRAILING_BYTES, at=start + at, detail=detail)


def _parameters(data: bytes, at: int, end: int) -> dict[int, bytes]:
    """Values by their parameter, from all four groups."""
    values: dict[int, bytes] = {}
    for width in (1, 2, 4, 0):
        if at >= end:
            raise DecodeError(Reject.TRUNCATED, detail="CCE: a group of parameters is missing")
        count = data[at]
        at += 1
        for _ in range(count):
            name = data[at] if at < end else -1
            at += 1
            if name == _PREFIX and at < end:
                name = _PREFIX << 8 | data[at]
                at += 1
            size = width
            if not width and at < end:
                size = data[at]
                at += 1
            if name < 0 or at + size > end:
                raise DecodeError(Reject.TRUNCATED, detail="CCE: a parameter ends too early")
            values[name] = data[at : at + size]
            at += size
    return values


_PLACE: Final = (0x02, 0x03, 0x04)
_NUMBERS: Final = {
    0x01: "event", 0x40: "event", 0x07: "rssi", 0x0D: "run_time_s", 0x14: "outputs",
    0x15: "inputs", 0x16: "adc_1", 0x17: "adc_2", 0x18: "adc_3", 0x19: "battery_cv",
    0x1A: "power_cv", 0x25: "driver_tag",
}  # fmt: skip
"""Parameters that are kept as numbers, as sent: voltages and analogue inputs in hundredths."""
_COLUMNS: Final = frozenset({0x02, 0x03, 0x04, 0x05, 0x06, 0x08, 0x09, 0x0A, 0x0B, 0x0C})


def _add(
    values: dict[int, bytes], index: int, left: int, ident: str, at: int, rows: FixRows
) -> None:
    if missing := [f"{name:02x}" for name in _PLACE if name not in values]:
        detail = f"CCE: parameters {', '.join(missing)} (latitude, longitude, time) are missing"
        raise DecodeError(Reject.NO_CONTENT, detail=detail)
    number = {name: int.from_bytes(value, "little") for name, value in values.items()}
    extra: dict[str, str | int] = {"command": "CCE", "index": index, "remaining": left}
    for name in sorted(values.keys() - _COLUMNS):
        if name in _NUMBERS and len(values[name]) in {1, 2, 4}:
            extra[_NUMBERS[name]] = number[name]
        else:
            extra[f"parameter_{name:02x}"] = values[name].hex()
    event = extra.get("event", 0)
    nan = float("nan")
    rows.add(
        (_2000_S + number[0x04]) * 1e6,
        int.from_bytes(values[0x03], "little", signed=True) / 1e6,
        int.from_bytes(values[0x02], "little", signed=True) / 1e6,
        at=at,
        speed_kmh=number.get(0x08, nan),
        heading=number.get(0x09, nan),
        altitude=int.from_bytes(values[0x0B], "little", signed=True) if 0x0B in values else nan,
        hdop=number[0x0A] / 10 if 0x0A in values else nan,
        satellites=number.get(0x06, nan),
        odometer=number.get(0x0C, nan),
        ident=ident,
        inputs=_inputs(event if isinstance(event, int) else 0, number.get(0x15)),
        quality=0 if number.get(0x05, 1) else int(Quality.NO_POSITION),
        extra=extra,
    )


def _inputs(event: int, wired: int | None) -> int:
    """Inputs of a position; without parameter 15 only what the event says."""
    word = event_inputs(event, wired or 0)
    return word if wired is not None else word & ~event_inputs(0, 0)
