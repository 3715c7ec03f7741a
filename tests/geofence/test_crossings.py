"""Zones crossed between two fixes."""

import math
from datetime import datetime

import numpy as np
import pytest

from geofence.registry import VehicleRule, Zone
from tests.geofence.scene import START_US, driven, fixes, of_kind

METRES = 1 / 111_195.0802335  # degrees of latitude


def north_of(metres):
    return 10.0 + metres * METRES


def band(south_m, north_m, **more):
    """A zone across the road, from so many metres north of its beginning to so many."""
    south, north = north_of(south_m), north_of(north_m)
    ring = [[105.9, south], [106.1, south], [106.1, north], [105.9, north], [105.9, south]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return Zone(1, "gate", "watch", geometry, **{"crossings": True, **more})


def seconds(text):
    return (datetime.fromisoformat(text).timestamp() * 1e6 - START_US) / 1e6


def crossings(batch, *zones, vehicle=None):
    """(entered_s, left_s, metres inside) of each crossing."""
    return [
        (
            seconds(i.details["entered_at"]),
            seconds(i.details["left_at"]),
            round(i.details["inside_m"], 3),
        )
        for i in of_kind(batch, "crossing", zones=zones, vehicle=vehicle)
    ]


DRIVE = fixes([0, 10, 20, 30], 72, metres=driven([0, 10, 20, 30], 72))  # 200 m a step


def test_a_step_over_a_zone_is_a_crossing_with_interpolated_times_and_places():
    (found,) = of_kind(DRIVE, "crossing", zones=[band(250, 300)])
    assert (found.started - START_US, found.ended - START_US) == (10_000_000, 20_000_000)
    assert found.start == (DRIVE.lon[1], DRIVE.lat[1])
    assert found.end == (DRIVE.lon[2], DRIVE.lat[2])
    assert (found.fixes, found.is_open, found.subject) == (2, False, "gate")
    assert found.distance_m == pytest.approx(200, abs=1e-3)
    assert crossings(DRIVE, band(250, 300)) == [(12.5, 15.0, 50.0)]
    places = [
        found.details[f"{name}_{axis}"] for name in ("entered", "left") for axis in ("lon", "lat")
    ]
    assert places == pytest.approx([106.0, north_of(250), 106.0, north_of(300)], abs=1e-12)


@pytest.mark.parametrize(
    ("south", "north"),
    [(150, 250), (350, 400), (200, 250), (601, 700)],
    ids=[
        "with a fix inside",
        "with its second fix on the edge",
        "with its first on the edge",
        "far",
    ],
)
def test_a_step_that_begins_or_ends_inside_or_passes_elsewhere_is_none(south, north):
    assert crossings(DRIVE, band(south, north)) == []


def test_only_zones_that_ask_and_bind_the_vehicle_at_both_ends_are_crossed():
    assert crossings(DRIVE, band(250, 300, crossings=False)) == []
    assert crossings(DRIVE, band(250, 300, classes=("bus",))) == []
    assert crossings(DRIVE, band(250, 300, valid_from=START_US + 10_000_001)) == []
    assert crossings(DRIVE, band(250, 300, valid_to=START_US + 20_000_000)) == []
    assert crossings(DRIVE, band(250, 300, operator_id=4)) == []
    bus = VehicleRule(1, vehicle_class="bus", operator_id=4)
    expected = [(12.5, 15.0, 50.0)]
    assert crossings(DRIVE, band(250, 300, classes=("bus",)), vehicle=bus) == expected
    assert crossings(DRIVE, band(250, 300, operator_id=4), vehicle=bus) == expected


def test_a_step_over_the_antimeridian_does_not_lead_round_the_earth():
    to_and_fro = fixes([0, 60, 120], 72, metres=[0, 0, 0], lon=[179.995, -179.995, 179.995])
    assert crossings(to_and_fro, band(-100, 100)) == []


def test_a_gap_is_no_step():
    apart = fixes([0, 901], 72, metres=[0, 400])
    assert crossings(apart, band(250, 300)) == []
    assert len(crossings(fixes([0, 900], 72, metres=[0, 400]), band(250, 300))) == 1


def test_a_zone_of_two_parts_is_crossed_once_from_the_first_to_the_last():
    parts = [band(220, 240).geometry["coordinates"], band(340, 360).geometry["coordinates"]]
    both = Zone(1, "gate", "stop", {"type": "MultiPolygon", "coordinates": parts}, crossings=True)
    assert crossings(DRIVE, both) == [(11.0, 18.0, 140.0)]


def test_circles_and_corridors_are_crossed_too():
    here = {"type": "Point", "coordinates": [106.0, north_of(300)]}
    circle = Zone(1, "gate", "stop", here, radius_m=60.0, crossings=True)
    (found,) = crossings(DRIVE, circle)
    assert found == pytest.approx((12.0, 18.0, 120.0), rel=1e-3)
    across = {"type": "LineString", "coordinates": [[105.9, north_of(300)], [106.1, north_of(300)]]}
    gantry = Zone(1, "gate", "watch", across, corridor_m=10.0, crossings=True)
    (found,) = crossings(DRIVE, gantry)
    assert found == pytest.approx((14.5, 15.5, 20.0), rel=1e-3)


def test_standing_beside_a_zone_crosses_nothing():
    still = fixes(np.arange(0, 100, 10), 0, metres=math.nextafter(60, 61))
    beside = {"type": "Point", "coordinates": [106.0, 10.0]}
    assert crossings(still, Zone(1, "gate", "stop", beside, radius_m=60.0, crossings=True)) == []
