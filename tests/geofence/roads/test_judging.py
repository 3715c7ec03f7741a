"""Roads in the judge: their limits beside zones, and state that can be computed again exactly."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.batch import FixBatch
from geofence.judge import Judge
from geofence.locate import LimitSource, locate
from geofence.profile import shipped_profile
from geofence.registry import VehicleRule, Zone
from geofence.roads.matcher import Matched, RoadIndex
from tests.geofence import test_judge_resumes as resumes
from tests.geofence.roads.drives import batch_of, cruise, doubtful, seeded
from tests.geofence.roads.town import (
    NETWORK,
    PROFILE,
    START_US,
    network_of,
    place,
    rulebook,
    signed,
)

SEED = st.integers(0, 2**32 - 1)
STEPS = shipped_profile("tt09")
MIDNIGHT = date(2023, 11, 15)  # 5 h 13 min before START_US in the rulebook's timezone


def box(west, south, east, north):
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    ring = [[float(x) for x in place(*corner)] for corner in corners]
    return {"type": "Polygon", "coordinates": [ring]}


ZONES = [
    Zone(1, "low", "speed", box(300, -50, 480, 50), speed_limits={"*": 30.0}),
    Zone(
        2, "over", "speed", box(700, -350, 1100, 50), speed_limits={"bus": 90.0, "car": 70.0},
        overrides_road=True,
    ),
]  # fmt: skip
VEHICLES = [
    VehicleRule(1, vehicle_class="car"),
    VehicleRule(2, vehicle_class="bus", speed_limit_kmh=55.0),
]
BOOKS = {
    "fix": rulebook(ZONES, VEHICLES),
    "step": rulebook(ZONES, VEHICLES, [STEPS]),
    "changing": rulebook(
        ZONES, VEHICLES,
        [replace(PROFILE, effective_to=MIDNIGHT), replace(STEPS, effective_from=MIDNIGHT)],
    ),
}  # fmt: skip


def fleet(seed):
    random = np.random.default_rng(seed)
    kinds = [cruise, seeded, doubtful]
    drives = [kinds[(seed + vehicle) % 3](random, 4) for vehicle in (1, 2)]
    return FixBatch.concat([batch_of(rows, v) for v, rows in enumerate(drives, 1)])


@pytest.fixture
def _roads(monkeypatch):
    for name, book in BOOKS.items():
        monkeypatch.setitem(resumes.RULEBOOKS, name, book)


@pytest.mark.usefixtures("_roads")
@pytest.mark.parametrize("name", BOOKS)
@pytest.mark.parametrize("forgets", [False, True])
def test_batches_and_lost_state_change_nothing(name, forgets):
    for seed in range(60):
        resumes.check_partition(name, fleet(seed), seed, forgets=forgets)


@pytest.mark.usefixtures("_roads")
@pytest.mark.parametrize("name", BOOKS)
def test_late_fixes_end_as_if_they_had_come_in_time(name):
    for seed in range(60):
        resumes.check_late(name, fleet(100 + seed), seed)


def test_the_drives_of_these_tests_break_limits_of_roads():
    sources: set[object] = set()
    for seed in range(40):
        batch = fleet(seed)
        judged = Judge(BOOKS["fix"]).advance(batch, np.zeros(len(batch), np.bool_))
        sources |= {i.details["limit_source"] for i in judged.intervals if i.kind == "speeding"}
    assert {"road", "vehicle", "profile"} <= sources


@settings(max_examples=30, deadline=None)
@given(SEED)
def test_a_rulebook_without_roads_is_judged_as_if_there_were_no_roads_near(seed):
    far = RoadIndex.build(network_of([(signed(1, 20.0), [(50_000, 0), (51_000, 0)])]))
    batch = fleet(seed)
    settled = np.zeros(len(batch), np.bool_)
    without = Judge(rulebook(ZONES, VEHICLES, index=None)).advance(batch, settled)
    beside = Judge(rulebook(ZONES, VEHICLES, index=far)).advance(batch, settled)
    assert without.intervals == beside.intervals
    assert without.quality.tolist() == beside.quality.tolist()
    assert (beside.needs_from <= without.needs_from).all()


def limit(east, north, way, *, vehicle=1, confidence=1.0, back=False, time=START_US, book="fix"):
    """Limit and source where a fix is matched to a way."""
    batch = batch_of([(time, east, north, 50.0, np.nan)], vehicle)
    edges = np.flatnonzero(NETWORK.ways["way"][NETWORK.edges["row"]] == way)
    edge = edges[:1] if way >= 0 else np.array([-1])
    sure = np.array([confidence], np.float32)
    matched = Matched(edge.astype(np.int32), np.array([back]), sure, np.zeros(1), sure)
    located = locate(BOOKS[book], batch, matched)
    return float(located.limit_kmh[0]), LimitSource(int(located.limit_source[0])).name.lower()


def test_the_sign_in_the_direction_of_travel_is_in_force():
    assert limit(2500, 30, 11) == (70.0, "road")
    assert limit(2500, 30, 11, back=True) == (50.0, "road")


def test_a_road_without_a_sign_has_the_default_of_its_kind():
    assert limit(600, 300, 5) == (50.0, "road")  # populated, undivided: for every class
    assert limit(600, 300, 5, vehicle=2) == (50.0, "road")


def test_the_default_is_that_of_the_law_of_the_day():
    in_2014 = 1_400_000_000_000_000
    assert limit(600, 300, 5, time=in_2014) == (50.0, "road")
    assert limit(600, 300, 5, vehicle=2, time=in_2014) == (40.0, "road")
    before_any = 1_000_000_000_000_000
    assert limit(600, 300, 5, vehicle=2, time=before_any) == (55.0, "vehicle")


def test_where_neither_zone_nor_road_has_a_limit_the_vehicle_has():
    assert limit(500, 10, 12) == (80.0, "profile")  # a service road: the law has no default
    assert limit(500, 150, -1, vehicle=2) == (55.0, "vehicle")


def test_below_the_confidence_no_road_counts():
    assert limit(2500, 30, 11, confidence=0.79) == (80.0, "profile")
    assert limit(2500, 30, 11, confidence=0.81) == (70.0, "road")


def test_the_lowest_of_zone_and_road_is_in_force():
    assert limit(350, 0, 1) == (30.0, "zone")
    assert limit(100, 0, 1) == (60.0, "road")


def test_a_zone_that_overrides_roads_replaces_them():
    assert limit(900, -300, 6) == (70.0, "zone")
    assert limit(900, -300, 6, vehicle=2) == (90.0, "zone")
    assert limit(100, -300, 6) == (80.0, "road")


def test_a_zone_that_overrides_roads_but_has_no_limit_for_the_class_replaces_nothing():
    zone = Zone(1, "z", "speed", box(700, -350, 1100, 50), speed_limits={"bus": 90.0},
                overrides_road=True)  # fmt: skip
    book = rulebook([zone], VEHICLES)
    batch = batch_of([(START_US, 900, -300, 50.0, 90.0)])
    matcher = Judge(book)._matcher
    assert matcher is not None
    matched = matcher.advance(batch, np.array([50.0]), np.zeros(1, np.int32))
    located = locate(book, batch, matched)
    assert located.limit_kmh[0] == 80.0
    assert located.limit_source[0] == LimitSource.ROAD


def test_of_a_zone_and_a_road_with_the_same_limit_the_zone_is_named():
    zone = Zone(1, "same", "speed", box(0, -50, 300, 50), speed_limits={"*": 60.0})
    book = rulebook([zone], VEHICLES)
    batch = batch_of([(START_US, 100, 0, 50.0, 90.0)])
    sure = np.ones(1, np.float32)
    matched = Matched(np.zeros(1, np.int32), np.zeros(1, np.bool_), sure, np.zeros(1), sure)
    located = locate(book, batch, matched)
    assert located.limit_zone.tolist() == [0]


def test_a_run_that_begins_with_a_span_of_memory_is_found_again():
    """What comes before the run is matched with too little memory, and must not lengthen it."""
    book = rulebook([], [VehicleRule(1, speed_limit_kmh=45.0)])
    span = 120_000_000
    begin = START_US // span * span
    sure = [(begin + k * 20_000_000, 100 + 60 * k, -3, 50.0, np.nan) for k in range(6)]
    between = [(begin + span + k * 20_000_000, 460 + 60 * k, 7, 50.0, np.nan) for k in range(6)]
    over = [(begin + 2 * span + k * 20_000_000, 820 + 60 * k, 2, 70.0, np.nan) for k in range(6)]
    batch = batch_of([*sure, *between, *over])
    new = np.zeros(len(batch), np.bool_)
    whole = Judge(book).advance(batch, new)
    expected = next(i for i in whole.intervals if i.kind == "speeding")
    assert expected.started == batch.time[12]
    for last in range(12, 17):
        taken = np.flatnonzero(batch.time >= whole.needs_from[last])
        again = Judge(book).advance(batch.take(taken), taken <= last)
        assert expected in again.intervals
    # The cold start does see it otherwise: this test is about something.
    cold = Judge(book).advance(batch.take(np.arange(6, 18)), new[6:])
    assert all(i.started == batch.time[6] for i in cold.intervals if i.kind == "speeding")
