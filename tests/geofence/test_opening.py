"""Opening hours: what a text means, and which texts are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.hours import DAYS, weekly_minutes
from geofence.opening import OpeningError, weekly_hours

OSM_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("24/7", None),
        ("Mo-Su", None),
        ("00:00-24:00", None),
        ("Fr", [["fri", "00:00", "24:00"]]),
        ("fr 6:00-9:00", [["fri", "06:00", "09:00"]]),
        ("Mo,We 06:00-09:00,16:00-20:00", [
            ["mon", "06:00", "09:00"], ["mon", "16:00", "20:00"],
            ["wed", "06:00", "09:00"], ["wed", "16:00", "20:00"],
        ]),
        ("Su 22:00-05:00", [["mon", "00:00", "05:00"], ["sun", "22:00", "24:00"]]),
        ("Sa 22:00-29:00", [["sat", "22:00", "24:00"], ["sun", "00:00", "05:00"]]),
        ("Mo-Tu 06:00-09:00; Tu off", [["mon", "06:00", "09:00"]]),
        ("Mo 06:00-09:00, Mo 08:00-10:00", [["mon", "06:00", "10:00"]]),
    ],
)  # fmt: skip
def test_a_weekly_schedule_is_taken(text, hours):
    found = weekly_hours(text)
    assert found == (None if hours is None else tuple(map(tuple, hours)))
    weekly_minutes(found)


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("Mo-Su,PH 06:00-09:00", "public holidays"),
        ("Mo-Fr 06:00-09:00; PH off", "public holidays"),
        ("SH 06:00-09:00", "school holidays"),
        ("Jan-Mar 06:00-09:00", "dates"),
        ("Dec 25 off; 06:00-22:00", "dates"),
        ("2026 Mo 06:00-09:00", "dates"),
        ("week 1-10 Mo 06:00-09:00", "weeks of the year"),
        ("easter 06:00-09:00", "Easter"),
        ("sunrise-sunset", "the sun"),
        ("(sunrise+01:00)-18:00", "the sun"),
        ("Mo 18:00+", "an open end"),
        ("Mo[1] 06:00-09:00", "weekdays of a month"),
        ("06:00-22:00/15", "points in time"),
        ("Mo 06:00-09:00 unknown", "hours that are not known"),
        ('Mo 06:00-09:00 "lorries"', '"lorries"'),
        ('Mo 06:00-09:00 || "on call"', '"on call"'),
    ],
)
def test_what_is_not_the_same_every_week_is_refused_by_name(text, because):
    with pytest.raises(OpeningError) as error:
        weekly_hours(text)
    assert str(error.value).endswith(f"{because} cannot be part of it")
    assert repr(text) in str(error.value)


@pytest.mark.parametrize("text", ["", "nonsense", "T2-T6 06:00-09:00", "Mo 06:00", "Mo 6-9"])
def test_what_is_no_text_of_opening_hours_is_refused_with_its_place(text):
    with pytest.raises(OpeningError, match="expected opening hours like"):
        weekly_hours(text)


def test_a_zone_that_is_never_open_is_refused():
    with pytest.raises(OpeningError, match="never open"):
        weekly_hours("off")


def clock(minute):
    return f"{minute // 60:02}:{minute % 60:02}"


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.integers(0, 6),
        st.tuples(st.integers(0, 1_439), st.integers(1, 1_440)).filter(
            lambda pair: pair[0] != pair[1]
        ),
        min_size=1,
    )
)
def test_hours_are_those_minutes_of_the_week(spans):
    text = ", ".join(f"{OSM_DAYS[d]} {clock(a)}-{clock(b)}" for d, (a, b) in spans.items())
    minutes = np.zeros(7 * 1_440, np.bool_)
    for day, (first, last) in spans.items():
        for minute in range(first, last if last > first else last + 1_440):
            minutes[(day * 1_440 + minute) % len(minutes)] = True
    assert (weekly_minutes(weekly_hours(text)) == minutes).all()


def test_days_are_called_as_the_product_calls_them():
    assert [(weekly_hours(day) or [("", "", "")])[0][0] for day in OSM_DAYS] == list(DAYS)
