"""Zipped reports of the ST300 family: the columns of its text as bytes, between 02 and 03.

02, length u16 (without these three bytes and the 03), report u8, device (9 BCD digits and a zero),
model u8, version u16, date and time (6 bytes), cell (3 bytes), latitude and longitude (degrees,
three BCD bytes of millionths), speed and course (u16, one BCD byte of hundredths), flags and
satellites u8, distance u32, voltage (u8, BCD hundredths), inputs u8, columns of the report, 03.
"""

from struct import Struct
from typing import Final

from devices.batch import Quality
from devices.errors import DecodeError, Reject
from devices.formats.suntech.columns import ALERTS, EMERGENCIES, bit_inputs
from devices.rows import FixRows
from devices.text_fields import instant_us

_REPORT: Final = Struct(">BHB5sBH6s3sB3sB3sH1sH1sBIB1sB")
_REPORTS: Final = {0x10: "STT", 0x11: "EMG", 0x12: "EVT", 0x13: "ALT", 0x16: "UEX"}
_HOURS_BYTES: Final = 7
_FIXED, _SOUTH, _WEST = 0x80, 0x40, 0x20
_SATELLITES: Final = 0x1F


def read_zipped(data: bytes, rows: FixRows) -> None:
    """Add the fix of one zipped report. Raises DecodeError."""
    if len(data) < _REPORT.size + 2:
        raise DecodeError(Reject.TRUNCATED, at=len(data), detail=f"got {len(data)} bytes")
    (
        _, length, kind, device, model, version, clock, cell, lat, lat_part, lon, lon_part,
        speed, speed_part, course, course_part, flags, distance, volts, volts_part, inputs,
    ) = _REPORT.unpack_from(data)  # fmt: skip
    if length + 4 != len(data):
        reason = Reject.TRUNCATED if len(data) < length + 4 else Reject.TRAILING_BYTES
        detail = f"length: expected {length + 4} bytes, got {len(data)}"
        raise DecodeError(reason, at=min(length + 4, len(data)), detail=detail)
    if data[-1] != 3:
        detail = f"expected 03 at the end, got {data[-1]:02x}"
        raise DecodeError(Reject.BAD_SYNTAX, at=len(data) - 1, detail=detail)
    if kind not in _REPORTS:
        raise DecodeError(Reject.UNSUPPORTED, at=3, detail=f"zipped report {kind:02x}")
    ident = device.hex()[:9]
    if not ident.isdecimal():
        raise DecodeError(Reject.BAD_VALUE, at=4, detail=f"device: expected digits, got {ident}")
    extra: dict[str, str | bool] = {
        "report": f"zip_{_REPORTS[kind]}",
        "model": f"{model:02X}",
        "version": f"{version:04X}",
        "cell": cell.hex(),
        "power_v": f"{volts}.{volts_part.hex()}",
        "io": f"{inputs:08b}",
    }
    said = _own(_REPORTS[kind], data[_REPORT.size : -1], extra)
    rows.add(
        instant_us(*clock),
        (lon + _bcd(lon_part)) * (-1 if flags & _WEST else 1),
        (lat + _bcd(lat_part)) * (-1 if flags & _SOUTH else 1),
        speed_kmh=speed + _bcd(speed_part),
        heading=course + _bcd(course_part),
        satellites=flags & _SATELLITES,
        odometer=distance,
        ident=ident,
        inputs=bit_inputs(inputs & 0x0F) | said,
        quality=0 if flags & _FIXED else int(Quality.NO_POSITION),
        extra=extra,
    )


def _bcd(part: bytes) -> float:
    """Decimals behind the point, two a byte. Raises DecodeError."""
    digits = part.hex()
    if not digits.isdecimal():
        raise DecodeError(Reject.BAD_VALUE, detail=f"decimals: expected digits, got {digits}")
    return int(digits) / float(10 ** len(digits))


def _own(kind: str, rest: bytes, extra: dict[str, str | bool]) -> int:
    """Columns of the report and the hours behind them; the inputs that it says by its number."""
    inputs = 0
    if kind == "STT" and len(rest) >= 3:
        extra["mode"], extra["number"] = str(rest[0]), rest[1:3].hex()
        rest = rest[3:]
    elif kind == "UEX" and len(rest) >= 2:
        size = int.from_bytes(rest[:2], "big")
        extra["data"] = rest[2 : 2 + size].hex()
        rest = rest[3 + size :]
    elif rest:
        name = {"EMG": "emergency_id", "EVT": "event_id", "ALT": "alert_id"}.get(kind, "own")
        number = str(rest[0])
        extra[name] = number
        inputs = {"EMG": EMERGENCIES, "ALT": ALERTS}.get(kind, {}).get(number, 0)
        rest = rest[1:]
    if len(rest) == _HOURS_BYTES:
        extra["hour_meter"] = rest[:4].hex()
        extra["backup_v"] = f"{rest[4]}.{rest[5]:02x}"
        if not rest[6]:
            extra["buffered"] = True
    elif rest:
        extra["tail"] = rest.hex()
    return inputs
