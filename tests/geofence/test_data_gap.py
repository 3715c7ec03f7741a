"""Data gaps: moving at the last fix, and nothing for over two minutes."""

import math

import pytest

from tests.geofence.scene import fixes, found, of_kind


def test_exactly_two_minutes_are_no_gap():
    assert found(fixes([0, 120], 40), "data_gap") == []
    assert found(fixes([0, 120.000001], 40), "data_gap") == [(0, 120.000001, False)]


def test_a_vehicle_at_the_stop_speed_does_not_move():
    assert found(fixes([0, 600], 3), "data_gap") == []
    assert found(fixes([0, 600], 3.5), "data_gap") == [(0, 600, False)]


def test_a_gap_reports_both_ends():
    (gap,) = of_kind(fixes([0, 300], [40, 0], metres=[0, 1_000], driver=[7, 8]), "data_gap")
    assert (gap.fixes, gap.driver, gap.details) == (2, 7, {"last_speed_kmh": 40.0})
    assert gap.distance_m == pytest.approx(1_000.0, rel=1e-6)


def test_without_a_speed_the_step_into_the_last_fix_tells():
    nan = math.nan
    assert found(fixes([0, 300], nan), "data_gap") == []
    moved = fixes([0, 60, 360], nan, metres=[0, 100, 100])
    assert found(moved, "data_gap") == [(60, 360, False)]
    stood = fixes([0, 60, 360], nan, metres=[0, 10, 100])
    assert found(stood, "data_gap") == []


def test_a_gap_that_has_not_ended_is_not_reported():
    assert found(fixes([0, 10], 40), "data_gap") == []
