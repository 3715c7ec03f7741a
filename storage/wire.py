"""Fixed-width PostgreSQL types as they travel: NumPy dtypes, big-endian, and their numbers.

Instants are int64 microseconds since 1970 on our side and since 2000 on theirs; the ends of int64
are -infinity and infinity on both.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from devices.batch import I64

PG_EPOCH_US: Final = 946_684_800_000_000
"""2000-01-01T00:00:00Z in microseconds since 1970."""

BEGINNING_US: Final = int(np.iinfo(np.int64).min)
"""-infinity."""

END_US: Final = int(np.iinfo(np.int64).max)
"""infinity."""


@dataclass(frozen=True, slots=True)
class Wire:
    """One type. `dtype` is its form on the wire, `native` ours."""

    name: str
    oid: int
    array_oid: int
    dtype: np.dtype[Any]
    native: np.dtype[Any]

    def outgoing(self, values: NDArray[Any]) -> NDArray[Any]:
        """Our values as theirs; any byte order, the same shape."""
        if self is TIMESTAMPTZ:
            return _shifted(np.asarray(values, np.int64), -PG_EPOCH_US)
        return values

    def incoming(self, raw: NDArray[Any]) -> NDArray[Any]:
        """Their values as ours: native byte order, contiguous."""
        values = np.ascontiguousarray(raw, self.native)
        return _shifted(values, PG_EPOCH_US) if self is TIMESTAMPTZ else values


def _shifted(values: I64, by: int) -> I64:
    finite = (values != BEGINNING_US) & (values != END_US)
    return values + np.where(finite, by, 0)


def _wire(name: str, oid: int, array_oid: int, code: str) -> Wire:
    return Wire(name, oid, array_oid, np.dtype(">" + code), np.dtype("=" + code))


# Object identifiers of the system catalogue; PostgreSQL never changes them.
BOOL: Final = _wire("boolean", 16, 1000, "b1")
INT2: Final = _wire("smallint", 21, 1005, "i2")
INT4: Final = _wire("integer", 23, 1007, "i4")
INT8: Final = _wire("bigint", 20, 1016, "i8")
FLOAT4: Final = _wire("real", 700, 1021, "f4")
FLOAT8: Final = _wire("double precision", 701, 1022, "f8")
TIMESTAMPTZ: Final = _wire("timestamp with time zone", 1184, 1185, "i8")
