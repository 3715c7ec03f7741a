import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.batch import FixBatch
from devices.catalogue import CODECS, codec
from devices.checks import on_globe, times_in_range, when
from devices.codec import EARLIEST_FIX_US, LATEST_AHEAD_US, Codec, Refusal, register
from devices.errors import CodecNotFoundError, DecodeError, Reject
from devices.extra import extra_bytes, extra_values
from devices.rows import FixRows
from devices.texts import Names, known_licence, normal_plate, printable
from tests.devices.made_up import NOW_US, arrived
from tests.devices.plausible import assert_plausible

angle = st.floats() | st.sampled_from([90.0, -90.0, 180.0, -180.0, 90.0000001, 180.0000001, 0.0])


def slow_on_globe(lon: float, lat: float) -> bool:
    return any(
        abs(x) <= 180 and abs(y) <= 90
        for x, y in ((lon, lat), (lat, lon))
        if math.isfinite(x) and math.isfinite(y)
    )


@given(pairs=st.lists(st.tuples(angle, angle), max_size=6))
def test_pairs_on_the_globe_are_those_of_the_slow_twin(pairs):
    lon = np.array([pair[0] for pair in pairs])
    lat = np.array([pair[1] for pair in pairs])
    assert on_globe(lon, lat).tolist() == [slow_on_globe(*pair) for pair in pairs]


def test_times_at_the_bounds_are_in_range():
    last = NOW_US + LATEST_AHEAD_US
    times = [EARLIEST_FIX_US, EARLIEST_FIX_US - 1, last, last + 1, math.nan, math.inf, -math.inf]
    expected = [True, False, True, False, False, False, False]
    assert times_in_range(np.array(times, float), arrived(7)).tolist() == expected


@pytest.mark.parametrize(
    ("time", "lon", "lat", "reason"),
    [
        (math.nan, 1, 1, Reject.NOT_FINITE),
        (NOW_US, math.inf, 1, Reject.NOT_FINITE),
        (NOW_US, 1, math.nan, Reject.NOT_FINITE),
        (0, 1, 1, Reject.TIME_OUT_OF_RANGE),
        (4_294_967_295e6, 1, 1, Reject.TIME_OUT_OF_RANGE),
        (1e300, 1, 1, Reject.TIME_OUT_OF_RANGE),
        (NOW_US, 181, 1, Reject.COORDINATES_OUT_OF_RANGE),
        (NOW_US, 1, 181, Reject.COORDINATES_OUT_OF_RANGE),
        (NOW_US, 91, 91, Reject.COORDINATES_OUT_OF_RANGE),
    ],
)
def test_a_bad_fix_is_refused_and_the_good_ones_beside_it_stay(time, lon, lat, reason):
    rows = FixRows(arrived(3))
    rows.add(NOW_US, 106.5, 10.5, extra={"first": 1})
    rows.payload = 1
    rows.add(time, lon, lat, at=7, ident="x", extra={"bad": 1})
    rows.payload = 2
    rows.add(NOW_US, 10.5, 106.5, ident="y", extra={"last": 1})
    decoded = rows.decoded()
    assert_plausible(decoded, 3)
    assert [(r.payload, r.reason, r.at) for r in decoded.refusals] == [(1, reason, 7)]
    assert decoded.fix_payload.tolist() == [0, 2]
    assert [decoded.idents[i] if i >= 0 else "" for i in decoded.fix_ident] == ["", "y"]
    assert decoded.fixes.extra == {0: b'{"first":1}', 1: b'{"last":1}'}


@pytest.mark.parametrize(
    ("column", "value", "kept"),
    [
        ("speed_kmh", -1.0, -1.0), ("speed_kmh", math.inf, "inf"), ("heading", 360.5, 360.5),
        ("altitude", -20_000.0, -20_000.0), ("hdop", -1.0, -1.0), ("satellites", 300.0, 300.0),
        ("odometer", 1e300, 1e300),
    ],
)  # fmt: skip
def test_a_senseless_value_is_unknown_and_kept_in_extra(column, value, kept):
    rows = FixRows(arrived(1))
    rows.add(NOW_US, 106.5, 10.5, **{column: value}, extra={"a": 1})
    decoded = rows.decoded()
    assert_plausible(decoded, 1)
    assert decoded.refusals == ()
    blank = FixBatch.blank(1)
    np.testing.assert_array_equal(getattr(decoded.fixes, column), getattr(blank, column))
    assert extra_values(decoded.fixes.extra[0]) == {"a": 1, "implausible": {column: kept}}


@pytest.mark.parametrize(("sent", "stored"), [(360.0, 0.0), (359.9999999, 0.0), (0.0, 0.0)])
def test_a_full_circle_is_north(sent, stored):
    rows = FixRows(arrived(1))
    rows.add(NOW_US, 106.5, 10.5, heading=sent)
    assert rows.decoded().fixes.heading[0] == stored


@pytest.mark.parametrize(
    "bad",
    [
        {"a": "\0"}, {"\0": 1}, {"a": ["\ud800"]}, {"a": math.nan}, {"a": {"b": math.inf}},
        {"a": 1 << 64}, {"a": "x" * 20_000}, {"a": object()},
    ],
)  # fmt: skip
def test_extra_that_could_not_be_stored_is_refused(bad):
    with pytest.raises(DecodeError):
        extra_bytes(bad)


def test_extra_nested_too_deeply_is_refused():
    value: dict[str, object] = {}
    for _ in range(50):
        value = {"a": value}
    with pytest.raises(DecodeError, match="deeper"):
        extra_bytes(value)


@pytest.mark.parametrize(
    ("raw", "plate"),
    [
        ("43C-143.90", "43C14390"), (" 11a 1234 ", "11A1234"), ("59LĐ-123.45", "59LD12345"),
        ("59lđ12345", "59LD12345"), ("-. ", ""), ("٣٤", ""),
    ],
)  # fmt: skip
def test_plates_are_compared_by_letters_and_digits(raw, plate):
    assert normal_plate(raw) == plate


@pytest.mark.parametrize("raw", ["", " ", "123451234512345", "Unknown", "a\0b", "x" * 65])
def test_placeholders_are_no_driver(raw):
    assert known_licence(raw) == ""


def test_a_licence_is_kept_as_sent():
    assert known_licence(" 480123456789 ") == "480123456789"


def test_names_are_numbered_in_order_of_appearance():
    names = Names()
    assert names.numbers(["b", "", "a", "b"]) == [0, -1, 1, 0]
    assert names.known() == ("b", "a")


@given(text=st.text())
def test_details_are_printable_and_short(text):
    refusal = Refusal.of(0, DecodeError(Reject.BAD_VALUE, detail=text))
    assert refusal.detail == printable(text)
    assert refusal.detail.isprintable()


def test_instants_are_shown_as_dates_where_the_calendar_has_them():
    assert when(NOW_US) == "2026-01-05T12:00:00.000000Z"
    assert when(1e300) == "1e+294 s"


def test_two_codecs_of_one_name_are_an_error():
    with pytest.raises(RuntimeError, match="registered twice"):
        register(Codec(name="json", decode=CODECS["json"].decode))


def test_an_unknown_codec_names_the_known_ones():
    with pytest.raises(CodecNotFoundError, match=r"expected one of .*\bjson, .*\bnmea\b"):
        codec("morse")
