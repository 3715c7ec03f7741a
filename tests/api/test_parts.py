"""Parts that need no server: SQL blocks, instants, cursors, bits by name."""

import math
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursors import MOST_INSTANT_US, encode_cursor, time_cursor
from api.encoding import instant_text, json_answer, microseconds
from devices.batch import Input, Quality, inputs_word
from storage.reading import blocks
from storage.reading.fixes import input_states, quality_names
from storage.reading.loading import InstantLoader

FILES = sorted(path.name for path in blocks.FOLDER.glob("*.sql"))


def test_every_block_of_sql_has_a_purpose_and_none_is_formatted():
    assert len(FILES) >= 8
    for file in FILES:
        for name, statement in blocks.load_blocks(file).items():
            assert statement, f"{file}: {name}"
            assert b"{" not in statement.replace(b"'{}'", b""), f"{file}: {name}"


@pytest.mark.parametrize(
    "text",
    ["-- name: x\nSELECT 1", "-- name: x\n-- One.\nSELECT 1\n-- name: x\n-- Two.\nSELECT 2"],
)
def test_a_block_without_a_purpose_or_with_a_twin_is_refused(tmp_path, monkeypatch, text):
    monkeypatch.setattr(blocks, "FOLDER", tmp_path)
    (tmp_path / "bad.sql").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"bad\.sql"):
        blocks.load_blocks("bad.sql")


@given(st.integers(0, MOST_INSTANT_US))
def test_an_instant_is_written_with_milliseconds_that_are_cut(at_us):
    text = instant_text(at_us)
    assert len(text) == 24
    read = datetime.fromisoformat(text)
    assert microseconds(read) == at_us - at_us % 1000


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(9000, 1, 1)))  # noqa: DTZ001
def test_microseconds_of_an_instant_are_exact(naive):
    instant = naive.replace(tzinfo=UTC)
    since = timedelta(microseconds=microseconds(instant))
    assert datetime(1970, 1, 1, tzinfo=UTC) + since == instant


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (b"2026-05-04 08:00:00+00", "2026-05-04T08:00:00.000Z"),
        (b"2026-05-04 08:00:00.5+00", "2026-05-04T08:00:00.500Z"),
        (b"2026-05-04 08:00:00.123999+00", "2026-05-04T08:00:00.123Z"),
        (b"infinity", None),
        (b"-infinity", None),
    ],
)
def test_instants_of_the_database_become_text(stored, shown):
    assert InstantLoader(1184).load(stored) == shown


@pytest.mark.parametrize("stored", [b"2026-05-04 15:00:00+07", b"04/05/2026 08:00:00+00"])
def test_an_instant_that_is_not_in_utc_is_an_error_and_not_a_wrong_time(stored):
    with pytest.raises(ValueError, match="expected ISO text in UTC"):
        InstantLoader(1184).load(stored)


@given(st.integers(0, MOST_INSTANT_US), st.integers(0, (1 << 63) - 1))
def test_a_cursor_gives_back_its_key(at_us, number):
    assert time_cursor("violations", encode_cursor("violations", at_us, number)) == (at_us, number)


@given(st.integers(0, 0xFF))
def test_every_bit_of_quality_has_its_name(bits):
    assert quality_names(bits) == tuple(str(q.name).lower() for q in Quality if bits & q)


@given(st.dictionaries(st.sampled_from(list(Input)), st.booleans()))
def test_inputs_are_named_as_they_were_packed_also_from_a_signed_word(states):
    signed = int(np.uint32(inputs_word(states)).view(np.int32))
    assert input_states(signed) == {str(bit.name).lower(): on for bit, on in states.items()}


def test_what_is_not_a_number_is_null():
    body = json_answer({"a": math.nan, "b": math.inf, "c": 1.5}).body
    assert msgspec.json.decode(body) == {"a": None, "b": None, "c": 1.5}
