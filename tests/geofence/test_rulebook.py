"""Rulebooks: profiles in force by time, and parts that do not fit together."""

from dataclasses import FrozenInstanceError, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from geofence.errors import RegistryError
from geofence.profile import shipped_profile
from geofence.registry import BEGINNING_US, END_US, Route, VehicleRule, Zone
from geofence.rulebook import Rulebook
from geofence.zone_table import NO_STAY_LIMIT_US, ZoneCode, check_zone

QCVN31, TT09 = shipped_profile("qcvn31"), shipped_profile("tt09")
CHANGE = date(2024, 1, 1)
CHANGE_US = int(datetime(2024, 1, 1, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh")).timestamp()) * 1_000_000
RING = [[105.0, 21.0], [105.5, 21.0], [105.5, 21.5], [105.0, 21.5], [105.0, 21.0]]
SQUARE = {"type": "Polygon", "coordinates": [RING]}
LINE = {"type": "LineString", "coordinates": [[105.0, 21.0], [105.5, 21.0]]}


def test_the_profile_in_force_is_that_of_the_local_day():
    profiles = [replace(TT09, effective_from=CHANGE), replace(QCVN31, effective_to=CHANGE)]
    rulebook = Rulebook.build(profiles, [], [], [])
    times = np.array([BEGINNING_US, 0, CHANGE_US - 1, CHANGE_US, END_US], np.int64)
    assert rulebook.profile_row(times).tolist() == [0, 0, 0, 1, 1]
    assert [profile.id for profile in rulebook.profiles] == ["qcvn31", "tt09"]
    assert rulebook.profile_at(CHANGE_US).id == "tt09"


def test_rows_for_kernels_hold_the_values_of_the_profiles():
    rulebook = Rulebook.build(
        [replace(QCVN31, effective_to=CHANGE), replace(TT09, effective_from=CHANGE)], [], [], []
    )
    assert rulebook.params["speeding_mode"].tolist() == [0, 1]
    assert rulebook.params["speeding_min_duration_us"].tolist() == [20_000_000, 30_000_000]
    assert rulebook.params["speeding_min_duration_is_strict"].tolist() == [0, 1]
    assert rulebook.params["speeding_pair_distance_over_us"].tolist() == [0, 10_000_000]
    assert rulebook.params["visits_confirm_in"].tolist() == [2, 2]


def test_load_limits_follow_the_local_day():
    rulebook = Rulebook.build([QCVN31], [], [], [])
    change = int(datetime(2015, 12, 1, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh")).timestamp()) * 1_000_000
    before, after = rulebook.load_limits_at(change - 1), rulebook.load_limits_at(change)
    assert before is not None
    assert after is not None
    assert before.title.startswith("TT 07/2010")
    assert after.title.startswith("TT 46/2015")
    assert rulebook.load_limits_at(0) is None


@pytest.mark.parametrize(
    "profiles",
    [
        [],
        [replace(QCVN31, effective_from=CHANGE)],
        [replace(QCVN31, effective_to=CHANGE)],
        [QCVN31, TT09],
        [
            replace(QCVN31, effective_to=date(2023, 12, 31)),
            replace(TT09, effective_from=date(2024, 1, 1)),
        ],
        [replace(QCVN31, effective_to=date(2024, 2, 1)), replace(TT09, effective_from=CHANGE)],
    ],
)
def test_profiles_with_gaps_or_overlaps_are_refused(profiles):
    with pytest.raises(RegistryError, match=r"^profiles: expected"):
        Rulebook.build(profiles, [], [], [])


def test_zone_rows_carry_what_rules_ask_for():
    zones = [
        Zone(9, "A", "watch", SQUARE, max_stay_s=60, min_duration_s=1.5, operator_id=4),
        Zone(8, "B", "terminal", SQUARE, operator_id=4),
        Zone(7, "A", "watch", SQUARE, version=2, overrides_road=True),
    ]
    rows = Rulebook.build([QCVN31], zones, [], []).zone_table.rows
    assert rows["kind"].tolist() == [ZoneCode.WATCH, ZoneCode.TERMINAL, ZoneCode.WATCH]
    assert rows["place"].tolist() == [0, 1, 0]
    assert rows["max_stay_us"].tolist() == [60_000_000, NO_STAY_LIMIT_US, NO_STAY_LIMIT_US]
    assert rows["min_duration_us"].tolist() == [1_500_000, 0, 0]
    assert rows["operator"].tolist() == [4, -1, -1]
    assert rows["overrides_road"].tolist() == [0, 0, 1]


def test_a_rulebook_cannot_be_changed():
    rulebook = Rulebook.build([QCVN31], [], [], [])
    with pytest.raises(FrozenInstanceError):
        rulebook.zones = ()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "swamp"}, "kind: expected one of speed, banned"),
        ({"kind": "speed"}, "speed_limits: expected km/h by vehicle class"),
        ({"speed_limits": {"bus": 3}}, "speed_limits['bus']: expected 5..200, got 3"),
        ({"speed_limits": {"*": float("nan")}}, "speed_limits['*']: expected 5..200, got nan"),
        ({"classes": ()}, "classes: expected some vehicle classes"),
        ({"weekly_hours": (("mon", "6", "9"),)}, "weekly_hours[0]: expected a time"),
        ({"valid_from": 5, "valid_to": 5}, "valid_to: expected after 5, got 5"),
        ({"max_stay_s": -1.0}, "max_stay_s: expected 0..1e9, got -1.0"),
        ({"min_gross_kg": float("inf")}, "min_gross_kg: expected 0..1e9, got inf"),
        ({"radius_m": 5.0}, "radius_m: expected none with a Polygon"),
        ({"geometry": {"type": "Polygon", "coordinates": []}}, "geometry.coordinates: expected"),
    ],
)
def test_wrong_zones_are_refused_by_code_and_version(values, message):
    zone = replace(Zone(1, "Z1", "watch", SQUARE), **values)
    with pytest.raises(RegistryError) as caught:
        check_zone(zone)
    assert str(caught.value).startswith(f"zone 'Z1' version 1: {message}")
    with pytest.raises(RegistryError):
        Rulebook.build([QCVN31], [zone], [], [])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"terminal_b": "W"}, "terminal_b: expected the code of a terminal zone, got 'W'"),
        ({"terminal_a": "X"}, "terminal_a: expected the code of a terminal zone, got 'X'"),
        ({"corridor_m": 0.0}, "corridor_m: expected metres over 0"),
        ({"outbound": SQUARE}, "outbound: expected a LineString"),
        ({"inbound": {"type": "LineString", "coordinates": [[105, 21]]}}, "inbound.coordinates: "),
        ({"valid_from": 2, "valid_to": 1}, "valid_to: expected after 2, got 1"),
    ],
)
def test_wrong_routes_are_refused_by_code_and_version(values, message):
    zones = [Zone(1, "T", "terminal", SQUARE), Zone(2, "W", "watch", SQUARE)]
    route = replace(Route(1, "R", 100, "T", "T", LINE, LINE), **values)
    with pytest.raises(RegistryError) as caught:
        Rulebook.build([QCVN31], zones, [route], [])
    assert str(caught.value).startswith(f"route 'R' version 1: {message}")


@pytest.mark.parametrize(
    ("vehicles", "message"),
    [
        ([VehicleRule(1), VehicleRule(1)], "vehicle 1: expected once, got twice"),
        ([VehicleRule(-1)], "vehicle: expected an id 0..50000000, got -1"),
        ([VehicleRule(2**31 - 1)], "vehicle: expected an id 0..50000000, got 2147483647"),
    ],
)
def test_wrong_vehicle_ids_are_refused(vehicles, message):
    with pytest.raises(RegistryError) as caught:
        Rulebook.build([QCVN31], [], [], vehicles)
    assert str(caught.value) == message
