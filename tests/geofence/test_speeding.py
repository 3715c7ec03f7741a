"""Speeding: bounds, both ways of measuring, what is reported."""

import math

import pytest

from geofence.registry import VehicleRule, Zone
from geofence.rules.speeding import band_of
from tests.geofence.scene import START_US, driven, fixes, found, of_kind

EDGES = (5.0, 10.0, 20.0, 35.0)


def square(south, north):
    ring = [[105.9, south], [106.1, south], [106.1, north], [105.9, north], [105.9, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def test_exactly_the_limit_is_not_over_it():
    assert found(fixes([0, 10, 20, 30], 80.0), "speeding") == []
    assert found(fixes([0, 10, 20, 30], [80.5] * 4), "speeding") == [(0, 30, True)]


def test_a_run_of_exactly_the_minimum_duration_counts():
    assert found(fixes([0, 20, 30], [81, 81, 0]), "speeding") == [(0, 20, False)]
    assert found(fixes([0, 19.999999, 30], [81, 81, 0]), "speeding") == []


def test_a_gap_of_exactly_the_maximum_joins_two_fixes():
    assert found(fixes([0, 60], 81), "speeding") == [(0, 60, True)]
    assert found(fixes([0, 60.000001], 81), "speeding") == []
    assert found(fixes([0, 30, 91, 121], 81), "speeding") == [(0, 30, False), (91, 121, True)]


def test_a_fix_without_a_speed_ends_a_run():
    speed = [81, 81, math.nan, 81, 81]
    assert found(fixes([0, 20, 40, 60, 80], speed), "speeding") == [(0, 20, False), (60, 80, True)]


def test_a_run_reports_its_greatest_excess_and_the_first_limit_that_had_it():
    zones = [
        Zone(1, "slow", "speed", square(9.9, 10.0), speed_limits={"*": 60.0}),
        Zone(2, "fast", "speed", square(10.0001, 10.2), speed_limits={"*": 70.0}),
    ]
    batch = fixes([0, 20, 40, 60], [75, 90, 100, 90], metres=[0, 50, 100, 150], driver=[7, 8, 8, 8])
    (run,) = of_kind(batch, "speeding", zones=zones)
    assert run.details == {
        "max_speed_kmh": 100.0,
        "mean_speed_kmh": 88.75,
        "limit_kmh": 70.0,
        "limit_source": "zone",
        "limit_zone": "fast",
        "max_excess_kmh": 30.0,
        "band": "20_35",
    }
    assert (run.fixes, run.driver, run.profile) == (4, 7, "qcvn31")
    assert run.started == START_US
    assert run.distance_m == pytest.approx(150.0, rel=1e-6)
    equal = fixes([0, 20], [70, 80], metres=[0, 50])
    (run,) = of_kind(equal, "speeding", zones=zones)
    assert (run.details["limit_zone"], run.details["max_excess_kmh"]) == ("slow", 10.0)


def test_the_limit_says_where_it_came_from():
    batch = fixes([0, 20], 85)
    (default,) = of_kind(batch, "speeding")
    (own,) = of_kind(batch, "speeding", vehicle=VehicleRule(1, speed_limit_kmh=70.0))
    assert (default.details["limit_source"], default.details["limit_kmh"]) == ("profile", 80.0)
    assert (own.details["limit_source"], own.details["limit_kmh"]) == ("vehicle", 70.0)


@pytest.mark.parametrize(
    ("excess", "band"),
    [
        (0.5, "under_5"), (4.999, "under_5"), (5, "5_10"), (9.999, "5_10"), (10, "10_20"),
        (20, "20_35"), (34.9, "20_35"), (35, "35_up"), (90, "35_up"),
    ],
)  # fmt: skip
def test_bands_include_their_lower_edge(excess, band):
    assert band_of(excess, EDGES) == band


def test_steps_of_exactly_the_minimum_duration_do_not_count():
    times = [0.0, 15.0, 30.0]
    assert found(fixes(times, 0, metres=driven(times, 90)), "speeding", profile="tt09") == []
    times = [0.0, 15.0, 30.0, 30.5]
    batch = fixes(times, [90, 90, 90, 90], metres=driven(times, 90))
    assert found(batch, "speeding", profile="tt09") == [(0, 30.5, True)]


def test_a_step_of_up_to_ten_seconds_compares_the_mean_of_both_speeds():
    times = [0, 10, 20, 30, 40]
    assert found(fixes(times, 86), "speeding", profile="tt09") == [(0, 40, True)]
    assert found(fixes(times, 85), "speeding", profile="tt09") == []
    assert found(fixes(times, [86, 84] * 2 + [86]), "speeding", profile="tt09") == []
    assert found(fixes(times, [86, 86, math.nan, 86, 86]), "speeding", profile="tt09") == []


def test_a_longer_step_compares_distance_by_time_whatever_was_reported():
    times = [0, 11, 22, 33]
    batch = fixes(times, math.nan, metres=driven(times, 90))
    (run,) = of_kind(batch, "speeding", profile="tt09")
    assert run.details["max_speed_kmh"] == pytest.approx(90.0, rel=1e-6)
    assert run.details["max_excess_kmh"] == pytest.approx(10.0, rel=1e-5)
    assert (run.fixes, run.is_open) == (4, True)


def test_the_limit_of_a_step_is_that_of_its_first_fix():
    zones = [Zone(1, "slow", "speed", square(9.9, 10.0), speed_limits={"*": 40.0})]
    times = [0, 31, 62]
    batch = fixes(times, 0, metres=driven(times, 60))
    (run,) = of_kind(batch, "speeding", zones=zones, profile="tt09")
    assert (run.ended - run.started, run.fixes) == (31_000_000, 2)
    assert run.details["limit_kmh"] == 40.0


def test_an_implausible_speed_is_no_speed():
    assert found(fixes([0, 20, 40], 201), "speeding") == []
