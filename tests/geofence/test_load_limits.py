"""Limits of axle groups and gross mass: the right row of the right table."""

import math
from datetime import date

import pytest

from geofence.errors import ProfileError
from geofence.load_limits import AxleGroup, LoadLimits
from geofence.load_tables import read_load_limits
from geofence.profile import shipped_profile

PROFILE = shipped_profile()


def tables_of(year: int) -> LoadLimits:
    tables = PROFILE.load_limits_on(date(year, 6, 1))
    assert tables is not None
    return tables


OLD, NOW, NEXT = tables_of(2014), tables_of(2020), tables_of(2025)


def axle_kg(tables: LoadLimits, group: AxleGroup, spacing_m: float) -> float:
    row = tables.axle_limit(group, spacing_m)
    assert row is not None
    return row.limit_kg


def gross_kg(tables: LoadLimits, kind: str, axles: int, **lengths: float) -> float:
    row = tables.gross_limit(kind, axles, **lengths)
    assert row is not None
    assert row.source
    return row.limit_kg


@pytest.mark.parametrize(
    ("group", "spacing_m", "limit_kg"),
    [
        ("single", math.nan, 10_000),
        ("tandem", 0.99, 11_000),
        ("tandem", 1.0, 16_000),
        ("tandem", 1.29, 16_000),
        ("tandem", 1.3, 18_000),
        ("tridem", 1.3, 21_000),
        ("tridem", 1.31, 24_000),
        ("tandem", math.nan, 18_000),
        ("tridem", math.nan, 24_000),
    ],
)
def test_axle_limits_of_tt_46(group, spacing_m, limit_kg):
    assert axle_kg(NOW, group, spacing_m) == limit_kg


def test_tt_39_counts_a_tandem_of_one_metre_to_the_first_class():
    assert axle_kg(NEXT, "tandem", 1.0) == 11_000
    assert axle_kg(NEXT, "tandem", 1.01) == 16_000


@pytest.mark.parametrize(
    ("kind", "axles", "length_m", "limit_kg"),
    [
        ("rigid", 2, math.nan, 16_000),
        ("bus", 3, math.nan, 24_000),
        ("rigid", 4, 20.0, 30_000),
        ("rigid", 5, 7.0, 32_000),
        ("rigid", 5, 7.01, 34_000),
        ("rigid", 6, math.nan, 34_000),
        ("rigid_trailer", 5, math.nan, 45_000),
    ],
)
def test_gross_limits_of_rigid_vehicles(kind, axles, length_m, limit_kg):
    assert gross_kg(NOW, kind, axles, first_to_last_axle_m=length_m) == limit_kg


@pytest.mark.parametrize(
    ("axles", "kingpin_m", "limit_kg"),
    [
        (3, math.nan, 26_000),
        (4, math.nan, 34_000),
        (5, 4.5, 38_000),
        (5, 4.6, 42_000),
        (6, 4.5, 40_000),
        (6, 6.5, 44_000),
        (7, 6.6, 48_000),
        (6, math.nan, 48_000),
    ],
)
def test_gross_limits_of_tractors_with_semi_trailers(axles, kingpin_m, limit_kg):
    assert gross_kg(NOW, "tractor_semi", axles, kingpin_to_first_axle_m=kingpin_m) == limit_kg


def test_before_2015_the_kingpin_made_no_difference():
    assert gross_kg(OLD, "tractor_semi", 5, kingpin_to_first_axle_m=3.5) == 44_000
    assert gross_kg(OLD, "tractor_semi", 6, kingpin_to_first_axle_m=3.5) == 48_000


def test_vehicles_that_the_tables_do_not_know_have_no_limit():
    assert NOW.gross_limit("car", 2) is None
    assert NOW.gross_limit("tractor_semi", 2) is None


AXLE = {"group": "single", "limit_kg": 10_000, "source": "x", "mark": "C"}
GROSS = {"kinds": ["rigid"], "axles": 2, "limit_kg": 16_000, "source": "x", "mark": "C"}
TABLE = {
    "title": "x",
    "effective_from": "-infinity",
    "effective_to": "infinity",
    "axle": [AXLE],
    "gross": [GROSS],
}


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({}, "load_limits: expected a list"),
        ([1], "load_limits[0]: expected a table"),
        ([TABLE | {"axle": []}], "load_limits[0].axle: expected a list of tables"),
        ([TABLE | {"colour": 1}], "load_limits[0].colour: expected one of"),
        ([TABLE | {"axle": [AXLE | {"group": "quad"}]}], "load_limits[0].axle[0].group: expected"),
        ([TABLE | {"axle": [AXLE | {"limit_kg": 0}]}], "load_limits[0].axle[0].limit_kg: "),
        ([TABLE | {"axle": [AXLE | {"limit_kg": True}]}], "load_limits[0].axle[0].limit_kg: "),
        (
            [TABLE | {"axle": [AXLE | {"spacing_under_m": 1, "spacing_up_to_m": 1}]}],
            "load_limits[0].axle[0].spacing_up_to_m: expected one of",
        ),
        ([TABLE | {"gross": [GROSS | {"kinds": ["boat"]}]}], "load_limits[0].gross[0].kinds: "),
        ([TABLE | {"gross": [GROSS | {"axles": 1}]}], "load_limits[0].gross[0].axles: expected 2"),
        (
            [TABLE | {"gross": [GROSS | {"axles_at_least": 3}]}],
            "load_limits[0].gross[0].axles: expected one of",
        ),
        (
            [TABLE | {"gross": [GROSS | {"length_up_to_m": 7}]}],
            "load_limits[0].gross[0].measure: expected one of first_to_last_axle",
        ),
        ([TABLE, TABLE], "load_limits[1].effective_from: expected a day from infinity on"),
        (
            [
                TABLE | {"effective_to": date(2020, 1, 1)},
                TABLE | {"effective_from": date(2019, 1, 1)},
            ],
            "load_limits[1].effective_from: expected a day from 2020-01-01 on",
        ),
    ],
)
def test_wrong_tables_are_refused_with_their_place(tables, message):
    with pytest.raises(ProfileError) as caught:
        read_load_limits(tables)
    assert str(caught.value).startswith(message)
