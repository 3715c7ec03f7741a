"""GT06: payloads of one frame 12 or 22 each, read as columns.

Frames of one kind and length make one array. Whatever differs (a network of two bytes, another end,
a time that is none, a wrong CRC) is left to the reader of single frames.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from devices.batch import I64, U8, Bool, Input, Quality, inputs_word
from devices.checks import assemble
from devices.codec import Decoded
from devices.columns import instants
from devices.crc16 import ITU
from devices.formats.gt06.framing import END, SHORT
from devices.formats.gt06.gps import (
    COURSE,
    GPS,
    IGNITION,
    IGNITION_KNOWN,
    LOCATED,
    NORTH,
    PARTS_A_DEGREE,
    WEST,
)
from devices.formats.gt06.status import MILEAGE_BYTES, REPORT_BYTES
from devices.merging import renumbered

ALWAYS_REPORTS: Final = 0x22
KINDS: Final = bytes((0x12, ALWAYS_REPORTS))

_CELL_BYTES: Final = 8
_START: Final = 4
"""Bytes before the content: 7878, the length, the kind."""

_REPORT_AT: Final = _START + GPS.itemsize + _CELL_BYTES
_BEHIND: Final = 6
"""Bytes behind the content: serial number, CRC, 0d0a."""

_ENDS: Final = {
    _REPORT_AT + _BEHIND + size: size
    for size in (0, REPORT_BYTES, MILEAGE_BYTES, REPORT_BYTES + MILEAGE_BYTES)
}
"""Bytes behind the cell, by the length of the whole frame."""

_ENCODER: Final = msgspec.json.Encoder()
_OFF: Final = inputs_word({Input.IGNITION: False})
_ON: Final = inputs_word({Input.IGNITION: True})


def decode_columns(payloads: Sequence[bytes], received: I64) -> tuple[list[Decoded], list[int]]:
    """What can be read as columns, and the numbers of the payloads that are left, ascending."""
    groups: dict[bytes, list[int]] = {}
    left: list[int] = []
    for index, payload in enumerate(payloads):
        size = len(payload)
        if size in _ENDS and payload[3] in KINDS and payload[2] == size - 5:
            groups.setdefault(payload[:4], []).append(index)
        else:
            left.append(index)
    parts: list[Decoded] = []
    for head, numbers in groups.items():
        if head[:2] != SHORT or (head[3] == ALWAYS_REPORTS and _ENDS[head[2] + 5] == MILEAGE_BYTES):
            left += numbers
            continue
        chosen = np.array(numbers)
        data = np.frombuffer(b"".join([payloads[number] for number in numbers]), np.uint8)
        data = data.reshape(len(numbers), head[2] + 5)
        good = _is_plain(data)
        left += chosen[~good].tolist()
        if good.any():
            rows = chosen[good]
            parts.append(renumbered(_decode_rows(data[good], received[rows]), rows.tolist()))
    return parts, sorted(left)


def _is_plain(data: U8) -> Bool:
    """Whether each row is a sound frame with a date and a network of one byte, shape (n, size)."""
    crc = ITU.of_rows(data[:, 2:-4])
    sent = data[:, -4].astype(np.uint16) << 8 | data[:, -3]
    country = data[:, _START + GPS.itemsize]
    good: Bool = (
        (crc == sent)
        & (data[:, -2:] == np.frombuffer(END, np.uint8)).all(axis=1)
        & ~np.isnan(_times(data))
        & (data[:, _START] < 100)
        & (country < 0x80)
    )
    return good


def _times(data: U8) -> NDArray[np.float64]:
    date = data[:, _START : _START + 6].astype(np.int64)
    return instants(*(date[:, column] for column in range(6)))


def _decode_rows(data: U8, received: I64) -> Decoded:
    """Sound frames of one kind and length, shape (n, size)."""
    n = len(data)
    gps = np.ascontiguousarray(data[:, _START : _START + GPS.itemsize]).view(GPS)[:, 0]
    flags = gps["flags"]
    lat, lon = gps["lat"] / PARTS_A_DEGREE, gps["lon"] / PARTS_A_DEGREE
    inputs = np.where(flags & IGNITION_KNOWN, np.where(flags & IGNITION, _ON, _OFF), 0)
    columns: dict[str, Any] = {
        "time": _times(data),
        "lon": np.where(flags & WEST, -lon, lon),
        "lat": np.where(flags & NORTH, lat, -lat),
        "speed_kmh": gps["speed_kmh"],
        "heading": flags & COURSE,
        "satellites": gps["satellites"] & 0xF,
        "quality": np.where(flags & LOCATED, 0, int(Quality.NO_POSITION)),
    }
    end = _ENDS[data.shape[1]]
    has_report = end in {REPORT_BYTES, REPORT_BYTES + MILEAGE_BYTES}
    if has_report:
        inputs = np.where(data[:, _REPORT_AT], _ON, _OFF)
    if end >= MILEAGE_BYTES:
        at = _REPORT_AT + end - MILEAGE_BYTES
        mileage = np.ascontiguousarray(data[:, at : at + MILEAGE_BYTES]).view(">u4")
        columns["odometer"] = mileage[:, 0]
    columns["inputs"] = inputs
    return assemble(
        columns,
        payload=range(n),
        at=[0] * n,
        received=received,
        extra=_extras(data, has_report=has_report),
    )


def _extras(data: U8, *, has_report: bool) -> dict[int, bytes]:
    """The extra of each row: cell, reason, buffered and kind, as the single reader writes them."""
    at = _START + GPS.itemsize
    country = data[:, at].astype(np.uint32) << 8 | data[:, at + 1]
    area = data[:, at + 3].astype(np.uint32) << 8 | data[:, at + 4]
    cell = data[:, at + 5].astype(np.uint32) << 16 | data[:, at + 6].astype(np.uint32) << 8
    cell |= data[:, at + 7]
    cells = np.stack([country, data[:, at + 2].astype(np.uint32), area, cell], axis=1).tolist()
    kind = f"{int(data[0, 3]):02x}"
    encode = _ENCODER.encode
    if not has_report:
        return {row: encode({"cell": one, "frame": kind}) for row, one in enumerate(cells)}
    reports = data[:, _REPORT_AT + 1 : _REPORT_AT + 3].tolist()
    return {
        row: encode(
            {"cell": one, "reason": reason, "buffered": True, "frame": kind}
            if buffered
            else {"cell": one, "reason": reason, "frame": kind}
        )
        for row, (one, (reason, buffered)) in enumerate(zip(cells, reports, strict=True))
    }
