"""Cloned devices: leaps to and fro between two places, three in ten minutes."""

import pytest

from tests.geofence.scene import fixes, found, of_kind

FAR = 50_000


def two(times_s, where, **columns):
    """Fixes of two devices; `where` has a letter for each fix: a, or b or c, each far away."""
    sides = {"a": 0, "b": FAR, "c": -FAR}
    metres = [sides[letter] + 0.5 * t for letter, t in zip(where, times_s, strict=True)]
    return fixes(times_s, 30, metres=metres, **columns)


def test_three_leaps_to_and_fro_tell_two_devices():
    assert found(two([0, 10, 20, 30], "abab"), "cloned_device") == [(0, 30, True)]
    assert found(two([0, 10, 20, 30], "aaba"), "cloned_device") == []


def test_each_device_may_send_several_fixes_in_between():
    drive = two([0, 10, 20, 30, 40, 50, 60, 70], "aabbbaab")
    assert found(drive, "cloned_device") == [(10, 70, True)]


def test_single_wrong_positions_here_and_there_are_none():
    drive = two([0, 10, 20, 30, 40, 50, 60, 70, 80], "abacabaca")
    assert found(drive, "cloned_device") == []


def test_a_vehicle_that_is_far_away_for_good_leapt_once():
    assert found(two([0, 10, 20, 30, 40], "aabbb"), "cloned_device") == []


def test_three_leaps_must_come_within_ten_minutes():
    far = {"a": 0, "b": 190_000}

    def drive(last_s):
        times = [0, 10, 310, last_s]
        return fixes(times, 30, metres=[far[letter] for letter in "abab"])

    assert found(drive(610), "cloned_device") == [(0, 610, True)]
    assert found(drive(611), "cloned_device") == []


def test_a_series_is_over_ten_minutes_after_its_last_leap():
    drive = two([0, 10, 20, 30, 630], "ababb")
    assert found(drive, "cloned_device") == [(0, 30, True)]
    drive = two([0, 10, 20, 30, 630.1], "ababb")
    assert found(drive, "cloned_device") == [(0, 30, False)]


def test_a_leap_is_faster_than_any_vehicle():
    def drive(metres):
        return fixes([0, 100, 200, 300], metres=[0, metres, 0, metres])

    assert found(drive(6_940), "cloned_device") == []  # 249.8 km/h
    assert found(drive(6_950), "cloned_device") == [(0, 300, True)]  # 250.2 km/h


def test_what_is_reported():
    drive = two([0, 10, 20, 30, 40], "ababb", driver=[7, 8, 7, 8, 8])
    (clone,) = of_kind(drive, "cloned_device")
    assert (clone.fixes, clone.driver, clone.distance_m) == (4, 7, 0.0)
    assert clone.details["leaps"] == 3
    assert clone.details["apart_m"] == pytest.approx(FAR + 5, rel=1e-6)
    assert clone.details["max_kmh"] == pytest.approx((FAR + 5) / 10 * 3.6, rel=1e-6)


def test_fixes_that_cleaning_marks_as_jumps_are_seen():
    drive = two([0, 10, 20, 30, 40, 50], "ababab")
    assert found(drive, "cloned_device") == [(0, 50, True)]
    assert found(drive, "data_gap") == []
