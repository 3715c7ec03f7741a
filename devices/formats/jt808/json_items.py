"""JT/T 808 in JSON: the object `extra` of a location, by the gateway's names for the items.

What comes out has the keys of the binary codec. Items that the gateway does not know are in base64
under their decimal ids, or in `custome` if the id is over 224; here they are in hexadecimal under
`items` again. `signal` (25) and `io_status` (2a) are kept there as sent: the gateway counts their
bits from the wrong end.
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final

from devices.formats.jt808.items import MILEAGE_UNIT_M, Items
from devices.json_input import as_number

_RENAMED: Final = {
    "alarm_id": "alarm_event",
    "rssi": "signal",
    "overspeed_alarm": "over_speed",
    "in_out_alarm": "area",
    "carriage_temp": "carriage_c",
}
_TENTHS: Final = {"fuel_meter": "fuel_l", "speed": "recorder_kmh"}
_CUSTOM: Final = "custome"
_FIRST_CUSTOM: Final = "e0"


def read_items(extra: Mapping[str, Any]) -> Items:
    """What the items of one location say. Raises DecodeError."""
    items = Items()
    found = items.extra
    for key, value in extra.items():
        if key == "mileage":
            items.odometer = as_number(value, key) * MILEAGE_UNIT_M
        elif key == "gnss_sat_num":
            items.satellites = as_number(value, key)
        elif key in _TENTHS:
            found[_TENTHS[key]] = as_number(value, key) / 10
        elif key in _RENAMED:
            found[_RENAMED[key]] = value
        elif key == "path_time_alarm" and isinstance(value, dict):
            renamed = {"seconds" if name == "time" else name: one for name, one in value.items()}
            found["route"] = renamed
        elif key == "analog" and isinstance(value, dict) and value.keys() == {"ad0", "ad1"}:
            found["analog"] = [value["ad0"], value["ad1"]]
        elif key == _CUSTOM:
            _take_custom(value, found)
        else:
            _take_other(key, value, found)
    return items


def _take_custom(value: Any, found: dict[str, Any]) -> None:
    if isinstance(value, dict):
        for key, one in value.items():
            _take_other(key, one, found)
    else:
        data = binary(value)
        found.setdefault("items", {})[_FIRST_CUSTOM] = value if data is None else data.hex()


def _take_other(key: str, value: Any, found: dict[str, Any]) -> None:
    """An item under its id, in hexadecimal; anything else as sent."""
    others = found.setdefault("items", {})
    data = binary(value) if key.isdecimal() and key.isascii() and int(key[:4]) <= 255 else None
    if data is None:
        others[key] = value
    else:
        others[f"{int(key):02x}"] = data.hex()


def binary(value: Any) -> bytes | None:
    """The bytes that a text holds in base64; None if it does not."""
    if not isinstance(value, str):
        return None
    try:
        return b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
