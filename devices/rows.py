"""FixRows: fixes gathered one by one, for formats whose records cannot be read as columns."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import nan
from typing import Any, TypeVar

from devices.batch import I64
from devices.checks import assemble, check_bad_parts, check_size
from devices.codec import Decoded, Refusal, Registration
from devices.errors import DecodeError, Reject
from devices.extra import extra_bytes
from devices.texts import Names, known_licence

T = TypeVar("T")

_NAMES = (
    "time", "lon", "lat", "speed_kmh", "heading", "altitude", "hdop", "satellites", "odometer",
    "driver", "inputs", "quality",
)  # fmt: skip


class FixRows:
    """Rows of `Decoded` while a decoder reads its payloads; `payload` is the one being read."""

    def __init__(self, received: I64) -> None:
        self.payload = 0
        self._bad_parts = 0
        self.received = received
        self._rows: list[tuple[Any, ...]] = []
        self._payload: list[int] = []
        self._at: list[int] = []
        self._ident: list[int] = []
        self._extra: dict[int, bytes] = {}
        self._idents = Names()
        self._drivers = Names()
        self._refusals: list[Refusal] = []
        self._registrations: list[Registration] = []

    def __len__(self) -> int:
        """Fixes, refusals and registrations so far."""
        return len(self._rows) + len(self._refusals) + len(self._registrations)

    def add(
        self,
        time_us: float,
        lon: float,
        lat: float,
        *,
        at: int = 0,
        speed_kmh: float = nan,
        heading: float = nan,
        altitude: float = nan,
        hdop: float = nan,
        satellites: float = nan,
        odometer: float = nan,
        driver: str = "",
        ident: str = "",
        inputs: int = 0,
        quality: int = 0,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """One fix of the payload. Raises DecodeError if `extra` cannot be stored.

        driver: the licence as it was sent; placeholders are nobody's.
        """
        if extra:
            self._extra[len(self._rows)] = extra_bytes(extra)
        self._rows.append((
            time_us, lon, lat, speed_kmh, heading, altitude, hdop, satellites, odometer,
            self._drivers.number(known_licence(driver)), inputs, quality,
        ))  # fmt: skip
        self._payload.append(self.payload)
        self._at.append(at)
        self._ident.append(self._idents.number(ident))

    def refuse(self, error: DecodeError, at: int | None = None) -> None:
        """Record that the rest of the payload, or the part at this place, is refused.

        Raises DecodeError if too many parts were.
        """
        refusal = Refusal.of(self.payload, error)
        self._refusals.append(refusal if at is None else replace(refusal, at=at))
        if at is not None:
            self._bad_parts += 1
            check_bad_parts(self._bad_parts, at)

    def begin(self, payload: int) -> None:
        """Begin to read a payload."""
        self.payload = payload
        self._bad_parts = 0

    def register(self, registration: Registration) -> None:
        """Record a message of master data."""
        self._registrations.append(registration)

    def decoded(self) -> Decoded:
        """Everything gathered, checked."""
        columns = (
            dict(zip(_NAMES, zip(*self._rows, strict=True), strict=True))
            if self._rows
            else dict.fromkeys(_NAMES, ())
        )
        made = assemble(
            columns, payload=self._payload, at=self._at, received=self.received,
            extra=self._extra, refusals=self._refusals, ident=self._ident,
            idents=self._idents.known(), drivers=self._drivers.known(),
        )  # fmt: skip
        return replace(made, registrations=tuple(self._registrations))


def read_each(parts: Iterable[T], read: Callable[[T, int, FixRows], None], rows: FixRows) -> None:
    """Read the parts of one payload by their number; what `read` raises refuses its part alone.

    Raises DecodeError if too many parts were refused.
    """
    for at, part in enumerate(parts):
        try:
            read(part, at, rows)
        except DecodeError as error:
            rows.refuse(error, at)


def decode_each(
    payloads: Sequence[bytes],
    received: I64,
    read: Callable[[bytes, FixRows], None],
    only: Sequence[int] | None = None,
) -> Decoded:
    """Read payload after payload into FixRows; what `read` raises refuses the rest of its payload.

    only: indices of the payloads that are read, ascending; all of them by default.

    A payload that gives neither a fix nor a refusal is refused for having no content.
    """
    rows = FixRows(received)
    for index in range(len(payloads)) if only is None else only:
        payload = payloads[index]
        rows.begin(index)
        before = len(rows)
        try:
            check_size(payload)
            read(payload, rows)
        except DecodeError as error:
            rows.refuse(error)
        if len(rows) == before:
            rows.refuse(DecodeError(Reject.NO_CONTENT, detail="no fix in the payload"))
    return rows.decoded()
