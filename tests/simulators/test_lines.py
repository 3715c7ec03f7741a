"""The fleet drives on lines that a user drew."""

import numpy as np
import pytest

from simulators.errors import LineError
from simulators.fleet import Fleet, FleetOptions
from simulators.lines import road_of
from simulators.vehicles import LORRIES
from simulators.world import World, load_world
from tests.simulators.offline import START_US, US

FAR = np.array([[108.0, 12.0], [108.02, 12.0], [108.02, 12.03]])
WORLD = load_world()


def a_world(path=FAR) -> World:
    return WORLD.with_lines({"features[0]": road_of(path)})


def test_an_open_line_is_driven_there_and_back_and_a_ring_round():
    back = road_of(FAR)
    assert (back.lon[0], back.lat[0]) == (back.lon[-1], back.lat[-1]) == (108.0, 12.0)
    assert len(back.lon) == 5
    ring = np.vstack((FAR, FAR[:1]))
    assert len(road_of(ring).lon) == 4


def test_half_of_the_lawful_fleet_drives_on_the_lines_and_the_others_as_before():
    fleet = Fleet(a_world(), FleetOptions(400, 1, "json", START_US))
    fixes = fleet.due(START_US, START_US + 600 * US, 10)
    there = (fixes.lat < 13) & (fixes.quality == 0)
    on_lines = np.unique(fixes.vehicle[there])
    assert 0.35 * 400 < len(on_lines) < 0.6 * 400
    assert on_lines.min() >= fleet.offenders
    lorries = [row for row in on_lines if fleet.vehicles[row].make in LORRIES]
    assert 0 < len(lorries) < len(on_lines)
    line = WORLD.with_lines({"x": road_of(FAR)}).roads["x"]
    lon, lat, _ = line.at(line.grid(()))
    for at in range(0, int(there.sum()), 500):
        apart = np.hypot(lon - fixes.lon[there][at], lat - fixes.lat[there][at])
        assert apart.min() < 2e-4


def test_without_lines_a_seed_drives_what_it_drove():
    options = FleetOptions(50, 1, "json", START_US)
    one, other = Fleet(WORLD, options), Fleet(WORLD.with_lines({}), options)
    fixes = [fleet.due(START_US, START_US + 60 * US, 10) for fleet in (one, other)]
    np.testing.assert_array_equal(fixes[0].lon, fixes[1].lon)


def test_lorries_keep_off_lines_through_closed_zones_and_by_scales():
    assert a_world().serves_lorries("features[0]")
    for road in ("duong-tat-noi-do", "vanh-dai-dong"):
        assert not WORLD.serves_lorries(road)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (FAR[:1].repeat(2, axis=0), "500 m to 1000 km, got 0 m"),
        (np.array([[108.0, 12.0], [108.001, 12.0]]), "got 109 m"),
        (np.array([[0.0, 0.0], [20.0, 0.0]]), "got 2223"),
        (np.array([[0.0, 79.9], [0.0, 80.1]]), "latitudes within 80"),
    ],
)
def test_a_line_that_cannot_be_driven_is_refused(path, message):
    with pytest.raises(LineError, match=message):
        road_of(path)


def test_a_line_through_a_watched_place_is_refused():
    road = WORLD.roads["duong-kho-xang"]
    with pytest.raises(LineError, match=r"features\[0\]: .* through TDOI-KHOXANG"):
        WORLD.with_lines({"features[0]": road})
