"""The stretch of an overloaded vehicle: from its weighing to where it may have unloaded."""

import numpy as np
import pytest

from geofence.judge import Judge
from geofence.loads import NO_LOADS, Loads, Weighed
from geofence.profile import shipped_profile
from geofence.registry import StationRule, VehicleRule
from geofence.rulebook import Rulebook
from geofence.rules.overload import judge_weighing
from tests.geofence.fleet import weighed
from tests.geofence.scene import START_US, driven, fixes
from tests.geofence.test_overload import LIMITS, RIGID, weighing

RULEBOOK = Rulebook.build([shipped_profile()], [], [], [VehicleRule(1), VehicleRule(2)])


def load(at_s, gross_kg=20_000.0, **more):
    return weighed(1, START_US + round(at_s * 1e6), gross_kg, **more)


def stretches(batch, *loads):
    """(started_s, ended_s, fixes, is_open) of each."""
    return [
        ((i.started - START_US) / 1e6, (i.ended - START_US) / 1e6, i.fixes, i.is_open)
        for i in of_kind(batch, *loads)
    ]


def of_kind(batch, *loads):
    settled = np.zeros(len(batch), np.bool_)
    found = Judge(RULEBOOK).advance(batch, settled, Loads.of(loads)).intervals
    return sorted((i for i in found if i.kind == "overloaded_stretch"), key=lambda i: i.started)


def drive(first_s=0, last_s=3_000, every_s=60, **more):
    times = list(range(first_s, last_s + 1, every_s))
    return fixes(times, 50.0, metres=driven(times, 50.0), **more)


def test_it_begins_with_the_first_fix_at_or_after_the_weighing():
    assert stretches(drive(), load(600)) == [(600, 3_000, 41, True)]
    assert stretches(drive(), load(600.1)) == [(660, 3_000, 40, True)]
    assert stretches(drive(), load(-30)) == [(0, 3_000, 51, True)]


def test_its_distance_lies_between_its_fixes():
    (stretch,) = of_kind(drive(), load(600), load(1_230, 0.0))
    assert stretch.distance_m == pytest.approx(600 / 3.6 * 50, rel=1e-6)
    assert (stretch.subject, stretch.is_open) == ("T1", False)


def test_a_weighing_ends_it_whatever_it_says():
    assert stretches(drive(), load(600), load(1_230, 0.0)) == [(600, 1_200, 11, False)]
    assert stretches(drive(), load(600), load(1_200, 30_000.0)) == [
        (600, 1_140, 10, False),
        (1_200, 3_000, 31, True),
    ]


def test_of_two_weighings_at_one_time_the_last_in_order_of_station_counts():
    over, under = load(600, station="B"), load(600, 0.0, station="A")
    assert stretches(drive(), over, under) == [(600, 3_000, 41, True)]
    over, under = load(600, station="A"), load(600, 0.0, station="B")
    assert stretches(drive(), over, under) == []


def test_who_was_weighed_as_lawful_is_not_known_to_be_overloaded():
    assert stretches(drive(), load(600, 0.0)) == []
    assert stretches(drive()) == []


def test_a_weighing_of_another_vehicle_says_nothing():
    assert stretches(drive(vehicle=2), load(600)) == []


def standing(stands_s, *, after_s=300):
    """Drives, stands, drives on: a fix every 30 s."""
    times = list(range(0, 1_200 + stands_s + after_s + 1, 30))
    stops = [t for t in times if 1_200 <= t <= 1_200 + stands_s]
    speed = [0.0 if t in stops else 50.0 for t in times]
    metres = np.cumsum([0.0, *[50.0 / 3.6 * 30 if s else 0.0 for s in speed[1:]]])
    return fixes(times, speed, metres=metres)


def test_a_stop_of_a_quarter_of_an_hour_ends_it_where_the_vehicle_stopped():
    # Slow from 1200; the first fast fix, which ends the stop, is 30 s after the last slow one.
    assert stretches(standing(870), load(0)) == [(0, 1_200, 41, False)]
    ((started, ended, _, is_open),) = stretches(standing(840), load(0))
    assert (started, ended, is_open) == (0, 2_340, True)


def test_while_it_stands_it_is_open_up_to_where_it_stopped():
    assert stretches(standing(600, after_s=0), load(0)) == [(0, 1_200, 41, True)]


def test_what_it_stood_before_it_was_weighed_does_not_count():
    ((_, ended, _, is_open),) = stretches(standing(1_200), load(1_800))
    assert (ended, is_open) == (2_700, True)


def test_one_slow_fix_is_no_stop():
    times = [0, 60, 120, 180, 1_070, 1_130]
    slow_once = fixes(times, [50, 50, 50, 0, 50, 50], metres=driven(times, 50))
    assert stretches(slow_once, load(0)) == [(0, 1_130, 6, True)]


def test_a_silence_as_long_as_a_stop_ends_it():
    times = [0, 60, 120, 1_020, 1_080]
    assert stretches(fixes(times, 50.0, metres=driven(times, 50)), load(0)) == [(0, 120, 3, False)]
    times[3] = 1_019
    assert stretches(fixes(times, 50.0, metres=driven(times, 50)), load(0)) == [(0, 1_080, 5, True)]


def test_after_a_silence_since_the_weighing_nothing_is_known():
    assert stretches(drive(), load(-900)) == []
    assert stretches(drive(), load(-899)) == [(0, 3_000, 51, True)]


def test_one_fix_is_no_stretch():
    assert stretches(drive(last_s=0), load(0)) == []
    assert stretches(drive(), load(600), load(650, 0.0)) == []


def test_a_weighing_ahead_of_all_fixes_waits_to_be_given_again():
    judge = Judge(RULEBOOK)
    batch, ahead = drive(), Loads.of([load(630)])
    found = []
    for part in (batch.take(batch.time <= START_US + 600_000_000),
                 batch.take(batch.time > START_US + 600_000_000)):  # fmt: skip
        judged = judge.advance(part, np.zeros(len(part), np.bool_), ahead)
        found += [i for i in judged.intervals if i.kind == "overloaded_stretch"]
    assert [(i.started - START_US) / 1e6 for i in found] == [660.0]


def group(interval):
    return interval.details["group"]


def test_the_worst_overload_of_the_road_speaks_for_the_weighing():
    spacing = [np.nan, 3.5, 1.2]
    batch = weighing(30_000.0, [6_000.0, 12_500.0, 11_500.0], spacing)
    vehicle = VehicleRule(7, kerb_kg=10_000.0, cargo_kg=5_000.0)
    station = StationRule(1, "T1", 106.0, 10.0, tolerance=0.1, calibrated_until=0)
    found = judge_weighing(batch, 0, vehicle, station, shipped_profile(), LIMITS)
    assert [i.kind for i in found][-1] == "overload_cargo"
    said = Weighed.of(batch, 0, 7, station, found)
    gross, axle, cargo = sorted(found, key=lambda i: ["gross", "tandem", "cargo"].index(group(i)))
    assert (gross.details["excess_percent"], axle.details["excess_percent"]) == (12.5, 35.0)
    assert said.overload is axle
    assert said.mass_kg == pytest.approx(27_000.0)
    assert said.is_indicative
    (cargo,) = judge_weighing(batch, 0, vehicle, station, shipped_profile(), None)
    assert Weighed.of(batch, 0, 7, station, [cargo]).overload is cargo
    light = weighing(9_000.0)
    nothing = judge_weighing(light, 0, RIGID, station, shipped_profile(), LIMITS)
    assert np.isnan(Weighed.of(light, 0, 7, station, nothing).mass_kg)


def test_loads_are_found_by_vehicle_and_time():
    first, second = load(5, station="A"), load(5, 0.0, station="B")
    loads = Loads.of([second, first, load(1), weighed(2, START_US, 1.0)])
    assert loads.vehicle.tolist() == [1, 1, 1, 2]
    assert loads.last_at(1, START_US + 5_000_000) is second
    assert loads.last_at(1, START_US) is None
    assert loads.last_at(3, START_US) is None
    assert NO_LOADS.last_at(1, START_US) is None
    assert len(loads.joined(NO_LOADS)) == len(NO_LOADS.joined(loads)) == 4
    assert loads.take(loads.vehicle == 2).weighed[0].vehicle == 2
