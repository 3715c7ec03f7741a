"""JT/T 808: payloads of one location message each, read as columns.

Unescaped messages of one length and one header shape make one array; those whose items have the
same ids and lengths are read together. Whatever does not fit is left to `messages`.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from devices.batch import F64, I64, U8
from devices.checks import assemble
from devices.codec import Decoded
from devices.columns import bcd_pairs, instants
from devices.formats.jt808.framing import (
    ENCRYPTED_BITS,
    FLAG,
    PARTED_BIT,
    VERSION_BIT,
    header_size,
    ident_of_hex,
    unescaped,
    whole_size,
)
from devices.formats.jt808.items import (
    MILEAGE,
    MILEAGE_UNIT_M,
    READERS,
    SATELLITES,
    SIGNAL_BITS,
    Item,
    layout,
)
from devices.formats.jt808.location import FIXED
from devices.formats.jt808.meaning import SOUTH, TIME_ZONE_US, WEST, aircon, said
from devices.merging import renumbered
from devices.texts import Names

LOCATION: Final = b"\x02\x00"

MAX_LAYOUTS: Final = 16
"""Messages of one length with more arrangements of items than this are read one by one."""

_LONGEST: Final = 2 * (1023 + 32)
_ENCODER: Final = msgspec.json.Encoder()


def decode_columns(payloads: Sequence[bytes], received: I64) -> tuple[list[Decoded], list[int]]:
    """What can be read as columns, and the numbers of the payloads that are left, ascending."""
    groups: dict[tuple[int, bytes], list[tuple[int, bytes]]] = {}
    left: list[int] = []
    for index, payload in enumerate(payloads):
        inner = payload[1:-1]
        if (
            len(payload) > _LONGEST
            or payload[1:3] != LOCATION
            or payload[0] != FLAG
            or payload[-1] != FLAG
            or FLAG in inner
        ):
            left.append(index)
            continue
        if b"\x7d" in inner:
            inner = unescaped(inner)
        groups.setdefault((len(inner), inner[:4]), []).append((index, inner))
    parts: list[Decoded] = []
    for (size, head), members in groups.items():
        if not _is_plain(size, head):
            left += [index for index, _ in members]
            continue
        left += _read_group(members, received, parts)
    return parts, sorted(left)


def _is_plain(size: int, head: bytes) -> bool:
    """Whether messages of that size and beginning are whole locations in one packet."""
    if len(head) < 4 or size != whole_size(head):
        return False
    attributes = int.from_bytes(head[2:])
    start = header_size(0x0200, attributes)
    return not attributes & (ENCRYPTED_BITS | PARTED_BIT) and size > start + FIXED.itemsize


def _read_group(members: list[tuple[int, bytes]], received: I64, parts: list[Decoded]) -> list[int]:
    """Read messages of one size and header; the numbers of those that are left."""
    index = np.array([number for number, _ in members])
    size = len(members[0][1])
    data: U8 = np.frombuffer(b"".join(inner for _, inner in members), np.uint8)
    data = data.reshape(len(members), size)
    start = header_size(0x0200, int.from_bytes(members[0][1][2:4]))
    time = _times(data[:, start + 22 : start + 28])
    good = (np.bitwise_xor.reduce(data, axis=1) == 0) & ~np.isnan(time)
    left: list[int] = index[~good].tolist()
    waiting = np.flatnonzero(good)
    for _ in range(MAX_LAYOUTS):
        if not len(waiting):
            break
        body = data[waiting[0], :-1].tobytes()
        items = layout(body, start + FIXED.itemsize)
        if items is None or len({item.kind for item in items}) < len(items):
            left.append(int(index[waiting[0]]))
            waiting = waiting[1:]
            continue
        same = _same_layout(data, waiting, items)
        rows = waiting[same]
        waiting = waiting[~same]
        decoded = _decode_rows(data[rows], time[rows], start, items, received[index[rows]])
        parts.append(renumbered(decoded, index[rows].tolist()))
    left += index[waiting].tolist()
    return left


def _same_layout(data: U8, rows: NDArray[np.intp], items: Sequence[Item]) -> NDArray[np.bool_]:
    """Whether the items of each row have the given ids and lengths at the given places."""
    places = np.array([place for item in items for place in (item.at - 2, item.at - 1)], np.intp)
    wanted = np.array([value for item in items for value in (item.kind, item.size)], np.uint8)
    same: NDArray[np.bool_] = (data[rows[:, None], places] == wanted).all(axis=1)
    return same


def _times(raw: U8) -> F64:
    """Microseconds since 1970 UTC of BCD times, shape (n, 6); NaN where there is no such time."""
    pairs = bcd_pairs(raw)
    return instants(*(pairs[:, column] for column in range(6))) - TIME_ZONE_US


def _decode_rows(data: U8, time: F64, start: int, items: Sequence[Item], received: I64) -> Decoded:
    """Messages whose items have the same ids and lengths, shape (n, size)."""
    n = len(data)
    fixed = np.ascontiguousarray(data[:, start : start + FIXED.itemsize]).view(FIXED)[:, 0]
    is_2019 = bool(int(data[0, 2]) << 8 & VERSION_BIT)
    status = fixed["status"]
    lon, lat = fixed["lon_e6"] / 1e6, fixed["lat_e6"] / 1e6
    statuses = status.tolist()
    meanings = [
        said(alarm, word, is_2019)
        for alarm, word in zip(fixed["alarm"].tolist(), statuses, strict=True)
    ]
    columns: dict[str, Any] = {
        "time": time,
        "lon": np.where(status & WEST, -np.abs(lon), lon),
        "lat": np.where(status & SOUTH, -np.abs(lat), lat),
        "speed_kmh": fixed["speed_tenths"] / 10,
        "heading": fixed["course_deg"],
        "altitude": fixed["altitude_m"],
        "quality": [meaning.quality for meaning in meanings],
    }
    inputs = np.array([meaning.inputs for meaning in meanings], np.uint32)
    extra = [dict(meaning.extra) for meaning in meanings]
    for item in items:
        shape = (item.kind, item.size)
        if shape == MILEAGE:
            values = np.ascontiguousarray(data[:, item.at : item.at + 4]).view(">u4")[:, 0]
            columns["odometer"] = values * float(MILEAGE_UNIT_M)
        elif shape == SATELLITES:
            columns["satellites"] = data[:, item.at]
        else:
            _take_each(data, item, extra)
            if shape == SIGNAL_BITS:
                words = np.ascontiguousarray(data[:, item.at : item.at + 4]).view(">u4")[:, 0]
                inputs |= np.array([aircon(word) for word in words.tolist()], np.uint32)
    columns["inputs"] = inputs
    names = Names()
    idents = names.numbers(_idents(data, start, is_2019))
    return assemble(
        columns,
        payload=range(n),
        at=[0] * n,
        received=received,
        extra={row: _ENCODER.encode(values) for row, values in enumerate(extra)},
        ident=idents,
        idents=names.known(),
    )


def _take_each(data: U8, item: Item, extra: Sequence[dict[str, Any]]) -> None:
    """Put the values of one item into the extra of each row."""
    size = item.size
    raw = data[:, item.at : item.at + size].tobytes()
    known = READERS.get((item.kind, size))
    if known:
        key, read = known
        for row, values in enumerate(extra):
            values[key] = read(raw[row * size : (row + 1) * size])
        return
    digits, key = raw.hex(), f"{item.kind:02x}"
    for row, values in enumerate(extra):
        values.setdefault("items", {})[key] = digits[row * 2 * size : (row + 1) * 2 * size]


def _idents(data: U8, start: int, is_2019: bool) -> list[str]:
    """The terminals' numbers as identities."""
    begin = 4 + is_2019
    width = 2 * (start - 2 - begin)
    digits = data[:, begin : start - 2].tobytes().hex()
    return [ident_of_hex(digits[at : at + width]) for at in range(0, width * len(data), width)]
