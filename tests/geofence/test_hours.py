"""Weekly hours against a slow twin that asks datetime about each instant."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.errors import RegistryError
from geofence.hours import DAYS, local_us, minute_of_week, weekly_minutes

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
ZONES = ("Asia/Ho_Chi_Minh", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "UTC")

instants = st.integers(946_684_800_000_000, 4_102_444_800_000_000)
clocks = st.integers(0, 1439)


def is_open(instant, hours, zone):
    """Whether a schedule is open, by the local wall clock."""
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)
    local = local.astimezone(zone)
    today, yesterday = DAYS[local.weekday()], DAYS[local.weekday() - 1]
    clock = f"{local:%H:%M}"
    for day, begin, end in hours:
        over_midnight = end < begin
        if day == today and begin <= clock and (over_midnight or clock < end):
            return True
        if over_midnight and day == yesterday and clock < end:
            return True
    return False


def as_clock(minute):
    return f"{minute // 60:02}:{minute % 60:02}"


intervals = st.tuples(st.sampled_from(DAYS), clocks, clocks).filter(lambda i: i[1] != i[2])
schedules = st.lists(intervals, max_size=6).map(
    lambda found: tuple((day, as_clock(begin), as_clock(end)) for day, begin, end in found)
)


@settings(max_examples=50, deadline=None)
@given(st.lists(instants, max_size=20), schedules, st.sampled_from(ZONES))
def test_hours_agree_with_the_wall_clock(times, hours, name):
    zone = ZoneInfo(name)
    minutes = weekly_minutes(hours)
    got = minutes[minute_of_week(np.array(times, np.int64), zone)]
    assert got.tolist() == [is_open(time, hours, zone) for time in times]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.integers(2000, 2030),
    st.integers(0, 366),
    st.lists(st.integers(0, 86_400_000_000), min_size=1, max_size=20),
)
def test_local_time_is_right_to_the_microsecond_when_clocks_change(name, year, day, offsets):
    zone = ZoneInfo(name)
    base = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day)
    start = int(base.timestamp()) * 1_000_000
    got = local_us(np.array([start + offset for offset in offsets], np.int64), zone)
    expected = []
    for offset in offsets:
        there = (base + timedelta(microseconds=offset)).astimezone(zone)
        passed = there.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        expected.append(passed // timedelta(microseconds=1))
    assert got.tolist() == expected


def test_the_instant_before_a_change_of_clocks_still_has_the_old_offset():
    berlin = ZoneInfo("Europe/Berlin")
    change = int(datetime(2024, 3, 31, 1, tzinfo=UTC).timestamp()) * 1_000_000
    got = local_us(np.array([change - 1, change], np.int64), berlin)
    assert (got - np.array([change - 1, change])).tolist() == [3_600_000_000, 7_200_000_000]


def test_hours_are_half_open():
    minutes = weekly_minutes([["mon", "06:00", "09:00"]])
    assert np.flatnonzero(minutes).tolist() == list(range(360, 540))


def test_hours_past_midnight_reach_into_the_next_day_and_sunday_into_monday():
    minutes = weekly_minutes([["sun", "22:00", "05:00"]])
    expected = [*range(300), *range(6 * 1440 + 1320, 7 * 1440)]
    assert np.flatnonzero(minutes).tolist() == expected


def test_a_whole_day_ends_at_24_00_and_an_end_of_00_00_is_the_same():
    whole = weekly_minutes([["tue", "00:00", "24:00"]])
    assert np.flatnonzero(whole).tolist() == list(range(1440, 2880))
    late = weekly_minutes([["tue", "20:00", "00:00"]])
    assert np.flatnonzero(late).tolist() == list(range(1440 + 1200, 2880))


def test_no_hours_are_all_hours_and_an_empty_list_is_none():
    assert weekly_minutes(None).all()
    assert not weekly_minutes([]).any()


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        ([["monday", "06:00", "09:00"]], "expected a day of mon, tue"),
        ([["mon", "6:00", "09:00"]], "expected a time from 00:00 to 24:00, got '6:00'"),
        ([["mon", "06:00", "25:00"]], "got '25:00'"),
        ([["mon", "06:00", "24:01"]], "got '24:01'"),
        ([["mon", "06:00", 540]], "got 540"),
        ([["mon", "06:00", "06:00"]], "expected hours of some length"),
        ([["mon", "24:00", "06:00"]], "expected hours of some length"),
        ([["mon", "06:00"]], "expected [day, from, to]"),
        (["mon"], "expected [day, from, to]"),
    ],
)
def test_wrong_hours_are_refused_with_their_place(hours, message):
    with pytest.raises(RegistryError) as caught:
        weekly_minutes([["mon", "01:00", "02:00"], *hours], "weekly_hours")
    assert str(caught.value).startswith("weekly_hours[1]: ")
    assert message in str(caught.value)
