"""Messages: fixes out of objects of named values (JSON, query strings, CBOR), many at once.

A codec gives two readers. `shape` knows the messages as they mostly are, takes their values out as
they stand and checks nothing: whatever is odd may raise. `read` knows the whole format, one message
at a time, and says what is wrong. Both must say the same; tests hold them together.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from math import isnan
from types import NoneType
from typing import Any, Final, NamedTuple

import numpy as np

from devices.batch import I64, FixBatch, Quality
from devices.checks import assemble, check_size
from devices.codec import MAX_PAYLOAD_BYTES, Decoded
from devices.columns import rounded
from devices.errors import DecodeError
from devices.extra import MAX_EXTRA_BYTES, extra_bytes, extra_values
from devices.input_names import named_states
from devices.json_input import JSON_ERRORS
from devices.merging import merged
from devices.rows import FixRows, decode_each
from devices.texts import MAX_IDENT_CHARACTERS, Names, is_ident, known_licence

NUMBERS: Final = (
    "time", "lon", "lat", "speed_kmh", "heading", "altitude", "hdop", "satellites", "odometer",
)  # fmt: skip
"""The first values of a row: numbers, or None where they are not known."""

IDENT: Final = len(NUMBERS)
DRIVER, INPUTS, LOST, EXTRA = range(IDENT + 1, IDENT + 5)
"""The others: two texts ("" or None: nobody), a word of inputs, whether there is no position, and
an object of whatever else was said (or None; or bytes of it that are known to be storable)."""

Row = tuple[Any, ...]
Shape = Callable[[bytes], Sequence[Row]]

_NOT_THE_SHAPE: Final = (
    *JSON_ERRORS, DecodeError, KeyError, TypeError, AttributeError, IndexError,
)  # fmt: skip


def decode_messages(
    payloads: Sequence[bytes],
    received: I64,
    shape: Shape,
    read: Callable[[bytes, FixRows], None],
    scale: Mapping[str, float],
) -> Decoded:
    """Decode payloads: those of the shape as columns, the others one by one.

    scale: factors from a format's units to those of FixBatch (microseconds for "time").
    """
    rows: list[Row] = []
    owner: list[int] = []
    at: list[int] = []
    odd: list[int] = []
    for index, payload in enumerate(payloads):
        try:
            if len(payload) > MAX_PAYLOAD_BYTES:
                check_size(payload)
            found = shape(payload)
        except _NOT_THE_SHAPE:
            odd.append(index)
            continue
        if len(found) == 1:
            rows.append(found[0])
            owner.append(index)
            at.append(0)
        elif found:
            rows.extend(found)
            owner.extend(repeat(index, len(found)))
            at.extend(range(len(found)))
        else:
            odd.append(index)
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * (EXTRA + 1)
    extra: dict[int, bytes] = {}
    bad = {owner[row] for row in (*_odd_values(columns), *_odd_extras(columns[EXTRA], extra))}
    if bad:
        keep = [row for row, index in enumerate(owner) if index not in bad]
        extra = {new: extra[old] for new, old in enumerate(keep) if old in extra}
        owner, at = [owner[row] for row in keep], [at[row] for row in keep]
        columns = [[column[row] for row in keep] for column in columns]
        odd = sorted({*odd, *bad})
    parts = [_assembled(columns, owner, at, received, extra, scale)]
    if odd:
        parts.append(decode_each(payloads, received, read, odd))
    return merged(parts)


def _odd_values(columns: Sequence[Sequence[Any]]) -> set[int]:
    """Rows with a number or a name that is not what it should be."""
    odd: set[int] = set()
    for index, column in enumerate(columns[:IDENT]):
        kinds = set(map(type, column))
        allowed = _NUMBER if index < _REQUIRED else _PLAIN
        if not kinds <= allowed:
            odd.update(row for row, value in enumerate(column) if type(value) not in allowed)
        if int in kinds and (len(kinds) > 1 or max(map(abs, column)) > _LARGEST):
            odd.update(row for row, v in enumerate(column) if type(v) is int and abs(v) > _LARGEST)
    for column in columns[IDENT : DRIVER + 1]:
        if not _TEXTS.issuperset(map(type, column)):
            odd.update(row for row, name in enumerate(column) if type(name) not in _TEXTS)
        else:
            wrong = {name for name in set(column) if name and not _is_name(name)}
            if wrong:
                odd.update(row for row, name in enumerate(column) if name in wrong)
    return odd


def _odd_extras(column: Sequence[Any], extra: dict[int, bytes]) -> set[int]:
    """Rows whose extra cannot be stored; `extra` is filled with that of the others."""
    odd: set[int] = set()
    for row, values in enumerate(column):
        if type(values) is bytes:
            extra[row] = values
            if len(values) > MAX_EXTRA_BYTES:
                odd.add(row)
        elif values:
            try:
                extra[row] = extra_bytes(values)
            except DecodeError:
                odd.add(row)
    return odd


_REQUIRED: Final = 3
"""Time, longitude and latitude are never unknown."""
_NUMBER: Final = frozenset({int, float})
_PLAIN: Final = _NUMBER | {NoneType}
_TEXTS: Final = frozenset({str, NoneType})
_LARGEST: Final = 1 << 62
"""A larger whole number makes no sense in any column, and some would overflow."""


def _is_name(name: str) -> bool:
    if name.isalnum() and len(name) <= MAX_IDENT_CHARACTERS:  # most are digits, soon seen
        return True
    return is_ident(name) and name == name.strip()


def _assembled(
    values: Sequence[Sequence[Any]],
    owner: list[int],
    at: list[int],
    received: I64,
    extra: Mapping[int, bytes],
    scale: Mapping[str, float],
) -> Decoded:
    columns: dict[str, Any] = {}
    for name, column in zip(NUMBERS, values, strict=False):
        numbers = [np.nan if v is None else v for v in column] if None in column else column
        array = np.array(numbers, np.float64)
        columns[name] = array * scale[name] if name in scale else array
    columns["time"] = np.rint(columns["time"])
    idents, drivers = Names(), Names()
    sent = dict.fromkeys(values[DRIVER])
    licences = {raw: drivers.number(known_licence(raw or "")) for raw in sent}
    columns["driver"] = [licences[raw] for raw in values[DRIVER]]
    columns["inputs"] = values[INPUTS]
    columns["quality"] = [int(Quality.NO_POSITION) if lost else 0 for lost in values[LOST]]
    return assemble(
        columns,
        payload=owner,
        at=at,
        received=received,
        extra=extra,
        ident=idents.numbers([name or "" for name in values[IDENT]]),
        idents=idents.known(),
        drivers=drivers.known(),
    )


class Spoken(NamedTuple):
    """One fix as encoders of messages write it: None is not known, numbers to three decimals."""

    time_us: int
    lon: float
    lat: float
    speed_kmh: float | None
    heading: float | None
    altitude: float | None
    hdop: float | None
    satellites: int | None
    odometer: float | None
    driver: str
    inputs: Mapping[str, bool]
    lost: bool
    extra: dict[str, Any]


def spoken(fixes: FixBatch, drivers: Sequence[str]) -> Iterator[Spoken]:
    """The fixes of a batch, one after the other."""
    measured = (
        [None if isnan(value) else value for value in rounded(column)]
        for column in (
            fixes.speed_kmh, fixes.heading, fixes.altitude, fixes.hdop, fixes.odometer,
        )
    )  # fmt: skip
    columns = zip(
        fixes.time.tolist(), fixes.lon.tolist(), fixes.lat.tolist(), *measured,
        fixes.satellites.tolist(), fixes.driver.tolist(), fixes.inputs.tolist(),
        fixes.quality.tolist(), strict=True,
    )  # fmt: skip
    for row, (time, lon, lat, speed, heading, altitude, hdop, odometer, satellites, driver, word,
              quality) in enumerate(columns):  # fmt: skip
        yield Spoken(
            time, lon, lat, speed, heading, altitude, hdop,
            None if satellites == _NO_SATELLITES else satellites, odometer,
            drivers[driver] if driver >= 0 else "", named_states(word),
            bool(quality & Quality.NO_POSITION),
            extra_values(fixes.extra[row]) if row in fixes.extra else {},
        )  # fmt: skip


_NO_SATELLITES: Final = 255


def known(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are known: all but None and empty text."""
    return {name: value for name, value in values.items() if value is not None and value != ""}
