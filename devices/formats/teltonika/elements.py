"""Teltonika's AVL elements that have a column or an input here; the same ids in binary and JSON.

Ids, units and scales are those of the FMB AVL ID list (docs/codecs/teltonika.md). Every element,
known or not, is kept in `extra` under "io" as the device sent it.
"""

from collections.abc import Mapping
from math import nan
from typing import Any, Final, NamedTuple

from devices.batch import Input
from devices.input_names import OFF, ON

HDOP: Final = 182
HDOP_UNIT: Final = 0.1
ODOMETER_M: Final = 16

INPUTS: Final[dict[int, Input]] = {
    1: Input.DIN_1,
    2: Input.DIN_2,
    3: Input.DIN_3,
    4: Input.DIN_4,
    239: Input.IGNITION,
    240: Input.MOVEMENT,
    252: Input.POWER_CUT,  # "unplug": external power is gone
}

_WORDS: Final = [
    (element, OFF[str(bit.name).lower()], ON[str(bit.name).lower()])
    for element, bit in INPUTS.items()
]


class Measured(NamedTuple):
    """The columns that elements fill."""

    hdop: float
    odometer: float
    inputs: int


def measured(io: Mapping[int, Any]) -> Measured:
    """Columns from a record's elements (id to number; text is ignored)."""
    word = 0
    for element, off, on in _WORDS:
        state = io.get(element)
        if state is not None:
            word |= on if state else off
    hdop, odometer = io.get(HDOP), io.get(ODOMETER_M)
    return Measured(
        nan if hdop is None or isinstance(hdop, str) else hdop * HDOP_UNIT,
        nan if odometer is None or isinstance(odometer, str) else float(odometer),
        word,
    )


def elements(inputs: Mapping[Input, bool], hdop: float, odometer: float) -> dict[int, int]:
    """The elements that say this; the reverse of `measured`. NaN is left out."""
    io = {element: int(inputs[bit]) for element, bit in INPUTS.items() if bit in inputs}
    if hdop == hdop:  # noqa: PLR0124 not NaN
        io[HDOP] = min(round(hdop / HDOP_UNIT), 0xFFFF)
    if odometer == odometer:  # noqa: PLR0124
        io[ODOMETER_M] = min(round(odometer), 0xFFFF_FFFF)
    return io
