"""Plain payloads as columns: what the kernel reads, as `Decoded`."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from devices.batch import I64, Quality
from devices.checks import assemble
from devices.codec import Decoded
from devices.formats.nmea import kernel


def decode_plain(payloads: Sequence[bytes], received: I64) -> tuple[Decoded, NDArray[np.intp]]:
    """The fixes of payloads that are one RMC, or RMC and GGA; and the indices of all others."""
    n = len(payloads)
    raw = np.frombuffer(b"".join([*payloads, kernel.PAD]), np.uint8)
    starts = np.zeros(n + 1, np.int64)
    np.cumsum(np.fromiter(map(len, payloads), np.int64, n), out=starts[1:])
    out = np.full((8, n), np.nan)
    state = np.empty(n, np.uint8)
    kernel.read_plain(raw, starts, out, state)
    rows = np.flatnonzero(state)
    if len(rows) < n:
        out, state = out[:, rows], state[rows]
    columns = {
        "time": out[kernel.TIME],
        "lon": out[kernel.LON],
        "lat": out[kernel.LAT],
        "speed_kmh": out[kernel.SPEED],
        "heading": out[kernel.HEADING],
        "altitude": out[kernel.ALTITUDE],
        "hdop": out[kernel.HDOP],
        "satellites": out[kernel.SATELLITES],
        "quality": np.where(state == kernel.LOST, np.uint16(Quality.NO_POSITION), np.uint16(0)),
    }
    at = np.zeros(len(rows), np.int64)
    decoded = assemble(columns, payload=rows, at=at, received=received, extra={})
    return decoded, np.flatnonzero(np.bincount(rows, minlength=n) == 0)
