"""GT06: frames in which makers gave a kind an end, or a beginning, of their own."""

from struct import Struct
from typing import Final

from devices.batch import Input
from devices.formats.gt06.gps import GPS, Position, read_gps
from devices.formats.gt06.readers import (
    DATE_BYTES,
    IMEI_BYTES,
    LONG_NETWORK,
    NARROW,
    NARROW_4,
    WIDE,
    Reader,
    imei,
    keep,
    plain,
)
from devices.formats.gt06.status import (
    set_alarm,
    set_inputs,
    take_mileage,
    take_report,
    take_state,
)


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
        return keep(position, rest)
    state, power, battery, signal, alarm, language, metres, minutes = _NT.unpack_from(rest)
    set_inputs(position, state)
    set_alarm(position, alarm | language >> 4 << 8)
    position.odometer = float(int.from_bytes(metres))
    position.extra |= {
        "state": state, "power_v": power / 100, "battery_v": battery / 10, "signal": signal,
        "language": language, "minutes": int.from_bytes(minutes),
    }  # fmt: skip
    return keep(position, rest[_NT.size :])


def if_imei(at: int, reader: Reader, other: Reader) -> Reader:
    """`reader` if an IMEI stands at that place of the content, else `other`."""

    def read(content: bytes, zone_us: int) -> Position:
        raw = content[at : at + IMEI_BYTES]
        found = raw[:1] < b"\x10" and imei(raw)
        return (reader if found else other)(content, zone_us)

    return read


_NT: Final = Struct(">BHBBBB3s3s")
_NARROW_LENGTH: Final = 9


def with_climate(content: bytes, zone_us: int) -> Position:
    """22 of 42 bytes: cell of four bytes, report, mileage, seconds of travel, climate."""
    position = read_gps(content, 0, zone_us)
    rest = take_report(position, NARROW_4.take(position, content[GPS.itemsize :]))
    rest = take_mileage(position, rest)
    if len(rest) != _CLIMATE.size:
        return keep(position, rest)
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
    return keep(position, rest)


def with_power(content: bytes, zone_us: int) -> Position:
    """24 of 41 bytes: cell, ignition u8, power and battery u16 (0.01 V)."""
    position = read_gps(content, 0, zone_us)
    rest = NARROW.take(position, content[GPS.itemsize :])
    if len(rest) < _POWER.size:
        return keep(position, rest)
    ignition, power, battery = _POWER.unpack_from(rest)
    position.inputs[Input.IGNITION] = bool(ignition)
    position.extra |= {"power_v": power / 100, "battery_v": battery / 100}
    return keep(position, rest[_POWER.size :])


_POWER: Final = Struct(">BHH")


def with_voltage(content: bytes, zone_us: int) -> Position:
    """12 of 31 or 38 bytes: cell, state u8, power u16 (0.01 V), signal u8, alarm u8."""
    position = read_gps(content, 0, zone_us)
    rest = NARROW.take(position, content[GPS.itemsize :])
    if len(rest) < _VOLTAGE.size:
        return keep(position, rest)
    state, power, signal, alarm = _VOLTAGE.unpack_from(rest)
    set_inputs(position, state)
    set_alarm(position, alarm)
    position.extra |= {"state": state, "power_v": power / 100, "signal": signal}
    return keep(position, rest[_VOLTAGE.size :])


_VOLTAGE: Final = Struct(">BHBB")


def with_card(content: bytes, zone_us: int) -> Position:
    """17 of 35 bytes: cell, card of eight bytes, validity u8."""
    position = read_gps(content, 0, zone_us)
    rest = NARROW.take(position, content[GPS.itemsize :])
    position.extra["card"] = rest[:8].hex()
    return keep(position, rest[8:])


def with_terminal(content: bytes, zone_us: int) -> Position:
    """a2 of 59 bytes: wide cell, network, state u8, power u16, battery u8, signal, alarm, language.

    Then mileage u32 (m), seconds u32, terminal of 8 bytes, inputs u16.
    """
    position = read_gps(content, 0, zone_us)
    rest = WIDE.take(position, content[GPS.itemsize :])
    if len(rest) < _TERMINAL.size:
        return keep(position, rest)
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
    return keep(position, rest[_TERMINAL.size :])


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
        return keep(position, rest)
    driver, battery, power = _PORTS.unpack_from(rest)
    if driver:
        position.extra["card"] = f"{driver:08x}"
    position.extra |= {"battery_v": battery / 100, "power_v": power / 100}
    return keep(position, rest[_PORTS.size :])


_PORTS: Final = Struct(">IHH")


def with_hours(content: bytes, zone_us: int) -> Position:
    """36 of 48 bytes: cell of four bytes, report, mileage, power, battery, minutes u24, card."""
    position = read_gps(content, 0, zone_us)
    rest = take_report(position, NARROW_4.take(position, content[GPS.itemsize :]))
    rest = take_mileage(position, rest)
    if len(rest) != _HOURS.size:
        return keep(position, rest)
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
