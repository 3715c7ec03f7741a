"""Overload: groups of axles, limits, bands, verdicts."""

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.batch import WeighingBatch
from geofence.profile import shipped_profile
from geofence.registry import StationRule, VehicleRule
from geofence.rules.overload import axle_groups, judge_weighing
from tests.oracle.overload import overloads

PROFILE = shipped_profile()
LIMITS = PROFILE.load_limits_on(date(2023, 11, 15))
NOW = 1_700_000_000_000_000
STATION = StationRule(1, "T1", 106.0, 10.0)
RIGID = VehicleRule(7, kind="rigid")
NAN = math.nan


def weighing(gross_kg, axle_kg=(), spacing_m=(), lane=1):
    return WeighingBatch(
        station=("T1",), plate=("51C12345",), time=np.array([NOW]), received=np.array([NOW]),
        lane=np.array([lane], np.int16), gross_kg=np.array([gross_kg], np.float64),
        speed_kmh=np.full(1, NAN, np.float32), length_m=np.full(1, NAN, np.float32),
        axle_start=np.array([0, len(axle_kg)]), axle_kg=np.array(axle_kg, np.float64),
        axle_spacing_m=np.array(spacing_m, np.float64),
    )  # fmt: skip


def judged(batch, vehicle=RIGID, station=STATION, limits=LIMITS):
    found = judge_weighing(batch, 0, vehicle, station, PROFILE, limits)
    return {interval.kind: interval for interval in found}


def bands(batch, **who):
    return {kind: interval.details["band"] for kind, interval in judged(batch, **who).items()}


@pytest.mark.parametrize(
    ("spacing_m", "groups"),
    [
        ([NAN], [[0]]),
        ([NAN, 2.0], [[0], [1]]),
        ([NAN, 1.999], [[0, 1]]),
        ([NAN, 3.5, 1.3], [[0], [1, 2]]),
        ([NAN, 3.5, 1.3, 6.0, 1.3, 1.3], [[0], [1, 2], [3, 4, 5]]),
        ([NAN, NAN, 1.2], [[0], [1, 2]]),
        ([], []),
    ],
)
def test_axles_closer_than_two_metres_are_a_group(spacing_m, groups):
    axle_kg = np.full(len(spacing_m), 5_000.0)
    assert axle_groups(axle_kg, np.array(spacing_m, np.float64), 2.0) == groups


def test_exactly_ten_per_cent_over_is_no_overload():
    two = ([6_000, 11_000], [NAN, 4.0])
    assert bands(weighing(17_600, *two)) == {}
    assert bands(weighing(17_601, *two)) == {"overload_gross": "10_20"}


@pytest.mark.parametrize(
    ("gross_kg", "band"),
    [(19_200, "10_20"), (19_201, "20_50"), (24_000, "20_50"), (24_001, "50_up")],
)
def test_bands_include_their_upper_edge(gross_kg, band):
    assert bands(weighing(gross_kg, [5_000, 5_000], [NAN, 4.0])) == {"overload_gross": band}


def test_the_worst_group_of_axles_is_the_overload_and_all_are_reported():
    # A tandem of 1.3 m may carry 18 t, a single axle 10 t.
    batch = weighing(37_000, [7_000, 12_000, 9_000, 11_000], [NAN, 4.0, 5.0, 1.3])
    (axle,) = [judged(batch)["overload_axle"]]
    assert axle.details["measured_kg"] == 12_000
    assert axle.details["limit_kg"] == 10_000
    assert axle.details["excess_percent"] == pytest.approx(20.0)
    assert [axle.details[f"group_{k}_kind"] for k in (1, 2, 3)] == ["single", "single", "tandem"]
    assert axle.details["group_3_kg"] == 20_000
    assert axle.details["group_3_limit_kg"] == 18_000
    assert axle.details["gross_limit_kg"] == 30_000
    assert axle.details["verdict_kind"] == "overload_gross"
    assert axle.details["verdict_excess_percent"] == pytest.approx(100 * 7 / 30)
    assert axle.details["verdict_band"] == "20_50"


def test_the_limit_of_a_tridem_goes_by_its_greatest_inner_spacing():
    narrow = weighing(0, [7_500] * 3, [NAN, 1.3, 1.3])
    wide = weighing(0, [7_500] * 3, [NAN, 1.3, 1.301])
    four = weighing(0, [9_000] * 4, [NAN, 1.3, 1.3, 1.3])
    assert bands(narrow) == {}  # 22.5 t of 21 t: 7 %
    heavy = weighing(0, [9_000] * 3, [NAN, 1.3, 1.3])
    assert judged(heavy)["overload_axle"].details["limit_kg"] == 21_000
    heavy = weighing(0, [9_000] * 3, [NAN, 1.3, 1.301])
    assert judged(heavy)["overload_axle"].details["limit_kg"] == 24_000
    assert bands(wide) == {}
    assert bands(four) == {}  # the law knows no limit for four


def test_cargo_is_judged_by_the_inspection_certificate():
    vehicle = VehicleRule(7, kerb_kg=5_000.0, cargo_kg=8_000.0)
    assert bands(weighing(13_800), vehicle=vehicle) == {}
    assert bands(weighing(13_801), vehicle=vehicle) == {"overload_cargo": "10_30"}
    assert bands(weighing(25_000), vehicle=vehicle) == {"overload_cargo": "100_150"}
    assert bands(weighing(25_001), vehicle=vehicle) == {"overload_cargo": "150_up"}
    assert bands(weighing(99_999), vehicle=VehicleRule(7)) == {}


def test_a_tolerance_is_taken_off_what_was_measured():
    moving = StationRule(2, "W1", 106.0, 10.0, kind="wim", tolerance=0.1)
    batch = weighing(19_000, [5_000, 5_000], [NAN, 4.0])
    assert bands(batch) == {"overload_gross": "10_20"}
    assert bands(batch, station=moving) == {}


@pytest.mark.parametrize(("until", "indicative"), [(NOW + 1, False), (NOW, True), (NOW - 1, True)])
def test_a_station_out_of_calibration_gives_an_indication(until, indicative):
    station = StationRule(1, "T1", 106.0, 10.0, calibrated_until=until)
    (gross,) = judged(weighing(20_000, [5_000] * 2, [NAN, 4.0]), station=station).values()
    assert gross.details["indicative"] is indicative


@pytest.mark.parametrize(
    ("spans", "indicative"),
    [
        (((NOW - 9, NOW), (NOW, NOW + 9)), False),
        (((NOW - 9, NOW), (NOW + 1, NOW + 9)), True),
        ((), True),
    ],
)
def test_a_calibration_of_later_does_not_mend_a_weighing_of_before(spans, indicative):
    station = StationRule(1, "T1", 106.0, 10.0, calibrations=spans)
    (gross,) = judged(weighing(20_000, [5_000] * 2, [NAN, 4.0]), station=station).values()
    assert gross.details["indicative"] is indicative


def test_an_overload_names_its_station_place_and_time():
    (gross,) = judged(weighing(20_000, [5_000] * 2, [NAN, 4.0], lane=3)).values()
    assert (gross.kind, gross.vehicle, gross.subject) == ("overload_gross", 7, "T1")
    assert gross.started == gross.ended == NOW
    assert gross.start == gross.end == (106.0, 10.0)
    assert (gross.driver, gross.details["lane"], gross.profile) == (-1, 3, "qcvn31")


def test_without_axles_the_registry_tells_how_many_there_are():
    assert bands(weighing(20_000), vehicle=VehicleRule(7, axles=2)) == {"overload_gross": "20_50"}
    assert bands(weighing(20_000)) == {}
    assert bands(weighing(20_000), vehicle=VehicleRule(7, axles=2), limits=None) == {}


SPACINGS = st.sampled_from([0.9, 1.0, 1.2, 1.3, 1.4, 1.999, 2.0, 4.0, 6.5, NAN])
KILOGRAMS = st.integers(1, 70).map(lambda half_tonnes: 500.0 * half_tonnes)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(KILOGRAMS, SPACINGS), max_size=7),
    KILOGRAMS,
    st.sampled_from(["rigid", "tractor_semi", "rigid_trailer", "bus", "car"]),
    st.sampled_from([0.0, 0.0625, 0.25]),
    st.booleans(),
)
def test_overloads_are_those_of_the_oracle(axles, other_kg, kind, tolerance, certified):
    vehicle = VehicleRule(
        7, kind=kind, axles=2, kerb_kg=6_000.0, cargo_kg=8_000.0 if certified else None
    )
    axle_kg = [mass for mass, _ in axles]
    spacing_m = [NAN, *[spacing for _, spacing in axles[1:]]][: len(axles)]
    gross_kg = sum(axle_kg) or other_kg
    station = StationRule(1, "T1", 106.0, 10.0, tolerance=tolerance)
    found = bands(weighing(gross_kg, axle_kg, spacing_m), vehicle=vehicle, station=station)
    expected = overloads(gross_kg, axle_kg, spacing_m, vehicle, tolerance, PROFILE, LIMITS)
    assert {kind: float(band.split("_")[0]) for kind, band in found.items()} == expected
