"""Random fixes and columns, with the values that break things."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from devices.batch import COLUMNS, FixBatch
from storage import wire
from storage.wire import Wire

YEAR_2000_US = 946_684_800_000_000
NOV_2023_US = 1_700_000_000_000_000

KINDS = (wire.BOOL, wire.INT2, wire.INT4, wire.INT8, wire.FLOAT4, wire.FLOAT8, wire.TIMESTAMPTZ)

# Microseconds, of whole milliseconds or not, on either side of what a column of them can hold.
DELAYS = st.one_of(
    st.integers(-(1 << 31) - 5, (1 << 31) + 5).map(lambda ms: ms * 1000),
    st.integers(-(10**16), 10**16),
    st.sampled_from([0, 1, -1, -(1 << 31) * 1000, ((1 << 31) - 1) * 1000]),
)

# 4713 BC and the year 294276: the ends of timestamptz, beside which only the infinities are.
INSTANTS = st.one_of(
    st.integers(-210_866_803_200_000_000 + 1, 9_224_318_015_999_999_999 // 1000),
    st.sampled_from([wire.BEGINNING_US, wire.END_US, 0, YEAR_2000_US]),
)


def values_of(kind: Wire, n: int) -> st.SearchStrategy[NDArray[Any]]:
    if kind is wire.TIMESTAMPTZ:
        return st.lists(INSTANTS, min_size=n, max_size=n).map(lambda v: np.array(v, np.int64))
    return npst.arrays(kind.native, n, elements=npst.from_dtype(kind.native))


@st.composite
def fix_batches(draw, max_size: int = 30) -> FixBatch:
    """Fixes with distinct keys, sorted, over a few vehicles and days, other columns anything."""
    keys = draw(
        st.sets(
            st.tuples(st.integers(1, 5), st.integers(0, 3 * 86_400 * 4)),
            min_size=1,
            max_size=max_size,
        )
    )
    ordered = sorted(keys)
    n = len(ordered)
    columns = {
        name: draw(npst.arrays(dtype, n, elements=npst.from_dtype(np.dtype(dtype))))
        for name, (dtype, _) in COLUMNS.items()
        if name not in {"vehicle", "time", "received"}
    }
    return FixBatch.blank(
        n,
        vehicle=[v for v, _ in ordered],
        time=[NOV_2023_US + t * 250_000 for _, t in ordered],
        received=[NOV_2023_US + t * 250_000 + draw(DELAYS) for _, t in ordered],
        **columns,
    )


def assert_same_fixes(found: FixBatch, expected: FixBatch) -> None:
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
        assert getattr(found, name).dtype == getattr(expected, name).dtype
