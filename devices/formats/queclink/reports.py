"""Reports of @Track by type: which columns stand before and behind the positions.

Belongs here: tables. A report is `+RESP:GTxxx` or `+BUFF:GTxxx`, protocol version, identity, device
name, columns of the type, positions, more columns, time of sending, count. Which columns there are
differs by type, device and version; the first two hexadecimal digits of the version name the
device. Columns that no table names are kept as text.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from devices.batch import Input, inputs_word

POSITIONLESS: Final = frozenset({
    "ALC", "ALL", "ALM", "ALS", "AUR", "BAT", "BSI", "CFG", "CID", "CMD", "CSN", "CSQ", "CVN",
    "DTT", "FSC", "GIR", "GOT", "GPS", "GSM", "GSV", "HBD", "INF", "LBS", "MSI", "PDP", "PFA",
    "PNA", "PFR", "QSS", "RTP", "SCS", "SRI", "TMZ", "TRF", "UPD", "VER", "WIF", "XIF", "ATI",
})  # fmt: skip
"""Reports that by their kind carry no position: settings, states, cell towers, access points."""

HEADS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "STT": (("state",),),
    "IGN": (("duration_s",), ("", "report_type", "duration_s")),
    "IGF": (("duration_s",), ("", "report_type", "duration_s")),
    "VGN": (("", "report_type", "duration_s"), ("report_type", "duration_s")),
    "VGF": (("", "report_type", "duration_s"), ("report_type", "duration_s")),
    "IDF": (("motion_state", "duration_s"),),
    "BPL": (("battery_v",),),
    "BTC": ((),),
    "STC": (("",), ()),
    "LSW": (("report_type", "state"),),
    "TSW": (("report_type", "state"),),
    "JDS": (("state", ""), ("state",)),
    "GSS": (("state", "satellites_in_view", "", ""),),
    "TMP": (("alarm_type", "temperature_c"),),
    "STR": (("", "", "motion_state", "temperature_c", "battery_percent"),),
    "CTN": (("", "", "motion_state", "temperature_c", "battery_percent"),),
    "IDA": (("", "driver_tag", "report_type", "number"),),
    "DAR": (("warning_type", "fatigue_degree", "", ""),),
    "DAT": (("report_type", "", "", "data"),),
}
"""Columns between the device name and the position, by type and number; "" is a reserved one."""

_POINT_HEADS: Final[tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]] = (
    (
        re.compile(r"[0-9]*,[0-9A-F]{2},[0-9]{1,2}", re.ASCII),
        ("power_mv", "report_type", "number"),
    ),
    (re.compile(r"[0-9],[0-9A-F],[0-9]{1,2}", re.ASCII), ("report_id", "report_type", "number")),
    (
        re.compile(r"[^,]*,[0-9]*,[0-9A-F]{2},[0-9]{1,2}", re.ASCII),
        ("device_name", "power_mv", "report_type", "number"),
    ),
)
_MASKED_HEADS: Final[tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]] = (
    (
        re.compile(r"[0-9A-F]{8},[0-9]*,[0-9A-F]{2},[0-9]{1,2}", re.ASCII),
        ("mask", "power_mv", "report_type", "number"),
    ),
    (
        re.compile(r"[0-9A-F]{8},[0-9],[0-9],[0-9]{1,2}", re.ASCII),
        ("mask", "report_id", "report_type", "number"),
    ),
)
"""Columns of reports of several positions (FRI, GEO, SPD, SOS, ...) and of ERI, by their look."""

COUNTED: Final = frozenset({"FRI", "ERI"})
"""Reports whose column `number` says how many positions follow."""


def head_columns(kind: str, head: list[str]) -> dict[str, str]:
    """Columns before the first position by name; all of them as `head` if no table fits."""
    names: tuple[str, ...] | None = None
    for layout in HEADS.get(kind, ()):
        if len(layout) == len(head):
            names = layout
    if names is None and kind not in HEADS:
        text = ",".join(head)
        for pattern, layout in _MASKED_HEADS if kind == "ERI" else _POINT_HEADS:
            if pattern.fullmatch(text):
                names = layout
    if names is None:
        return {"head": ",".join(head)} if any(head) else {}
    found = {name: text for name, text in zip(names, head, strict=True) if name and text}
    unnamed = [text for name, text in zip(names, head, strict=True) if not name and text]
    return found | ({"head": ",".join(unnamed)} if unnamed else {})


class Tail(NamedTuple):
    """What the columns behind a position say; `rest` is what no table names."""

    odometer_km: str
    satellites: str
    status: str
    extra: dict[str, str]


_CELL: Final = re.compile(r"[0-9]{3,4},[0-9]{1,4},[0-9A-Fa-f]{2,8},[0-9A-Fa-f]{2,10}", re.ASCII)
_APPENDED: Final = ("satellites", "accuracy_horizontal_m", "accuracy_vertical_m", "accuracy_3d_m")
_SATELLITES: Final = re.compile(r"[0-9]{1,3}", re.ASCII)
_RADIO_DEVICES: Final = frozenset({"11", "40", "44", "52", "55", "66", "DE"})
"""GL50 and GL5xx: strength and error rate of the signal stand where others have the mask."""

_VEHICLE: Final = re.compile(
    r"(?P<odometer_km>[0-9]+\.[0-9]+)?,(?P<hour_meter>[0-9]+:[0-9]{2}:[0-9]{2})?"
    r",(?P<adc>(?:[^,]*,){1,3}?)(?P<battery_percent>[0-9]{1,3})?"
    r",(?P<status>[0-9A-F]{6}(?:[0-9A-F]{4})?)(?:,(?P<rest>.*))?",
    re.ASCII | re.DOTALL,
)
"""Vehicle trackers: mileage, hour meter, one to three analogue inputs, back-up battery, status."""

_VEHICLE_FRI: Final = re.compile(
    r"(?P<odometer_km>[0-9]+\.[0-9]+)?,(?P<hour_meter>[0-9]+:[0-9]{2}:[0-9]{2})?"
    r",(?P<adc>(?:[^,]*,){2,3})(?P<battery_percent>[0-9]{1,3})?"
    r",(?P<status>[0-9A-F]{2,10})?,(?P<rest>[^,]*,[^,]*,[^,]*)",
    re.ASCII | re.DOTALL,
)
"""The same of FRI, whose number of columns is fixed: the status may be short or missing."""

_TRAILER: Final = re.compile(
    r"(?P<odometer_km>[0-9]+\.[0-9]+)?,(?P<hour_meter>[0-9]+:[0-9]{2}:[0-9]{2})?(?:,(?P<rest>.*))?",
    re.ASCII | re.DOTALL,
)
_HOURS_FIRST: Final = re.compile(
    r"(?P<hour_meter>[0-9]+:[0-9]{2}:[0-9]{2})?,(?P<odometer_km>[0-9]+\.[0-9]+)?(?:,(?P<rest>.*))?",
    re.ASCII | re.DOTALL,
)
_PORTABLE: Final = re.compile(
    r"(?:00|(?P<odometer_km>[0-9]+\.[0-9]+))?,(?P<battery_percent>[0-9]{1,3})?", re.ASCII
)
_MILEAGE: Final = re.compile(r"(?P<odometer_km>[0-9]+\.[0-9]+)", re.ASCII)
_SIGNAL: Final = re.compile(
    r"(?P<battery_v>[0-9.]*),(?P<battery_percent>[0-9]{1,3})?,(?P<mode>[0-9])?"
    r",(?P<motion>[01])?(?:,(?P<rest>.*))?",
    re.ASCII | re.DOTALL,
)
_IGNITION: Final = frozenset({"IGN", "IGF", "VGN", "VGF"})


def tail_columns(kind: str, device: str, columns: list[str]) -> Tail:
    """Columns behind the time of a position, up to the next one or the time of sending.

    They begin with the cell: country, network, area, cell.
    """
    extra: dict[str, str] = {}
    cell = ",".join(columns[:4])
    if _CELL.fullmatch(cell):
        extra["cell"] = cell
        columns = columns[4:]
    elif not cell.strip(","):
        columns = columns[4:]
    else:
        return Tail("", "", "", {"tail": ",".join(columns)})
    satellites = ""
    if device in _RADIO_DEVICES and kind in {"FRI", "ERI"}:
        return _read_tail((_SIGNAL,), columns[2:], extra | _named(("rssi", "ber"), columns), "")
    text = ",".join(columns)
    if len(columns) < 3 and (found := _PORTABLE.fullmatch(text) or _MILEAGE.fullmatch(text)):
        return _tail(found.groupdict(), extra, "")
    if columns and re.fullmatch("0[0-9A-F]", columns[0]):
        mask = int(columns[0], 16)
        names = [name for bit, name in enumerate(_APPENDED) if mask >> bit & 1]
        appended = _named(names, columns[1:])
        if _SATELLITES.fullmatch(appended.get("satellites", "")):
            satellites = appended.pop("satellites")
        extra |= appended
        columns = columns[1 + len(names) :]
    elif columns and columns[0] == "":
        columns = columns[1:]
    if kind in _IGNITION:
        layouts: tuple[re.Pattern[str], ...] = (_HOURS_FIRST,)
    else:
        layouts = (_VEHICLE, _MILEAGE, _PORTABLE, _TRAILER)
        if kind == "FRI":
            layouts = (_VEHICLE_FRI, *layouts)
    return _read_tail(layouts, columns, extra, satellites)


def _named(names: Sequence[str], columns: list[str]) -> dict[str, str]:
    return {name: text for name, text in zip(names, columns, strict=False) if text}


def _read_tail(
    layouts: tuple[re.Pattern[str], ...], columns: list[str], extra: dict[str, str], satellites: str
) -> Tail:
    text = ",".join(columns)
    for layout in layouts:
        if found := layout.fullmatch(text):
            return _tail(found.groupdict(), extra, satellites)
    return Tail("", satellites, "", extra | ({"tail": text} if text.strip(",") else {}))


def _tail(found: dict[str, str | None], extra: dict[str, str], satellites: str) -> Tail:
    odometer = found.pop("odometer_km", None) or ""
    status = found.pop("status", None) or ""
    adc = found.pop("adc", None)
    rest = found.pop("rest", None)
    extra |= {name: text for name, text in found.items() if text}
    for number, text in enumerate((adc or "").split(",")[:3], 1):
        if text:
            extra[f"adc_{number}"] = text
    if status:
        extra["status"] = status
    if rest and rest.strip(","):
        extra["tail"] = rest
    return Tail(odometer, satellites, status, extra)


_STATES: Final[dict[str, dict[Input, bool]]] = {
    "11": {Input.IGNITION: False, Input.MOVEMENT: False},
    "12": {Input.IGNITION: False, Input.MOVEMENT: True},
    "16": {Input.IGNITION: False, Input.MOVEMENT: True},
    "1A": {Input.IGNITION: False, Input.MOVEMENT: True},
    "21": {Input.IGNITION: True, Input.MOVEMENT: False},
    "22": {Input.IGNITION: True, Input.MOVEMENT: True},
    "41": {Input.MOVEMENT: False},
    "42": {Input.MOVEMENT: True},
}
"""State of the vehicle: ignition off at rest, off moving, towed, likely towed, on; 4x: unknown."""

_WIRED: Final = {Input.DIN_1: 2, Input.DIN_2: 4, Input.DIN_3: 8, Input.DIN_4: 16}

EVENT_INPUTS: Final = {
    "IGN": inputs_word({Input.IGNITION: True}),
    "IGF": inputs_word({Input.IGNITION: False}),
    "VGN": inputs_word({Input.IGNITION: True}),
    "VGF": inputs_word({Input.IGNITION: False}),
    "SOS": inputs_word({Input.SOS: True}),
    "MPF": inputs_word({Input.POWER_CUT: True}),
    "EPF": inputs_word({Input.POWER_CUT: True}),
    "MPN": inputs_word({Input.POWER_CUT: False}),
    "EPN": inputs_word({Input.POWER_CUT: False}),
    "BTC": inputs_word({Input.CHARGING: True}),
    "STC": inputs_word({Input.CHARGING: False}),
}
"""What a report says by its type alone."""


@lru_cache(maxsize=1024)
def status_inputs(status: str) -> int:
    """Inputs of a status: state of the vehicle, digital inputs, outputs, two digits each.

    A status of ten digits has two bytes of inputs and of outputs.
    """
    states = dict(_STATES.get(status[:2], {}))
    if len(status) == 6:
        wired = int(status[2:4], 16)
    elif len(status) == 10:
        wired = int(status[2:6], 16)
    else:
        return inputs_word(states)
    return inputs_word(states | {one: bool(wired & bit) for one, bit in _WIRED.items()})
