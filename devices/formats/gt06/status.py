"""GT06: what frames say behind the position: the cell, the state of the terminal, reports, modules.

Every reader takes what it knows from `tail`, puts it into the position and gives back what is left,
which the caller keeps in hexadecimal.
"""

from collections.abc import Mapping
from struct import Struct
from typing import Any, Final, NamedTuple

from devices.batch import Input
from devices.formats.gt06.gps import Position

ALARMS: Final[Mapping[int, str]] = {
    0x01: "sos", 0x02: "power_cut", 0x03: "vibration", 0x04: "fence_in", 0x05: "fence_out",
    0x06: "over_speed", 0x09: "moved", 0x0A: "blind_area_in", 0x0B: "blind_area_out",
    0x0C: "power_on", 0x0D: "first_fix", 0x0E: "power_low", 0x0F: "power_protection",
    0x10: "sim_changed", 0x11: "power_off", 0x12: "flight_mode", 0x13: "disassembled",
    0x14: "door", 0x15: "battery_off", 0x16: "sound", 0x17: "false_base_station",
    0x18: "cover_opened", 0x19: "battery_low", 0x20: "deep_sleep", 0x23: "fall",
    0x29: "acceleration", 0x2A: "turn_left", 0x2B: "turn_right", 0x2C: "collision",
    0x30: "braking", 0x32: "pulled_out", 0xFE: "ignition_on", 0xFF: "ignition_off",
}  # fmt: skip
"""Alarms that Concox and Jimi agree on; a code that is not here is kept as a number."""

STATE_ALARMS: Final[Mapping[int, str]] = {
    1: "vibration", 2: "power_cut", 3: "battery_low", 4: "sos",
}  # fmt: skip
"""Alarms in bits 3 to 5 of the terminal's state."""

SOS, POWER_CUT = "sos", "power_cut"

_U16: Final = Struct(">H")
_U32: Final = Struct(">I")
MODULE_BATTERY, MODULE_POWER, MODULE_ODOMETER, MODULE_ACCURACY = 0x18, 0x27, 0x2E, 0x3B


class Cells(NamedTuple):
    """How wide a frame writes area and cell; `long_network`: the network has two bytes."""

    area: int = 2
    cell: int = 3
    long_network: bool = False

    def size(self, tail: bytes) -> int:
        """Bytes of a cell at the start of the tail."""
        return 2 + self._network(tail) + self.area + self.cell

    def _network(self, tail: bytes) -> int:
        # Bit 15 of the country says that the network has two bytes.
        return 2 if self.long_network or (tail and tail[0] & 0x80) else 1

    def take(self, position: Position, tail: bytes) -> bytes:
        """Country, network, area and cell."""
        size = self.size(tail)
        if len(tail) < size:
            return tail
        behind_network = 2 + self._network(tail)
        behind_area = behind_network + self.area
        position.extra["cell"] = [
            _U16.unpack_from(tail)[0] & 0x7FFF,
            int.from_bytes(tail[2:behind_network]),
            int.from_bytes(tail[behind_network:behind_area]),
            int.from_bytes(tail[behind_area:size]),
        ]
        return tail[size:]

    def take_behind_length(self, position: Position, tail: bytes) -> bytes:
        """The same behind its length u8, which counts itself; more cells are skipped with it."""
        if not tail:
            return tail
        length, rest = tail[0], tail[1:]
        size = self.size(rest)
        if length == 0 and (len(rest) < size + STATE_BYTES or any(rest[:size])):
            return rest
        more = max(length - 1 - size, 0)
        behind = self.take(position, rest)
        if more and len(behind) >= more + STATE_BYTES:
            position.extra["cells"] = behind[:more].hex()
            behind = behind[more:]
        return behind


STATE_BYTES: Final = 5


def take_state(position: Position, tail: bytes) -> bytes:
    """State u8, battery u8 (0 to 6), signal u8 (0 to 4), alarm u8, language u8."""
    if len(tail) < STATE_BYTES:
        return tail
    state, battery, signal, alarm, language = tail[:STATE_BYTES]
    position.extra |= {
        "state": state, "battery_level": battery, "signal": signal, "language": language,
    }  # fmt: skip
    set_inputs(position, state)
    # The upper half of the language byte is that of an alarm of more than one byte.
    set_alarm(position, alarm | language >> 4 << 8)
    return tail[STATE_BYTES:]


def set_inputs(position: Position, state: int) -> None:
    """Ignition, charging, sos and power cut of the state: bits 1, 2 and 3 to 5."""
    position.inputs[Input.IGNITION] = bool(state & 2)
    position.inputs[Input.CHARGING] = bool(state & 4)
    name = STATE_ALARMS.get(state >> 3 & 7)
    position.inputs[Input.SOS] = name == SOS
    position.inputs[Input.POWER_CUT] = name == POWER_CUT
    if name:
        position.extra["alarms"] = [name]


def set_alarm(position: Position, code: int) -> None:
    """An alarm by its code; 0 is none."""
    if not code:
        return
    position.extra["alarm"] = code
    name = ALARMS.get(code)
    if name:
        names = position.extra.setdefault("alarms", [])
        if name not in names:
            names.append(name)
    if name == SOS:
        position.inputs[Input.SOS] = True
    elif name == POWER_CUT:
        position.inputs[Input.POWER_CUT] = True


REPORT_BYTES: Final = 3
MILEAGE_BYTES: Final = 4


def take_report(position: Position, tail: bytes) -> bytes:
    """Ignition u8, reason of the report u8, buffered u8."""
    if len(tail) < REPORT_BYTES:
        return tail
    position.inputs[Input.IGNITION] = bool(tail[0])
    position.extra["reason"] = tail[1]
    if tail[2]:
        position.extra["buffered"] = True
    return tail[REPORT_BYTES:]


def take_mileage(position: Position, tail: bytes) -> bytes:
    """Mileage u32 in metres."""
    if len(tail) < MILEAGE_BYTES:
        return tail
    position.odometer = float(_U32.unpack_from(tail)[0])
    return tail[MILEAGE_BYTES:]


def take_report_or_mileage(position: Position, tail: bytes) -> bytes:
    """The ends that there are: none, a mileage, a report, both; anything else is left."""
    if len(tail) == MILEAGE_BYTES:
        return take_mileage(position, tail)
    if len(tail) in {REPORT_BYTES, REPORT_BYTES + MILEAGE_BYTES}:
        return take_mileage(position, take_report(position, tail))
    return tail


def take_modules(position: Position, tail: bytes, length_bytes: int = 1) -> bytes:
    """Modules to the end: id u16, length, value; those that are not known are kept."""
    others: dict[str, Any] = {}
    while len(tail) >= 2 + length_bytes:
        kind = _U16.unpack_from(tail)[0]
        start = 2 + length_bytes
        end = start + int.from_bytes(tail[2:start])
        if len(tail) < end:
            break
        value = tail[start:end]
        number = int.from_bytes(value)
        if (kind, len(value)) == (MODULE_ODOMETER, 4):
            position.odometer = float(number)
        elif (kind, len(value)) in _HUNDREDTHS:
            position.extra[_HUNDREDTHS[kind, len(value)]] = number / 100
        else:
            others[f"{kind:04x}"] = value.hex()
        tail = tail[end:]
    if others:
        position.extra["modules"] = others
    return tail


_HUNDREDTHS: Final = {
    (MODULE_BATTERY, 2): "battery_v",
    (MODULE_POWER, 2): "power_v",
    (MODULE_ACCURACY, 2): "accuracy_m",
}
