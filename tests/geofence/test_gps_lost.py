"""GPS lost: messages without a position for two minutes, from a vehicle that moved."""

import math

import pytest

from tests.geofence.scene import START_US, fixes, found, judged, of_kind


def lost(times_s, where, speed=40.0, **columns):
    """Fixes at some times; `where` has a letter for each: "p" has a position, "-" none."""
    return fixes(times_s, speed, lost=[letter == "-" for letter in where], **columns)


def test_two_minutes_are_enough():
    assert found(lost([0, 10, 129, 140], "p--p"), "gps_lost") == []
    assert found(lost([0, 10, 130, 140], "p--p"), "gps_lost") == [(10, 130, False)]


def test_it_is_open_while_no_fix_with_a_position_comes():
    assert found(lost([0, 10, 130], "p--"), "gps_lost") == [(10, 130, True)]


def test_a_vehicle_that_stood_has_lost_nothing():
    assert found(lost([0, 10, 200], "p--", 3.0), "gps_lost") == []
    assert found(lost([0, 10, 200], "p--", 3.5), "gps_lost") == [(10, 200, True)]


def test_a_vehicle_of_which_no_position_is_known_has_lost_nothing():
    assert found(lost([0, 200, 400], "---"), "gps_lost") == []


def test_without_a_speed_the_step_into_the_last_position_tells():
    nan = math.nan
    assert found(lost([0, 60, 70, 200], "pp--", nan, metres=[0, 100, 0, 0]), "gps_lost")
    assert not found(lost([0, 60, 70, 200], "pp--", nan, metres=[0, 10, 0, 0]), "gps_lost")


def test_its_places_are_those_of_the_fixes_around_it():
    drive = lost([0, 10, 70, 140, 150], "p---p", metres=[0, 9, 9, 9, 1_500], driver=[7, 7, 7, 7, 8])
    (found_one,) = of_kind(drive, "gps_lost")
    assert (found_one.fixes, found_one.driver) == (3, 7)
    assert found_one.start == (drive.lon[0], drive.lat[0])
    assert found_one.end == (drive.lon[4], drive.lat[4])
    assert found_one.distance_m == pytest.approx(1_500, rel=1e-6)
    assert found_one.details == {"last_speed_kmh": 40.0}


def test_silence_ends_it_at_the_last_message():
    drive = lost([0, 10, 150, 1_051, 1_200], "p---p", metres=[0, 0, 0, 0, 500])
    (found_one,) = of_kind(drive, "gps_lost")
    assert (found_one.ended - START_US) / 1e6 == 150
    assert (found_one.end, found_one.distance_m) == (found_one.start, 0.0)
    joined = lost([0, 10, 150, 1_050, 1_200], "p---p")
    assert found(joined, "gps_lost") == [(10, 1_050, False)]


def test_messages_long_after_the_last_position_are_no_loss():
    assert found(lost([0, 900, 1_100], "p--"), "gps_lost") == [(900, 1_100, True)]
    assert found(lost([0, 901, 1_100], "p--"), "gps_lost") == []


def test_an_impossible_position_is_as_if_it_had_not_come():
    drive = lost([0, 10, 70, 140, 150], "p-p-p", metres=[0, 0, 90_000, 0, 1_500])
    assert found(drive, "gps_lost") == [(10, 140, False)]


def test_fixes_without_a_position_change_nothing_for_other_rules():
    with_lost = lost([0, 10, 20, 30], "p-p-", 95.0)
    speeding = [i for i in judged(with_lost).intervals if i.kind == "speeding"]
    assert [(i.duration_s, i.fixes) for i in speeding] == [(20, 2)]
