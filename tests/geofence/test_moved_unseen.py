"""Moved unseen: a gap of over 15 minutes across which the place changed by over a kilometre."""

import pytest

from tests.geofence.scene import fixes, found, of_kind


def test_exactly_fifteen_minutes_are_no_such_gap():
    assert found(fixes([0, 900], metres=[0, 2_000]), "moved_unseen") == []
    assert found(fixes([0, 901], metres=[0, 2_000]), "moved_unseen") == [(0, 901, False)]


def test_a_kilometre_is_not_far_enough():
    assert found(fixes([0, 901], metres=[0, 999]), "moved_unseen") == []
    assert found(fixes([0, 901], metres=[0, 1_001]), "moved_unseen") == [(0, 901, False)]


def test_it_reports_both_ends_and_does_not_ask_whether_the_vehicle_moved_before():
    drive = fixes([0, 1_800], metres=[0, 18_000], driver=[7, 8])
    (found_one,) = of_kind(drive, "moved_unseen")
    assert (found_one.fixes, found_one.driver, found_one.is_open) == (2, 7, False)
    assert found_one.distance_m == pytest.approx(18_000, rel=1e-6)
    assert found_one.details["mean_speed_kmh"] == pytest.approx(36, rel=1e-6)
    assert of_kind(drive, "data_gap") == []


def test_messages_without_a_position_do_not_fill_the_gap():
    drive = fixes([0, 300, 600, 901], metres=[0, 0, 0, 2_000], lost=[False, True, True, False])
    assert found(drive, "moved_unseen") == [(0, 901, False)]
