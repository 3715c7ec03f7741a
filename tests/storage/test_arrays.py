import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import arrays, wire
from storage.errors import CopyFormatError
from tests.storage.connected import connected, rows
from tests.storage.strategies import INSTANTS, KINDS, values_of

PARAMS = {
    kind.type: kind
    for kind in (
        arrays.Bools,
        arrays.Int2s,
        arrays.Int4s,
        arrays.Int8s,
        arrays.Float4s,
        arrays.Float8s,
        arrays.Instants,
    )
}
AGAINST_A_DATABASE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

pytestmark = pytest.mark.integration


@given(data=st.data())
@AGAINST_A_DATABASE
def test_arrays_come_back_from_the_database(empty_database, data):
    kind = data.draw(st.sampled_from(KINDS))
    values = data.draw(st.integers(0, 30).flatmap(lambda n: values_of(kind, n)))

    async def there_and_back(conn):
        return await arrays.read_columns(
            arrays.cursor(conn),
            b"SELECT array_agg(v ORDER BY n) FROM unnest(%(v)s) WITH ORDINALITY AS k (v, n)",
            {"v": PARAMS[kind](values)},
            {"v": kind},
        )

    found = connected(empty_database, there_and_back)["v"]
    np.testing.assert_array_equal(found, values)
    assert found.dtype == values.dtype


@given(texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), max_size=30))
@AGAINST_A_DATABASE
def test_texts_come_back_from_the_database(empty_database, texts):
    async def there_and_back(conn):
        cur = arrays.cursor(conn)
        await cur.execute(
            "SELECT coalesce(array_agg(v ORDER BY n), '{}')"
            " FROM unnest(%s::text[]) WITH ORDINALITY AS k (v, n)",
            [arrays.Texts(texts)],
        )
        return await cur.fetchone()

    assert connected(empty_database, there_and_back) == (texts,)


@given(instant=INSTANTS)
@AGAINST_A_DATABASE
def test_an_instant_comes_back_as_microseconds(empty_database, instant):
    async def there_and_back(conn):
        cur = arrays.cursor(conn)
        await cur.execute("SELECT %s", [arrays.Instant(instant)])
        return await cur.fetchone()

    assert connected(empty_database, there_and_back) == (instant,)


def test_the_ends_of_time_are_infinities(empty_database):
    async def texts(conn):
        cur = arrays.cursor(conn)
        ends = arrays.Instants(np.array([wire.BEGINNING_US, 0, wire.END_US]))
        await cur.execute("SELECT (%s)::text[]", [ends])
        return await cur.fetchone()

    assert connected(empty_database, texts) == (
        ["-infinity", "1970-01-01 00:00:00+00", "infinity"],
    )


def test_other_cursors_of_the_connection_keep_their_types(empty_database):
    async def both(conn):
        arrays.cursor(conn)
        return await rows(conn, "SELECT pg_typeof(now())::text, extract(year FROM now()) > 2000")

    assert connected(empty_database, both) == [("timestamp with time zone", True)]


@pytest.mark.parametrize("query", [b"SELECT ARRAY[1, NULL]", b"SELECT ARRAY[[1], [2]]"])
def test_arrays_that_are_no_column_are_refused(empty_database, query):
    async def read(conn):
        return await arrays.read_columns(arrays.cursor(conn), query, {}, {"v": wire.INT4})

    with pytest.raises(CopyFormatError):
        connected(empty_database, read)
