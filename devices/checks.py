"""Checks that every format shares: size of a payload, and sense of the decoded columns.

A fix needs a finite time in range and finite coordinates that lie on the globe, as sent or
exchanged; otherwise it is refused. A secondary value (speed, heading, ...) that makes no sense
costs the fix nothing: the column holds its "none", and what was sent is kept in `extra` under
"implausible".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from devices.batch import F64, I32, I64, Bool, FixBatch
from devices.codec import EARLIEST_FIX_US, LATEST_AHEAD_US, MAX_PAYLOAD_BYTES, Decoded, Refusal
from devices.errors import DecodeError, Reject
from devices.extra import extra_bytes, extra_values
from devices.texts import printable

Integers = Sequence[int] | NDArray[np.integer[Any]]

MAX_REFUSALS_PER_PAYLOAD: Final = 16
"""More refused parts than this of one payload are counted in the last refusal, not listed."""

MAX_BAD_PARTS: Final = 1000
"""After more bad parts than this the rest of a payload is not read: nobody sends it by mistake, and
a mebibyte of them would hold up everybody else for seconds."""

BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "speed_kmh": (0.0, 2_000.0),
    "heading": (0.0, 360.0),
    "altitude": (-12_000.0, 100_000.0),
    "hdop": (0.0, 1_000.0),
    "satellites": (0.0, 254.0),
    "odometer": (0.0, 1e11),
}
"""What a secondary column can hold, both ends included. These are bounds of sense, not of
plausibility for a lorry: that is judged by cleaning (docs/rules.md, section 9)."""


def check_size(payload: bytes) -> None:
    """Raise DecodeError for a payload that is empty or too large to be read."""
    if not payload:
        raise DecodeError(Reject.EMPTY, detail="expected bytes, got none")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise DecodeError(
            Reject.TOO_LARGE,
            at=MAX_PAYLOAD_BYTES,
            detail=f"expected at most {MAX_PAYLOAD_BYTES} bytes, got {len(payload)}",
        )


def check_bad_parts(bad: int, at: int) -> None:
    """Raise DecodeError if so many parts of one payload were bad that the rest is not read."""
    if bad > MAX_BAD_PARTS:
        raise DecodeError(
            Reject.BAD_VALUE, at=at, detail=f"over {MAX_BAD_PARTS} bad parts: the rest is not read"
        )


def times_in_range(time_us: F64, received: I64) -> Bool:
    """Whether each time can be one; NaN is not. Shapes (n,); `received` is that of each row."""
    return (time_us >= EARLIEST_FIX_US) & (time_us <= received + float(LATEST_AHEAD_US))


def on_globe(lon: F64, lat: F64) -> Bool:
    """Whether each pair lies on the globe as sent or exchanged; NaN does not. Shapes (n,)."""
    wide, narrow = np.abs(lon), np.abs(lat)
    return ((wide <= 180) & (narrow <= 90)) | ((wide <= 90) & (narrow <= 180))


def assemble(
    columns: Mapping[str, Any],
    *,
    payload: Integers,
    at: Integers,
    received: I64,
    extra: Mapping[int, bytes],
    refusals: Sequence[Refusal] = (),
    ident: Integers | None = None,
    idents: tuple[str, ...] = (),
    drivers: tuple[str, ...] = (),
) -> Decoded:
    """What a decoder read, checked: bad rows become refusals, the others a FixBatch.

    columns: sequences of equal length n by FixBatch's names; "time" is microseconds as float64
        (exact until the year 2255), unknown numbers are NaN or None.
    payload, at: of each row, the index of its payload (ascending) and its place inside.
    received: of each payload. extra: by row. ident: of each row, index into idents.
    """
    time = np.asarray(columns["time"], np.float64)
    lon = np.asarray(columns["lon"], np.float64)
    lat = np.asarray(columns["lat"], np.float64)
    owner = np.asarray(payload, np.int32)
    arrived = received[owner]
    good = times_in_range(time, arrived) & on_globe(lon, lat)
    found = list(refusals)
    if not good.all():
        for row in np.flatnonzero(~good).tolist():
            error = _what_is_wrong(time[row], lon[row], lat[row], arrived[row], int(at[row]))
            found.append(Refusal.of(int(owner[row]), error))
        time, lon, lat = time[good], lon[good], lat[good]
        owner, arrived = owner[good], arrived[good]
        new_row = np.cumsum(good) - 1
        extra = {int(new_row[row]): text for row, text in extra.items() if good[row]}
    keep = None if len(time) == len(good) else good
    fixed, extra = _secondary(columns, keep, extra)
    fixes = FixBatch.blank(
        len(time), time=time.astype(np.int64), received=arrived, lon=lon, lat=lat,
        **fixed, extra=extra,
    )  # fmt: skip
    return Decoded(
        fixes=fixes,
        fix_payload=owner,
        idents=idents,
        fix_ident=_idents(ident, len(good), keep),
        drivers=drivers,
        refusals=tidy_refusals(found),
    )


def tidy_refusals(refusals: Sequence[Refusal]) -> tuple[Refusal, ...]:
    """In payload order, and no more of one payload than people can read."""
    if len(refusals) < 2:
        return tuple(refusals)
    ordered = sorted(refusals, key=lambda r: (r.payload, r.at))
    out: list[Refusal] = []
    of_payload = 0
    for refusal in ordered:
        of_payload = of_payload + 1 if out and out[-1].payload == refusal.payload else 1
        if of_payload <= MAX_REFUSALS_PER_PAYLOAD:
            out.append(refusal)
        else:
            last = out[-1]
            more = of_payload - MAX_REFUSALS_PER_PAYLOAD
            detail = last.detail.split(" (and ", maxsplit=1)[0] + f" (and {more} more)"
            out[-1] = Refusal(last.payload, last.reason, last.at, detail)
    return tuple(out)


def _idents(ident: Integers | None, n: int, keep: Bool | None) -> I32:
    whole = np.full(n, -1, np.int32) if ident is None else np.asarray(ident, np.int32)
    return whole if keep is None else whole[keep]


def _secondary(
    columns: Mapping[str, Any], keep: Bool | None, extra: Mapping[int, bytes]
) -> tuple[dict[str, NDArray[Any]], Mapping[int, bytes]]:
    """The columns beside time and place: bad rows dropped, senseless values made unknown."""
    out: dict[str, NDArray[Any]] = {}
    odd: dict[int, dict[str, Any]] = {}
    for name, values in columns.items():
        if name in {"time", "lon", "lat"}:
            continue
        if name not in BOUNDS:
            whole = np.asarray(values)
            out[name] = whole if keep is None else whole[keep]
            continue
        column = np.array(values, np.float64)
        if keep is not None:
            column = column[keep]
        low, high = BOUNDS[name]
        bad = (column < low) | (column > high)
        if bad.any():
            for row in np.flatnonzero(bad).tolist():
                value = column[row].item()
                odd.setdefault(row, {})[name] = value if np.isfinite(value) else str(value)
            column[bad] = np.nan
        if name == "heading":
            column[column >= 359.99999] = 0.0  # float32 would round it to 360
        elif name == "satellites":
            column[np.isnan(column)] = 255
        out[name] = column
    return out, with_values(extra, "implausible", odd) if odd else extra


def with_values(
    extra: Mapping[int, bytes], key: str, values: Mapping[int, Any]
) -> Mapping[int, bytes]:
    """`extra` with one more key in the given rows (dropped where the object would grow too big)."""
    out = dict(extra)
    for row, value in values.items():
        known = extra_values(out[row]) if row in out else {}
        try:
            out[row] = extra_bytes({**known, key: value})
        except DecodeError:
            continue
    return out


def _what_is_wrong(time: float, lon: float, lat: float, received: int, at: int) -> DecodeError:
    for name, value in (("time", time), ("lon", lon), ("lat", lat)):
        if not np.isfinite(value):
            return DecodeError(Reject.NOT_FINITE, at=at, detail=f"{name}: got {value}")
    if not times_in_range(np.array([time]), np.array([received])).all():
        return DecodeError(
            Reject.TIME_OUT_OF_RANGE,
            at=at,
            detail=f"time: expected 2000-01-01 to a day after arrival, got {when(time)}",
        )
    return DecodeError(
        Reject.COORDINATES_OUT_OF_RANGE,
        at=at,
        detail=printable(f"lon, lat: expected -180..180, -90..90, got {lon:g}, {lat:g}"),
    )


def when(time_us: float) -> str:
    """An instant for people: RFC 3339 where the calendar has it, else seconds."""
    if abs(time_us) < 2.5e17:  # years -5953..9892, what datetime64 can print with four digits
        return f"{np.datetime64(int(time_us), 'us')}Z"
    return f"{time_us / 1e6:g} s"
