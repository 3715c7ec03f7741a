"""GT06: frames with a position, by kind and, where makers use one kind twice, by length.

A reader gets the content (between the kind and the serial number) and the device's offset from UTC.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from math import nan
from struct import Struct
from typing import Final

from devices.batch import Input
from devices.errors import DecodeError, Reject
from devices.formats.gt06.gps import (
    GPS,
    LOCATED,
    NORTH,
    WEST,
    Position,
    expect,
    instant,
    place,
    read_gps,
)
from devices.formats.gt06.status import (
    Cells,
    set_alarm,
    set_inputs,
    take_mileage,
    take_modules,
    take_report,
    take_report_or_mileage,
    take_state,
)

Reader = Callable[[bytes, int], Position]

NARROW: Final = Cells()
NARROW_4: Final = Cells(cell=4)
WIDE: Final = Cells(area=4, cell=8)
LONG_NETWORK: Final = Cells(cell=4, long_network=True)

IMEI_BYTES: Final = 8
DATE_BYTES: Final = 6


def imei(raw: bytes) -> str:
    """Fifteen digits in eight bytes of BCD; "" if they are none."""
    digits = raw.hex()
    return digits.lstrip("0") if digits.isdecimal() else ""


def _keep(position: Position, rest: bytes) -> Position:
    if rest:
        position.extra["rest"] = rest.hex()
    return position


def plain(cells: Cells, at: int = 0) -> Reader:
    """Position, cell, and an end of a report or a mileage."""

    def read(content: bytes, zone_us: int) -> Position:
        position = read_gps(content, at, zone_us)
        rest = cells.take(position, content[at + GPS.itemsize :])
        return _keep(position, take_report_or_mileage(position, rest))

    return read


def with_state(cells: Cells, *, has_length: bool = True, has_fence: bool = False) -> Reader:
    """Position, cell behind its length, state, and what there is behind it."""

    def read(content: bytes, zone_us: int) -> Position:
        position = read_gps(content, 0, zone_us)
        tail = content[GPS.itemsize :]
        take = cells.take_behind_length if has_length else cells.take
        rest = take_state(position, take(position, tail))
        if has_fence and rest:
            position.extra["fence"] = rest[0]
            rest = rest[1:]
        return _keep(position, take_report_or_mileage(position, rest))

    return read


def gps_only(content: bytes, zone_us: int) -> Position:
    """Position, and nothing that is known behind it."""
    return _keep(read_gps(content, 0, zone_us), content[GPS.itemsize :])


def with_modules(content: bytes, zone_us: int) -> Position:
    """37: position, cell, report, modules."""
    position = read_gps(content, 0, zone_us)
    rest = take_report(position, NARROW.take(position, content[GPS.itemsize :]))
    return _keep(position, take_modules(position, rest))


def with_cell_kind(content: bytes, zone_us: int) -> Position:
    """38: position, reason and buffered u8, cell by its kind, modules."""
    position = read_gps(content, 0, zone_us)
    tail = content[GPS.itemsize :]
    if len(tail) > 2:
        position.extra["reason"] = tail[0]
        if tail[1]:
            position.extra["buffered"] = True
        tail = tail[2:]
    return _keep(position, take_modules(position, _take_kind_of_cell(position, tail)))


def alarm_with_modules(content: bytes, zone_us: int) -> Position:
    """39: position, cell by its kind, state, modules."""
    position = read_gps(content, 0, zone_us)
    rest = _take_kind_of_cell(position, content[GPS.itemsize :])
    return _keep(position, take_modules(position, take_state(position, rest)))


def _take_kind_of_cell(position: Position, tail: bytes) -> bytes:
    """Kind u8 (from 3 on: fourth generation, wide), cell, signal (u16 if wide, else u8)."""
    if not tail:
        return tail
    cells, signal = (WIDE, 2) if tail[0] >= 3 else (NARROW, 1)
    if len(tail) < 1 + cells.size(tail[1:]) + signal:
        return tail
    rest = cells.take(position, tail[1:])
    position.extra["cell_signal"] = int.from_bytes(rest[:signal])
    return rest[signal:]


def with_imei(content: bytes, zone_us: int) -> Position:
    """12 of some makers: IMEI, position, cell, end."""
    position = plain(NARROW, IMEI_BYTES)(content, zone_us)
    position.ident = imei(content[:IMEI_BYTES])
    return position


def with_two_times(content: bytes, zone_us: int) -> Position:
    """22 and 25 of NT trackers: source u8, IMEI, device time, position, cell, state, power.

    The state is state u8, power u16 (0.01 V), battery u8 (0.1 V), signal, alarm and language u8;
    then mileage u24 (m) and hours u24 (minutes). 25 has a cell of four bytes and a driver.
    """
    at = 1 + IMEI_BYTES
    position = read_gps(content, at + DATE_BYTES, zone_us)
    position.ident = imei(content[1:at])
    position.extra["source"] = content[0]
    position.extra["device_time"] = content[at : at + DATE_BYTES].hex()
    tail = content[at + DATE_BYTES + GPS.itemsize :]
    length, rest = (tail[0], tail[1:]) if tail else (0, b"")
    if length == _NARROW_LENGTH:
        rest = NARROW.take(position, rest)
    else:
        NARROW_4.take(position, rest)
        rest = rest[max(length, NARROW_4.size(rest)) :]
    if len(rest) < _NT.size:
        return _keep(position, rest)
    state, power, battery, signal, alarm, language, metres, minutes = _NT.unpack_from(rest)
    set_inputs(position, state)
    set_alarm(position, alarm | language >> 4 << 8)
    position.odometer = float(int.from_bytes(metres))
    position.extra |= {
        "state": state, "power_v": power / 100, "battery_v": battery / 10, "signal": signal,
        "language": language, "minutes": int.from_bytes(minutes),
    }  # fmt: skip
    return _keep(position, rest[_NT.size :])


def with_driver(content: bytes, zone_us: int) -> Position:
    """25: that of NT trackers if an IMEI stands where they have it, else position and cell."""
    if len(content) >= _NT_LEAST and imei(content[1 : 1 + IMEI_BYTES]):
        return with_two_times(content, zone_us)
    return plain(NARROW_4)(content, zone_us)


_NT_LEAST: Final = 1 + IMEI_BYTES + DATE_BYTES + GPS.itemsize + 9
_NT: Final = Struct(">BHBBBB3s3s")
_NARROW_LENGTH: Final = 9


def with_climate(content: bytes, zone_us: int) -> Position:
    """22 of 42 bytes: cell of four bytes, report, mileage, seconds of travel, climate."""
    position = read_gps(content, 0, zone_us)
    rest = take_report(position, NARROW_4.take(position, content[GPS.itemsize :]))
    rest = take_mileage(position, rest)
    seconds, temperature, humidity = _CLIMATE.unpack(rest)
    degrees = temperature & 0x7FFF
    position.extra |= {
        "travel_s": seconds,
        "temperature_c": (-degrees if temperature >> 15 else degrees) / 100,
        "humidity_pct": humidity / 100,
    }
    return position


_CLIMATE: Final = Struct(">IHH")


def with_long_network(content: bytes, zone_us: int) -> Position:
    """31 of 37 bytes: cell with a long network, report, mileage, altitude i16."""
    position = read_gps(content, 0, zone_us)
    rest = take_report(position, LONG_NETWORK.take(position, content[GPS.itemsize :]))
    rest = take_mileage(position, rest)
    position.altitude = int.from_bytes(rest, signed=True)
    return position


def state_with_long_network(content: bytes, zone_us: int) -> Position:
    """32 of 34 or 36 bytes: cell with a long network, state, altitude i16."""
    position = read_gps(content, 0, zone_us)
    rest = LONG_NETWORK.take_behind_length(position, content[GPS.itemsize :])
    rest = take_state(position, rest)
    if len(rest) == 2:
        position.altitude = int.from_bytes(rest, signed=True)
        rest = b""
    return _keep(position, rest)


def with_power(content: bytes, zone_us: int) -> Position:
    """24 of 41 bytes: cell, ignition u8, power and battery u16 (0.01 V)."""
    position = read_gps(content, 0, zone_us)
    rest = NARROW.take(position, content[GPS.itemsize :])
    if len(rest) < _POWER.size:
        return _keep(position, rest)
    ignition, power, battery = _POWER.unpack_from(rest)
    position.inputs[Input.IGNITION] = bool(ignition)
    position.extra |= {"power_v": power / 100, "battery_v": battery / 100}
    return _keep(position, rest[_POWER.size :])


_POWER: Final = Struct(">BHH")


def with_voltage(content: bytes, zone_us: int) -> Position:
    """12 of 31 or 38 bytes: cell, state u8, power u16 (0.01 V), signal u8, alarm u8."""
    position = read_gps(content, 0, zone_us)
    rest = NARROW.take(position, content[GPS.itemsize :])
    if len(rest) < _VOLTAGE.size:
        return _keep(position, rest)
    state, power, signal, alarm = _VOLTAGE.unpack_from(rest)
    set_inputs(position, state)
    set_alarm(position, alarm)
    position.extra |= {"state": state, "power_v": power / 100, "signal": signal}
    return _keep(position, rest[_VOLTAGE.size :])


_VOLTAGE: Final = Struct(">BHBB")


def with_card(content: bytes, zone_us: int) -> Position:
    """17 of 35 bytes: cell, card of eight bytes, validity u8."""
    position = read_gps(content, 0, zone_us)
    rest = NARROW.take(position, content[GPS.itemsize :])
    position.extra["card"] = rest[:8].hex()
    return _keep(position, rest[8:])


def with_terminal(content: bytes, zone_us: int) -> Position:
    """a2 of 59 bytes: wide cell, network, state u8, power u16, battery u8, signal, alarm, language.

    Then mileage u32 (m), seconds u32, terminal of 8 bytes, inputs u16.
    """
    position = read_gps(content, 0, zone_us)
    rest = WIDE.take(position, content[GPS.itemsize :])
    if len(rest) < _TERMINAL.size:
        return _keep(position, rest)
    (network, state, power, battery, signal, alarm, language, metres, seconds, terminal,
     inputs) = _TERMINAL.unpack_from(rest)  # fmt: skip
    set_inputs(position, state)
    set_alarm(position, alarm)
    position.odometer = float(metres)
    position.extra |= {
        "network": network, "state": state, "power_v": power / 100, "battery_level": battery,
        "signal": signal, "language": language, "seconds": seconds, "terminal": terminal.hex(),
        "inputs": inputs,
    }  # fmt: skip
    return _keep(position, rest[_TERMINAL.size :])


_TERMINAL: Final = Struct(">BBHBBBBII8sH")


def with_ports(content: bytes, zone_us: int) -> Position:
    """34: flags u32, position, terminal u16, mileage u32, cell of four bytes, driver, voltages."""
    position = read_gps(content, 4, zone_us)
    at = 4 + GPS.itemsize
    position.extra["flags"] = int.from_bytes(content[:4])
    position.extra["terminal"] = int.from_bytes(content[at : at + 2])
    rest = take_mileage(position, content[at + 2 :])
    rest = NARROW_4.take(position, rest)
    if len(rest) < _PORTS.size:
        return _keep(position, rest)
    driver, battery, power = _PORTS.unpack_from(rest)
    if driver:
        position.extra["card"] = f"{driver:08x}"
    position.extra |= {"battery_v": battery / 100, "power_v": power / 100}
    return _keep(position, rest[_PORTS.size :])


_PORTS: Final = Struct(">IHH")


def with_hours(content: bytes, zone_us: int) -> Position:
    """36 of 48 bytes: cell of four bytes, report, mileage, power, battery, minutes u24, card."""
    position = read_gps(content, 0, zone_us)
    rest = take_report(position, NARROW_4.take(position, content[GPS.itemsize :]))
    rest = take_mileage(position, rest)
    power, battery, minutes, card = _HOURS.unpack(rest)
    position.extra |= {
        "power_v": power / 100, "battery_v": battery / 10, "minutes": int.from_bytes(minutes),
    }  # fmt: skip
    if any(card):
        position.extra["card"] = card.hex()
    return position


_HOURS: Final = Struct(">HB3s8s")


def with_button(content: bytes, zone_us: int) -> Position:
    """61: IMEI, position, cell of four bytes, number of an iButton."""
    position = read_gps(content, IMEI_BYTES, zone_us)
    position.ident = imei(content[:IMEI_BYTES])
    rest = NARROW_4.take(position, content[IMEI_BYTES + GPS.itemsize :])
    position.extra["card"] = rest.hex()
    return position


def dashcam_alarm(content: bytes, zone_us: int) -> Position:
    """95: time, place and flags, event u8, data u16, names of files.

    With the marker ffff and a version before them: satellites u8 before the place, speed u16 behind
    the flags, power u16 (0.1 V) before the event.
    """
    marked = content[:2] == b"\xff\xff"
    layout = _MARKED if marked else _UNMARKED
    at = 3 if marked else 0
    expect(content, at + DATE_BYTES + layout.size)
    values = list(layout.unpack_from(content, at + DATE_BYTES))
    satellites = values.pop(0) & 0xF if marked else nan
    lat, lon, flags = values[:3]
    speed, power = values[3:5] if marked else (nan, None)
    event, data = values[-2:]
    east, north = place(lat, lon, flags)
    time = instant(content[at : at + DATE_BYTES], zone_us)
    position = Position(time, east, north, flags, speed_kmh=speed, satellites=satellites)
    position.extra |= {"event": event, "event_data": data}
    if power is not None:
        position.extra["power_v"] = power / 10
    if files := content[at + DATE_BYTES + layout.size :]:
        position.extra["files"] = files.rstrip(b"\0").decode("latin-1")
    return position


_MARKED: Final = Struct(">BIIHHHBH")
_UNMARKED: Final = Struct(">IIHBH")


def with_length(content: bytes, zone_us: int) -> Position:
    """32 and 33 in long frames: time, length u8 of the position, position, cells and wifi."""
    expect(content, DATE_BYTES + 1)
    if not content[DATE_BYTES]:
        raise DecodeError(Reject.UNSUPPORTED, detail="cells or wifi, no position")
    without_length = content[:DATE_BYTES] + content[DATE_BYTES + 1 :]
    return gps_only(without_length, zone_us)


def modular(content: bytes, zone_us: int) -> Position:
    """70: modules of id u16, length u16 and value; 33 is the position, in seconds of UTC."""
    del zone_us
    found = Position(nan, nan, nan, 0)
    _keep(found, take_modules(found, content, 2))
    others = found.extra.pop("modules", {})
    raw = bytes.fromhex(others.pop(f"{_MODULE_GPS:04x}", ""))
    if others:
        found.extra["modules"] = others
    if not raw:
        raise DecodeError(Reject.UNSUPPORTED, detail="70 (modules) without a position")
    expect(raw, _MODULE.size)
    seconds, satellites, altitude, lat, lon, speed, flags = _MODULE.unpack_from(raw)
    found.time = seconds * 1e6
    found.lon, found.lat = place(lat, lon, flags)
    found.satellites, found.altitude = satellites, altitude
    found.speed_kmh, found.flags = speed, flags
    return found


_MODULE_GPS: Final = 0x33
_MODULE: Final = Struct(">IBhIIBH")


def text(content: bytes, zone_us: int) -> Position:
    """21: an answer to a command which says the place in words."""
    said = _TEXT.search(content)
    if said is None:
        raise DecodeError(Reject.UNSUPPORTED, detail="21 (answer to a command) without a position")
    lat, lon, course, speed = (float(said[name]) for name in ("lat", "lon", "course", "speed"))
    try:
        when = datetime.strptime(said["time"].decode(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise DecodeError(Reject.BAD_VALUE, detail=f"time: got {said['time']!r}") from None
    flags = LOCATED
    if said["north"] == b"N":
        flags |= NORTH
    if said["east"] == b"W":
        flags |= WEST
    return Position(
        when.timestamp() * 1e6 - zone_us,
        -lon if flags & WEST else lon,
        lat if flags & NORTH else -lat,
        flags | int(course) % 360,
        speed_kmh=speed,
    )


_TEXT: Final = re.compile(
    rb"Lat:(?P<north>[NS])(?P<lat>\d{1,2}\.\d{1,8}),Lon:(?P<east>[EW])(?P<lon>\d{1,3}\.\d{1,8}),"
    rb"Course:(?P<course>\d{1,3}\.\d{1,4}),Speed:(?P<speed>\d{1,4}\.\d{1,4}),"
    rb"DateTime:(?P<time>\d{4}-\d\d-\d\d +\d\d:\d\d:\d\d)"
)
