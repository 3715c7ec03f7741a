"""WeighingRows: weighings gathered one by one, and the checks that all their formats share."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite, nan
from typing import Any, Final

import msgspec
import numpy as np

from devices.batch import I64, FixBatch, WeighingBatch
from devices.checks import check_bad_parts, check_size, tidy_refusals, when
from devices.codec import EARLIEST_FIX_US, LATEST_AHEAD_US, Decoded, Refusal
from devices.errors import DecodeError, Reject
from devices.extra import extra_bytes
from devices.texts import is_ident, normal_plate

MAX_AXLES: Final = 64
MAX_LANE: Final = 32_767
MAX_MASS_KG: Final = 1_000_000.0
MAX_SPACING_M: Final = 100.0
MAX_SPEED_KMH: Final = 2_000.0
MAX_LENGTH_M: Final = 1_000.0


class Weighing(msgspec.Struct):
    """One weighing as a format gave it, in the units of WeighingBatch; NaN or "" is unknown.

    spacing_m has the length of axle_kg, the first NaN.
    """

    time_us: float
    station: str = ""
    plate: str = ""
    lane: int = 0
    gross_kg: float = nan
    speed_kmh: float = nan
    length_m: float = nan
    axle_kg: Sequence[float] = ()
    spacing_m: Sequence[float] = ()
    extra: Mapping[str, Any] | None = None


class WeighingRows:
    """Rows of a WeighingBatch while a decoder reads its payloads."""

    def __init__(self, received: I64) -> None:
        self.payload = 0
        self._bad_parts = 0
        self.received = received
        self._rows: list[Weighing] = []
        self._plates: list[str] = []
        self._payload: list[int] = []
        self._extra: dict[int, bytes] = {}
        self._refusals: list[Refusal] = []

    def __len__(self) -> int:
        """Weighings and refusals so far."""
        return len(self._rows) + len(self._refusals)

    def add(self, weighing: Weighing) -> None:
        """Take one weighing of the payload. Raises DecodeError if it makes no sense."""
        received = int(self.received[self.payload])
        checked = _checked(weighing, received)
        plate = normal_plate(weighing.plate)
        extra = dict(weighing.extra or {})
        if plate != weighing.plate.strip():
            extra["plate"] = weighing.plate
        if extra:
            self._extra[len(self._rows)] = extra_bytes(extra)
        self._rows.append(checked)
        self._plates.append(plate)
        self._payload.append(self.payload)

    def refuse(self, error: DecodeError, at: int | None = None) -> None:
        """Record that the rest of the payload, or the part at this place, is refused.

        Raises DecodeError if too many parts were.
        """
        refusal = Refusal.of(self.payload, error)
        place = refusal.at if at is None else at
        self._refusals.append(Refusal(self.payload, refusal.reason, place, refusal.detail))
        if at is not None:
            self._bad_parts += 1
            check_bad_parts(self._bad_parts, at)

    def begin(self, payload: int) -> None:
        """Begin to read a payload."""
        self.payload = payload
        self._bad_parts = 0

    def decoded(self) -> Decoded:
        """Everything gathered."""
        rows = self._rows
        axle_start = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(w.axle_kg) for w in rows], out=axle_start[1:])
        owner = np.array(self._payload, np.int32)
        return Decoded(
            fixes=FixBatch.empty(),
            fix_payload=np.empty(0, np.int32),
            weighing_payload=owner,
            refusals=tidy_refusals(self._refusals),
            weighings=WeighingBatch(
                station=tuple(w.station for w in rows),
                plate=tuple(self._plates),
                time=np.array([w.time_us for w in rows], np.float64).astype(np.int64),
                received=self.received[owner],
                lane=np.array([w.lane for w in rows], np.int16),
                gross_kg=np.array([w.gross_kg for w in rows], np.float64),
                speed_kmh=np.array([w.speed_kmh for w in rows], np.float32),
                length_m=np.array([w.length_m for w in rows], np.float32),
                axle_start=axle_start,
                axle_kg=np.array([kg for w in rows for kg in w.axle_kg], np.float64),
                axle_spacing_m=np.array([m for w in rows for m in w.spacing_m], np.float64),
                extra=self._extra,
            ),
        )


def decode_weighings(
    payloads: Sequence[bytes], received: I64, read: Callable[[bytes, WeighingRows], None]
) -> Decoded:
    """Read payload after payload; what `read` raises refuses the rest of its payload."""
    rows = WeighingRows(received)
    for index, payload in enumerate(payloads):
        rows.begin(index)
        before = len(rows)
        try:
            check_size(payload)
            read(payload, rows)
        except DecodeError as error:
            rows.refuse(error)
        if len(rows) == before:
            rows.refuse(DecodeError(Reject.NO_CONTENT, detail="no weighing in the payload"))
    return rows.decoded()


def _checked(weighing: Weighing, received: int) -> Weighing:
    """The same weighing with its gross mass filled in. Raises DecodeError."""
    _check_time(weighing.time_us, received)
    if weighing.station and not is_ident(weighing.station):
        raise DecodeError(Reject.BAD_VALUE, detail=f"station: got {weighing.station!r:.80}")
    if not 0 <= weighing.lane <= MAX_LANE:
        raise DecodeError(Reject.BAD_VALUE, detail=f"lane: expected 0..32767, got {weighing.lane}")
    if len(weighing.axle_kg) > MAX_AXLES:
        detail = f"axles: expected at most {MAX_AXLES}, got {len(weighing.axle_kg)}"
        raise DecodeError(Reject.BAD_VALUE, detail=detail)
    for axle, mass in enumerate(weighing.axle_kg):
        _within(f"axles[{axle}].kg", mass, MAX_MASS_KG)
    for axle, spacing in enumerate(weighing.spacing_m[1:], 1):
        _within(f"axles[{axle}].spacing_m", spacing, MAX_SPACING_M, may_be_unknown=True)
    _within("speed_kmh", weighing.speed_kmh, MAX_SPEED_KMH, may_be_unknown=True)
    _within("length_m", weighing.length_m, MAX_LENGTH_M, may_be_unknown=True)
    gross = weighing.gross_kg
    if gross != gross:  # noqa: PLR0124 not given
        if not weighing.axle_kg:
            raise DecodeError(Reject.MISSING_FIELD, detail="gross_kg: expected it, or axles")
        gross = float(sum(weighing.axle_kg))
    _within("gross_kg", gross, MAX_MASS_KG)
    if gross == 0:
        raise DecodeError(Reject.BAD_VALUE, detail="gross_kg: expected more than 0, got 0")
    return msgspec.structs.replace(weighing, gross_kg=gross)


def _within(name: str, value: float, high: float, *, may_be_unknown: bool = False) -> None:
    if may_be_unknown and value != value:  # noqa: PLR0124 NaN
        return
    if not isfinite(value):
        raise DecodeError(Reject.NOT_FINITE, detail=f"{name}: got {value}")
    if not 0 <= value <= high:
        raise DecodeError(Reject.BAD_VALUE, detail=f"{name}: expected 0..{high:g}, got {value:g}")


def _check_time(time_us: float, received: int) -> None:
    if not isfinite(time_us):
        raise DecodeError(Reject.NOT_FINITE, detail=f"time: got {time_us}")
    if not EARLIEST_FIX_US <= time_us <= received + LATEST_AHEAD_US:
        raise DecodeError(
            Reject.TIME_OUT_OF_RANGE,
            detail=f"time: expected 2000-01-01 to a day after arrival, got {when(time_us)}",
        )
