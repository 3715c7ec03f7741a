"""Tags of roads: what they mean, and that a value that means nothing is named."""

import math

import numpy as np
import pytest

from geofence.registry import END_US
from geofence.roads.ways import UNKNOWN, RoadKind
from hanhtrinh.road_import.report import ImportReport
from hanhtrinh.road_import.tags import (
    parse_instant,
    parse_lanes,
    parse_mass,
    parse_speed,
    read_road,
)


def road(**tags):
    """The road of tags (`__` stands for a colon) and the report."""
    report = ImportReport()
    named = {key.replace("__", ":"): value for key, value in tags.items()}
    return read_road(7, {"highway": "primary", **named}, report), report


@pytest.mark.parametrize(
    ("text", "kmh"),
    [("50", 50), ("50 km/h", 50), ("50kmh", 50), ("30 mph", 48.28032), ("62.5", 62.5), ("walk", 7)],
)
def test_speeds_are_read_in_their_units(text, kmh):
    assert parse_speed(text) == pytest.approx(kmh)


@pytest.mark.parametrize("text", ["none", "VN:urban", "VN:rural", "DE:motorway", "DE:zone30", "no"])
def test_values_that_are_no_number_of_a_sign_give_none(text):
    assert math.isnan(parse_speed(text))


@pytest.mark.parametrize(
    "text",
    ["", "fast", "50;60", "-50", "0", "4", "201", "50 knots", "5e1", "nan", "\u0665\u0660 x"],
)
def test_speeds_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match=r"5\.\.200 km/h"):
        parse_speed(text)


@pytest.mark.parametrize(
    ("text", "kg"), [("10", 10_000), ("3.5", 3_500), ("3.5 t", 3_500), ("18000 kg", 18_000)]
)
def test_masses_are_tonnes_unless_they_say_otherwise(text, kg):
    assert parse_mass(text) == kg


@pytest.mark.parametrize("text", ["ten", "10 st", "0.1", "10000", "-3", "3,5"])
def test_masses_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match="t, or kg"):
        parse_mass(text)


@pytest.mark.parametrize("text", ["0", "2;1", "two", "100", "1.5"])
def test_lanes_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match=r"1\.\.99"):
        parse_lanes(text)


def test_days_and_instants_are_read():
    assert parse_instant("2025-01-01") == 1_735_689_600_000_000
    assert parse_instant("2025-01-01T00:00:00+07:00") == 1_735_664_400_000_000
    with pytest.raises(ValueError, match="a day like"):
        parse_instant("01/02/2025")


def test_a_sign_holds_both_ways_unless_one_way_has_its_own():
    found, report = road(maxspeed="60", maxspeed__backward="50")
    assert (found.attributes.forward_kmh, found.attributes.backward_kmh) == (60, 50)
    assert report.problems == []


def test_a_way_that_is_one_way_backwards_is_turned_with_its_signs():
    found, _ = road(oneway="-1", maxspeed__forward="60", maxspeed__backward="50")
    assert found.is_reversed
    assert found.attributes.is_oneway
    assert (found.attributes.forward_kmh, found.attributes.backward_kmh) == (50, 60)


@pytest.mark.parametrize(
    ("tags", "divided"),
    [
        ({}, False),
        ({"lanes": "4"}, False),
        ({"oneway": "yes", "lanes": "2"}, True),
        ({"oneway": "yes", "lanes": "1"}, False),
        ({"oneway": "yes"}, True),
        ({"dual_carriageway": "yes", "oneway": "yes", "lanes": "1"}, True),
        ({"junction": "roundabout", "lanes": "1"}, False),
        ({"highway": "motorway", "lanes": "2"}, True),
    ],
)
def test_a_carriageway_is_divided_if_one_way_with_two_lanes_or_not_counted(tags, divided):
    assert road(**tags)[0].attributes.is_divided is divided


@pytest.mark.parametrize(
    ("tags", "populated"),
    [
        ({}, UNKNOWN),
        ({"maxspeed": "VN:urban"}, 1),
        ({"source__maxspeed": "VN:urban", "maxspeed": "50"}, 1),
        ({"maxspeed__type": "VN:rural"}, 0),
        ({"zone__traffic": "VN:urban"}, 1),
        ({"maxspeed__type": "sign"}, UNKNOWN),
    ],
)
def test_populated_areas_are_what_the_map_says_of_the_sign(tags, populated):
    found, report = road(**tags)
    assert found.attributes.populated == populated
    assert report.problems == []


def test_bad_values_are_named_with_their_way_and_the_road_stays():
    found, report = road(maxspeed="fast", maxweight="10 st", lanes="many", oneway="perhaps")
    assert found.attributes.kind == RoadKind.PRIMARY
    assert math.isnan(found.attributes.forward_kmh)
    assert [str(problem) for problem in report.problems] == [
        "way 7: oneway: expected yes, no or -1, got 'perhaps'",
        "way 7: lanes: expected 1..99, got 'many'",
        "way 7: maxspeed: expected 5..200 km/h, mph, none, walk or XX:urban, got 'fast'",
        "way 7: maxweight: expected 0.5..1000 t, or kg, got '10 st'",
    ]


def test_a_validity_that_ends_before_it_begins_is_named():
    found, report = road(valid_from="2025-01-02", valid_to="2025-01-01")
    assert found.attributes.valid_to == END_US
    assert [problem.key for problem in report.problems] == ["valid_to"]


def test_limits_of_hours_and_of_kinds_of_vehicles_are_counted():
    _, report = road(maxspeed__conditional="30 @ (22:00-06:00)", maxspeed__hgv="50")
    assert report.ignored == {"maxspeed:conditional": 1, "maxspeed:hgv": 1}


def test_ways_that_are_no_roads_are_counted():
    report = ImportReport()
    for tags in ({"highway": "footway"}, {"highway": "footway"}, {}):
        assert read_road(1, tags, report) is None
    assert read_road(1, {"highway": "service", "area": "yes"}, report) is None
    assert report.skipped == {"highway=footway": 2, "highway=": 1, "area=yes": 1}
    assert np.isnan(road()[0].attributes.max_weight_kg)
