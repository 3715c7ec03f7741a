import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.copying import HEADER, TRAILER, Layout
from storage.errors import CopyFormatError
from storage.fixes import STORED
from tests.storage.strategies import KINDS, values_of

EVERY = Layout({kind.name: kind for kind in KINDS})


@st.composite
def tables(draw):
    n = draw(st.integers(0, 20))
    return {kind.name: draw(values_of(kind, n)) for kind in KINDS}


@given(tables())
@settings(max_examples=100, deadline=None)
def test_columns_come_back_from_their_own_bytes(columns):
    found = EVERY.decode(EVERY.encode(columns))
    for name, values in columns.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype == values.dtype
        assert found[name].dtype.isnative


@pytest.mark.integration
@given(columns=tables())
@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_postgresql_reads_and_writes_the_same_bytes(empty_database, columns):
    with psycopg.connect(empty_database) as conn:
        conn.execute(
            "CREATE TEMP TABLE t (a boolean, b smallint, c integer, d bigint, e real,"
            " f double precision, g timestamptz)"
        )
        with conn.cursor().copy("COPY t FROM STDIN (FORMAT binary)") as copy:
            copy.write(EVERY.encode(columns))
        with conn.cursor().copy("COPY t TO STDOUT (FORMAT binary)") as copy:
            written = b"".join(bytes(part) for part in copy)
        rows = conn.execute("SELECT a, b, c, d, e, f FROM t").fetchall()
    assert written == EVERY.encode(columns)
    for at, kind in enumerate(KINDS[:-1]):
        np.testing.assert_array_equal(
            np.array([row[at] for row in rows], kind.native), columns[kind.name]
        )


def test_no_rows_are_a_header_and_a_trailer():
    none = {kind.name: np.empty(0, kind.native) for kind in KINDS}
    assert EVERY.encode(none) == HEADER + TRAILER


def test_a_row_of_fixes_is_as_wide_as_documented():
    assert STORED.row.itemsize == 140


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data[1:], "header"),
        (lambda data: data[:-1], "trailer"),
        (lambda data: data[:-3] + TRAILER, "rows"),
        (lambda data: data[: len(HEADER)] + b"\0\1" + data[len(HEADER) + 2 :], "count"),
        (
            # A NULL: its length is -1.
            lambda data: data[: len(HEADER) + 2] + b"\xff" * 4 + data[len(HEADER) + 6 :],
            "len boolean",
        ),
    ],
)
def test_bytes_that_are_no_such_table_are_refused(spoil, message):
    data = EVERY.encode({kind.name: np.ones(2, kind.native) for kind in KINDS})
    with pytest.raises(CopyFormatError, match=message):
        EVERY.decode(spoil(data))
