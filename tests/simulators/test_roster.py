"""Vehicles are driven and rest as their rosters say, and drivers break the law only by plan."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.fleet import Fleet, FleetOptions
from simulators.hours import CONTINUOUS_S, WEEKLY_S, over_limits
from simulators.plan import Plan, Sampling
from simulators.roster import DAY_S, Roster, Rosters, lawful
from simulators.truth import WARNINGS
from simulators.world import load_world
from tests.simulators.offline import START_US, US, judged

HOUR_US = 3600 * US
WEEK_US = 168 * HOUR_US
MONDAY_US = 4 * 24 * HOUR_US - 7 * HOUR_US
"""The first Monday of 1970, 00:00 in Viet Nam."""

laps = st.floats(600.0, 30_000.0)


def one(roster: Roster, lap_s: float, pace: float = 1.0) -> Rosters:
    return Rosters([roster], np.array([lap_s]), np.array([pace]))


@given(laps, st.floats(0.8, 1.0), st.floats(0.0, 6 * DAY_S), st.integers(1, 2))
def test_a_phase_that_is_driven_is_reached_when_the_clock_says(lap_s, pace, at_s, shifts):
    rosters = one(lawful(lap_s / pace, shifts), lap_s, pace)
    row = np.zeros(1, np.int32)
    phase, rests, shift = rosters.phases(row, np.array([at_s]))
    assert 0 <= shift[0] < shifts
    if rests[0]:
        again, _, _ = rosters.phases(row, np.array([at_s - 1e-3]))
        assert again[0] == pytest.approx(phase[0], abs=2e-3)
        assert phase[0] % lap_s == pytest.approx(0.0, abs=1e-3) or phase[0] % lap_s > lap_s - 1e-3
    else:
        assert rosters.times(row, phase)[0] == pytest.approx(at_s, abs=1e-3)
        assert rosters.block_ends(row, phase)[0] >= at_s - 1e-3


@given(laps)
def test_a_lawful_roster_keeps_every_limit_of_driving_time(lap_s):
    for shifts in (1, 2):
        roster = lawful(lap_s, shifts)
        block_s = roster.laps * lap_s
        assert roster.at_work_s(lap_s) + roster.rest_s <= roster.cycle_s + 1e-6
        if roster.laps * roster.blocks > 1:
            assert block_s < CONTINUOUS_S
            assert 7 * roster.blocks // shifts * block_s < WEEKLY_S


def test_a_roster_that_does_not_fit_into_its_day_is_refused():
    with pytest.raises(ValueError, match="within its cycle"):
        one(Roster(laps=10, blocks=3), 3600.0)


def test_a_span_counts_for_the_days_and_weeks_in_which_it_lies():
    eve = MONDAY_US - 2 * HOUR_US
    warning, long = over_limits([(eve, eve + 5 * HOUR_US)])
    assert (long.kind, long.driving_s) == ("continuous_driving", 5 * 3600)
    assert (warning.kind, warning.ended) == ("continuous_driving_warning", eve + 235 * 60 * US)
    # Ten hours and a half, but two of them yesterday.
    spans = [(eve + at * HOUR_US, eve + (at + 3) * HOUR_US) for at in (0, 4, 8)]
    assert list(over_limits([*spans, (eve + 12 * HOUR_US, eve + 27 * HOUR_US // 2)])) == []
    later = [(s + 3 * HOUR_US, e + 3 * HOUR_US + HOUR_US // 2) for s, e in spans]
    warning, daily = over_limits(later)
    assert daily.kind == "daily_driving"
    # Seven hours in two spans, and five minutes less than three in the third.
    assert warning.ended == later[2][0] + 175 * 60 * US
    # What goes on may be less by what the fixes do not show yet.
    assert list(over_limits(later, later[2][1], 1800.0)) == [warning]
    assert list(over_limits(later, later[2][1], 2400.0)) == []


def test_who_rests_too_little_is_found_over_days_and_weeks_and_nobody_else():
    monday = START_US - (START_US - MONDAY_US) % WEEK_US
    until = monday + 7 * 24 * HOUR_US
    fleet = Fleet(load_world(), FleetOptions(40, 1, "json", monday))
    sampling = Sampling(monday, until, 120)
    plans = [plan for plan in Plan(fleet).known([sampling]) if "_driving" in plan.kind]
    assert {plan.kind for plan in plans} == {
        *("continuous_driving", "daily_driving", "weekly_driving"), *WARNINGS,
    }  # fmt: skip
    fixes = fleet.due(monday, until, sampling.interval_s)
    cars = [
        row for row, part in enumerate(fleet.parts) if part.script is None or part.script.roster
    ]
    found = judged(fleet, fixes.take(np.isin(fixes.vehicle, cars)), until)
    for plan in plans:
        (match,) = [
            interval
            for interval in found
            if (interval.kind, interval.vehicle) == (plan.kind, plan.vehicle)
            and abs(interval.started - plan.started) <= 121 * US
            and abs(interval.ended - plan.ended) <= (121 if plan.kind not in WARNINGS else 605) * US
        ]
        found.remove(match)
    assert [each for each in found if "_driving" in each.kind] == []


def test_two_drivers_who_share_a_vehicle_drive_one_after_the_other():
    fleet = Fleet(load_world(), FleetOptions(100, 1, "json", START_US))
    fixes = fleet.due(START_US, START_US + 24 * HOUR_US, 300)
    shared = [row for row, part in enumerate(fleet.parts) if part.roster.shifts == 2]
    assert len(shared) > 20
    for row in shared[:5]:
        mine = fixes.take((fixes.vehicle == row) & (fixes.speed_kmh > 3))
        assert set(mine.driver.tolist()) == {row, row + 100}
        assert fleet.licences[row] != fleet.licences[row + 100]
    unnamed = {
        row for row, licence in enumerate(fleet.licences[:100]) if not licence.startswith("01")
    }
    assert unnamed == {24, 49, 74, 99}
    assert not unnamed & set(shared)


def test_a_day_of_a_lap_that_is_too_long_for_a_block_has_its_own_length():
    roster = lawful(30 * 3600.0)
    assert roster == replace(roster, laps=1, blocks=1)
    assert roster.cycle_s > DAY_S
