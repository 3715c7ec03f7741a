"""Visits, entries, exits, stays and bans: when they begin and end, and at which bounds."""

import numpy as np
import pytest

from geofence.registry import VehicleRule, Zone
from tests.geofence.scene import START_US, fixes, found, of_kind

IN, OUT = 500.0, 3_000.0  # metres north: the square reaches from 0 to 1 km
ZONE = {
    "type": "Polygon",
    "coordinates": [
        [[105.99, 10.0], [106.01, 10.0], [106.01, 10.009], [105.99, 10.009], [105.99, 10.0]]
    ],
}


def zone(kind="watch", **fields):
    return Zone(1, "depot", kind, ZONE, **fields)


def stay(pattern, gap_s=60, **columns):
    """Fixes every `gap_s`, "i" inside and "o" outside."""
    metres = [IN if side == "i" else OUT for side in pattern]
    return fixes([gap_s * k for k in range(len(pattern))], metres=metres, **columns)


def visits(pattern, kind="zone_visit", gap_s=600, **fields):
    return found(stay(pattern, gap_s), kind, zones=[zone(**fields)])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("oio", []),
        ("oi", []),
        ("ii", [(0, 600, True)]),
        ("oiio", [(600, 1200, True)]),
        ("oiioo", [(600, 1200, False)]),
        ("oiioiio", [(600, 3000, True)]),
        ("iiooiioo", [(0, 600, False), (2400, 3000, False)]),
        ("iioioo", [(0, 1800, False)]),
        ("ioii", [(1200, 1800, True)]),
    ],
)
def test_two_fixes_confirm_and_the_change_of_side_is_stamped(pattern, expected):
    assert visits(pattern) == expected


def test_entry_and_exit_are_instants_of_the_first_and_last_fix_inside():
    batch = stay("oiiioo", 600, driver=[1, 2, 3, 4, 5, 6])
    (entry,) = of_kind(batch, "zone_entry", zones=[zone()])
    (leaving,) = of_kind(batch, "zone_exit", zones=[zone()])
    assert entry.started == entry.ended == START_US + 600_000_000
    assert leaving.started == leaving.ended == START_US + 1_800_000_000
    assert (entry.driver, leaving.driver) == (2, 4)
    assert (entry.fixes, entry.distance_m, entry.is_open) == (1, 0.0, False)


@pytest.mark.parametrize("kind", ["terminal", "stop", "banned"])
def test_only_watched_zones_tell_of_entries_and_exits(kind):
    batch = stay("iioo", 600)
    assert len(of_kind(batch, "zone_visit", zones=[zone(kind)])) == 1
    assert of_kind(batch, "zone_entry", zones=[zone(kind)]) == []
    assert of_kind(batch, "zone_exit", zones=[zone(kind)]) == []


def test_a_gap_of_exactly_the_maximum_goes_on_and_a_longer_one_ends_the_visit():
    assert visits("iii", gap_s=900) == [(0, 1800, True)]
    assert visits("iii", gap_s=900.5) == []
    times = [0, 60, 961, 1021]
    batch = fixes(times, metres=IN)
    assert found(batch, "zone_visit", zones=[zone()]) == [(0, 60, False), (961, 1021, True)]


def test_a_gap_starts_the_count_outside_anew():
    times = [0, 60, 120, 1_100, 1_160]
    batch = fixes(times, metres=[IN, IN, OUT, OUT, IN])
    assert found(batch, "zone_visit", zones=[zone()]) == [(0, 60, False)]


def test_the_border_is_inside():
    batch = fixes([0, 60], lon=105.99)
    assert found(batch, "zone_visit", zones=[zone()]) == [(0, 60, True)]


def test_a_visit_counts_its_fixes_inside_and_drives_every_step_between_them():
    batch = fixes([0, 60, 120, 180], metres=[900, 990, 1_100, 980])
    (visit,) = of_kind(batch, "zone_visit", zones=[zone()])
    assert visit.fixes == 3
    assert visit.distance_m == pytest.approx(90 + 110 + 120, rel=1e-6)


def test_a_stay_of_exactly_the_maximum_is_no_dwell():
    assert visits("iii", "zone_dwell", max_stay_s=1200) == []
    assert visits("iii", "zone_dwell", max_stay_s=1199.9) == [(0, 1200, True)]
    assert visits("iiioo", "zone_dwell", max_stay_s=1199.9) == [(0, 1200, False)]
    assert visits("iii", "zone_dwell") == []


def test_a_ban_of_exactly_the_minimum_duration_is_broken():
    zones = [zone("banned", min_duration_s=60.0)]
    assert found(stay("oiio"), "banned_zone", zones=zones) == [(60, 120, True)]
    zones = [zone("banned", min_duration_s=60.1)]
    assert found(stay("oiioo"), "banned_zone", zones=zones) == []


def test_a_ban_holds_for_its_classes_and_masses_only():
    light, heavy = VehicleRule(1, gross_kg=9_999.0), VehicleRule(1, gross_kg=10_000.0)
    heavy_only = [zone("banned", min_gross_kg=10_000.0)]
    assert found(stay("ii"), "banned_zone", zones=heavy_only, vehicle=light) == []
    assert found(stay("ii"), "banned_zone", zones=heavy_only, vehicle=heavy) == [(0, 60, True)]
    assert found(stay("ii"), "banned_zone", zones=heavy_only) == []  # an unknown mass
    buses = [zone("banned", classes=("bus",))]
    assert found(stay("ii"), "banned_zone", zones=buses) == []
    bus = VehicleRule(1, vehicle_class="bus")
    assert found(stay("ii"), "banned_zone", zones=buses, vehicle=bus) == [(0, 60, True)]


def test_a_ban_by_hours_lasts_from_the_first_to_the_last_fix_in_them():
    # START_US is Wednesday 05:13:20 in Ho Chi Minh City.
    hours = (("wed", "05:15", "05:20"),)
    batch = stay("i" * 12)
    assert found(batch, "banned_zone", zones=[zone("banned", weekly_hours=hours)]) == [
        (120, 360, False)
    ]
    (visit,) = of_kind(batch, "zone_visit", zones=[zone("banned", weekly_hours=hours)])
    assert visit.fixes == 12


def test_visits_to_many_zones_at_once_are_kept_apart():
    zones = [Zone(k, f"z{k:02}", "stop", ZONE) for k in range(40)]
    visits = of_kind(stay("oiioo"), "zone_visit", zones=zones)
    assert [v.subject for v in visits] == [f"z{k:02}" for k in range(40)]
    assert {(v.started, v.ended, v.fixes) for v in visits} == {
        (START_US + 60_000_000, START_US + 120_000_000, 2)
    }


def test_a_new_version_of_a_zone_goes_on_with_the_visit():
    change = START_US + 90_000_000
    zones = [
        Zone(1, "depot", "watch", ZONE, valid_to=change),
        Zone(2, "depot", "watch", ZONE, version=2, valid_from=change),
    ]
    (visit,) = of_kind(stay("iiii"), "zone_visit", zones=zones)
    assert (visit.fixes, visit.details["zone_id"]) == (4, 1)


def test_speed_zones_have_no_visits():
    speed = zone("speed", speed_limits={"*": 50.0})
    assert found(stay("iii"), "zone_visit", zones=[speed]) == []


def test_a_jump_is_no_fix_outside():
    batch = fixes([0, 30, 60, 90], metres=[IN, 90_000.0, IN, IN])
    (visit,) = of_kind(batch, "zone_visit", zones=[zone()])
    assert visit.fixes == 3
    assert np.isclose(visit.distance_m, 0.0)
