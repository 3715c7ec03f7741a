"""JT/T 808: what the bits of a location's alarms and status mean.

Bits are those of the standard of 2013, with what 2019 added in places that were reserved.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from devices.batch import Input, Quality, inputs_word

TIME_ZONE_US: Final = 8 * 3_600_000_000
"""The standard writes every time in GMT+8 (2013, table 23), wherever the vehicle is."""

ALARMS: Final[dict[int, str]] = {
    0: "sos", 1: "over_speed", 2: "fatigue", 3: "danger", 4: "gnss_fault",
    5: "gnss_antenna_cut", 6: "gnss_antenna_short", 7: "main_power_low", 8: "main_power_cut",
    9: "display_fault", 10: "speech_fault", 11: "camera_fault", 12: "card_reader_fault",
    13: "over_speed_warning", 14: "fatigue_warning", 15: "illegal_driving",
    16: "tyre_pressure", 17: "right_turn_blind_spot", 18: "daily_driving_time",
    19: "parking_time", 20: "area", 21: "route", 22: "route_section_time",
    23: "route_deviation", 24: "speed_sensor_fault", 25: "fuel", 26: "stolen",
    27: "illegal_ignition", 28: "illegal_movement", 29: "collision", 30: "rollover",
    31: "illegal_door_opening",
}  # fmt: skip

ACC: Final = 1 << 0
LOCATED: Final = 1 << 1
SOUTH: Final = 1 << 2
WEST: Final = 1 << 3
DOORS: Final = 0b11111 << 13
MOVING_2019: Final = 1 << 22

STATES: Final[dict[int, str]] = {
    4: "out_of_service", 5: "place_encrypted", 6: "forward_collision_warning",
    7: "lane_departure_warning", 10: "fuel_line_cut", 11: "circuit_cut", 12: "door_locked",
    13: "door_1_open", 14: "door_2_open", 15: "door_3_open", 16: "door_4_open",
    17: "door_5_open", 18: "gps", 19: "beidou", 20: "glonass", 21: "galileo", 22: "moving",
}  # fmt: skip
"""Bits of the status that are neither a column nor an input; 8 and 9 are the load."""

LOADS: Final = {1: "half", 3: "full"}

SIGNALS: Final[dict[int, str]] = {
    0: "low_beam", 1: "high_beam", 2: "right_turn", 3: "left_turn", 4: "brake", 5: "reverse",
    6: "fog", 7: "side_marker", 8: "horn", 9: "air_conditioner", 10: "neutral",
    11: "retarder", 12: "abs", 13: "heater", 14: "clutch",
}  # fmt: skip
AIR_CONDITIONER: Final = 1 << 9

IO: Final[dict[int, str]] = {0: "deep_sleep", 1: "sleep"}

_ALARM_SOS: Final = 1 << 0
_ALARM_POWER_CUT: Final = 1 << 8


class Said(NamedTuple):
    """What the alarms and the status of a fix say."""

    inputs: int
    quality: int
    extra: Mapping[str, Any]


@lru_cache(maxsize=8192)
def said(alarm: int, status: int, is_2019: bool) -> Said:
    """Inputs, quality and extra of the two words. Do not change the extra: it is shared."""
    states = {
        Input.IGNITION: bool(status & ACC),
        Input.DOOR: bool(status & DOORS),
        Input.SOS: bool(alarm & _ALARM_SOS),
        Input.POWER_CUT: bool(alarm & _ALARM_POWER_CUT),
    }
    if is_2019:
        states[Input.MOVEMENT] = bool(status & MOVING_2019)
    extra: dict[str, Any] = {"status": status}
    if alarm:
        extra |= {"alarm": alarm, "alarms": named(alarm, ALARMS)}
    if found := named(status, STATES):
        extra["states"] = found
    if load := LOADS.get(status >> 8 & 3):
        extra["load"] = load
    return Said(inputs_word(states), 0 if status & LOCATED else Quality.NO_POSITION, extra)


def named(word: int, names: Mapping[int, str]) -> list[str]:
    """The names of the bits that are set."""
    return [name for bit, name in names.items() if word >> bit & 1]


@lru_cache(maxsize=4096)
def aircon(signals: int) -> int:
    """The word of inputs that an item of vehicle signals adds."""
    return inputs_word({Input.AIRCON: bool(signals & AIR_CONDITIONER)})
