"""Stops and trips: hand-made cases of docs/rules.md section 5, and a slow twin."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.stops import Stop, StopRule, Trip, summarize
from devices.batch import FixBatch, Quality
from geofence.geodesy import EARTH_RADIUS_M

RULE = StopRule()
STEP_S = 30
METRE_DEG = 1 / (EARTH_RADIUS_M * math.pi / 180)


def track(speeds, *, gap_s=STEP_S, quality=0, known=True):
    """A drive due north from (105, 10) whose steps are as long as the speeds say."""
    time = np.arange(len(speeds), dtype=np.int64) * gap_s * 1_000_000
    metres = np.cumsum([0.0, *[kmh / 3.6 * gap_s for kmh in speeds[1:]]])[: len(speeds)]
    return FixBatch.blank(
        len(speeds),
        time=time,
        lon=np.full(len(speeds), 105.0),
        lat=10 + metres * METRE_DEG,
        speed_kmh=speeds if known else np.full(len(speeds), np.nan),
        quality=np.full(len(speeds), quality),
    )


def seconds(stop):
    return stop.started / 1e6, stop.ended / 1e6


def test_a_stop_runs_from_the_first_slow_fix_to_the_first_fast_one():
    found = summarize(track([40, 40, 0, 0, 3, 0, 0, 0, 0, 0, 40, 40]), RULE)
    assert [seconds(stop) for stop in found.stops] == [(60, 300)]
    assert found.stops[0].fixes == 8
    assert not found.stops[0].is_open


def test_one_slow_fix_alone_begins_nothing_and_one_fast_fix_alone_ends_nothing():
    assert summarize(track([40, 40, 0, 40, 40, 0, 40, 40]), RULE).stops == ()
    found = summarize(track([40, 40, 0, 0, 0, 40, 0, 0, 0, 0, 0, 40, 40]), RULE)
    assert [seconds(stop) for stop in found.stops] == [(60, 330)]


@pytest.mark.parametrize(("slow", "stops"), [(6, 1), (5, 0)])
def test_a_stop_of_exactly_the_least_duration_counts_and_a_shorter_one_is_a_pause(slow, stops):
    assert len(summarize(track([40, 40, *[0] * slow, 40, 40]), RULE).stops) == stops


def test_a_stop_that_goes_on_at_the_last_fix_is_open():
    found = summarize(track([40, 40, *[0] * 8]), RULE)
    assert found.stops[0].is_open
    assert seconds(found.stops[0]) == (60, 270)
    assert found.stops[0].fixes == 8


@pytest.mark.parametrize(
    ("lons", "mean"),
    [
        ([179.9, -179.9], 180.0), ([179.9, -179.7], -179.9), ([-179.9, 179.7], 179.9),
        ([-0.1, 0.3], 0.1), ([179.7, 179.9], 179.8), ([-179.9, -179.7], -179.8),
    ],
)  # fmt: skip
def test_a_stop_on_the_antimeridian_is_not_on_the_other_side_of_the_earth(lons, mean):
    still = track([0.0] * 20)
    (stop,) = summarize(still.with_columns(lon=np.array(lons * 10)), RULE).stops
    assert stop.lon == pytest.approx(mean)


def test_the_speed_of_a_fix_without_one_is_that_of_the_step_to_it():
    profile = [40, 40, *[0] * 8, 40, 40, 40]
    told, derived = summarize(track(profile), RULE), summarize(track(profile, known=False), RULE)
    assert [seconds(s) for s in derived.stops] == [seconds(s) for s in told.stops] == [(60, 300)]


def test_an_implausible_speed_is_not_believed():
    fixes = track([40, 40, *[0] * 8, 40, 40])
    speeds, quality = fixes.speed_kmh.copy(), fixes.quality.copy()
    speeds[5:7], quality[5:7] = 220, int(Quality.SPEED_IMPLAUSIBLE)
    found = summarize(fixes.with_columns(speed_kmh=speeds, quality=quality), RULE)
    assert [seconds(stop) for stop in found.stops] == [(60, 300)]


def test_unclean_fixes_are_counted_but_seen_by_nothing():
    fixes = track([40] * 6)
    quality, lat = fixes.quality.copy(), fixes.lat.copy()
    quality[3], lat[3] = int(Quality.JUMP), 50.0
    found = summarize(fixes.with_columns(quality=quality, lat=lat), RULE)
    assert (found.fixes, found.clean_fixes) == (6, 5)
    assert found.distance_m == pytest.approx(40 / 3.6 * 150, rel=1e-6)


def test_a_step_of_impossible_speed_adds_no_distance():
    assert summarize(track([40, 40, 400, 40]), RULE).distance_m == pytest.approx(80 / 3.6 * 30)


def test_trips_lie_between_stops_of_fifteen_minutes():
    long, short = [0] * 30, [0] * 10
    found = summarize(track([40, 40, *long, 50, 50, *short, 50, 50, *long, 30, 30, 30]), RULE)
    assert len(found.stops) == 3
    edges = [(t.started / 1e6, t.ended / 1e6, t.is_open_start, t.is_open_end) for t in found.trips]
    assert edges == [
        (0, 60, True, False),
        (960, 1380, False, False),
        (2280, 2340, False, True),
    ]
    assert found.trips[1].distance_m == pytest.approx(3 * 50 / 3.6 * 30, rel=1e-6)


def test_manoeuvring_under_250_metres_is_no_trip():
    found = summarize(track([0] * 30 + [4] * 4 + [0] * 31), RULE)
    assert len(found.stops) == 2
    assert found.trips == ()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_few_fixes_are_no_trouble(n):
    found = summarize(track([40] * n), RULE)
    assert found.stops == ()
    assert found.fixes == n


def slow_stops(time, lon, lat, speed, rule):
    """The definition, said as a loop over fixes."""
    stops, begin, everything = [], None, []
    for i in range(len(time) - 1):
        if (
            begin is None
            and speed[i] <= rule.stop_speed_kmh
            and speed[i + 1] <= rule.stop_speed_kmh
        ):
            begin = i
        elif begin is not None and min(speed[i], speed[i + 1]) > rule.stop_speed_kmh:
            everything.append((begin, i, False))
            begin = None
    if begin is not None:
        everything.append((begin, len(time) - 1, True))
    for first, last, is_open in everything:
        if time[last] - time[first] >= rule.min_stop_s * 1e6:
            rows = range(first, last + 1 if is_open else last)
            stops.append(
                Stop(
                    time[first], time[last], math.fsum(lon[r] for r in rows) / len(rows),
                    math.fsum(lat[r] for r in rows) / len(rows), len(rows), is_open,
                )
            )  # fmt: skip
    return stops, everything


def slow_trips(time, lon, lat, length, everything, rule):
    trips, begin, is_open_start = [], 0, True

    def add(end, is_open_end):
        driven = math.fsum(length[begin:end])
        if driven >= rule.min_trip_m:
            trips.append(
                Trip(
                    time[begin], time[end], (lon[begin], lat[begin]), (lon[end], lat[end]),
                    driven, is_open_start, is_open_end,
                )
            )  # fmt: skip

    for first, last, is_open in everything:
        if time[last] - time[first] >= rule.trip_stop_s * 1e6:
            add(first, is_open_end=False)
            if is_open:
                return trips
            begin, is_open_start = last, False
    add(len(time) - 1, is_open_end=True)
    return trips


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 2.0, 3.0, 3.5, 30.0, 60.0]),
            st.sampled_from([10, 30, 200, 1000]),
            st.floats(-0.004, 0.004),
            st.booleans(),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_the_arrays_and_the_loop_agree(rows):
    time = np.cumsum([gap for _, gap, _, _ in rows]) * 1_000_000
    lat = 10 + np.cumsum([move for _, _, move, _ in rows])
    lon = np.full(len(rows), 105.0)
    quality = [0 if clean else int(Quality.JUMP) for *_, clean in rows]
    speed = np.array([kmh for kmh, *_ in rows])
    found = summarize(
        FixBatch.blank(len(rows), time=time, lon=lon, lat=lat, speed_kmh=speed, quality=quality),
        RULE,
    )
    keep = np.array(quality) == 0
    time, lon, lat, speed = time[keep].tolist(), lon[keep].tolist(), lat[keep].tolist(), speed[keep]
    if not time:
        assert (len(found.trips), len(found.stops)) == (0, 0)
        return
    length = [abs(b - a) / METRE_DEG for a, b in itertools.pairwise(lat)]
    length = [
        0.0 if m / (b - a) * 3.6e6 > RULE.impossible_kmh else m
        for m, a, b in zip(length, time, time[1:], strict=False)
    ]
    stops, everything = slow_stops(time, lon, lat, speed, RULE)
    assert [(s.started, s.ended, s.fixes, s.is_open) for s in found.stops] == [
        (s.started, s.ended, s.fixes, s.is_open) for s in stops
    ]
    assert [s.lat for s in found.stops] == pytest.approx([s.lat for s in stops])
    assert found.distance_m == pytest.approx(math.fsum(length), abs=1e-3)
    trips = slow_trips(time, lon, lat, length, everything, RULE)
    near = [t for t in trips if t.distance_m - RULE.min_trip_m > 0.01]
    mine = [t for t in found.trips if t.distance_m - RULE.min_trip_m > 0.01]
    assert [(t.started, t.ended, t.start, t.end, t.is_open_start, t.is_open_end) for t in mine] == [
        (t.started, t.ended, t.start, t.end, t.is_open_start, t.is_open_end) for t in near
    ]
    assert [t.distance_m for t in mine] == pytest.approx([t.distance_m for t in near], abs=1e-3)
