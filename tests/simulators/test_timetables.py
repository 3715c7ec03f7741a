"""What nobody drives is planned as the comparison with the timetable finds it, at any moment."""

from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.timetable import NOT_RUN, day_of, days_between, judge_day
from geofence.interval import Details, Interval
from geofence.judge import Judge
from geofence.quality import Delays, Region, mark_arrival
from simulators.fleet import Fleet, FleetOptions
from simulators.plan import Plan, Sampling
from simulators.timetables import slots_not_run
from simulators.world import load_world
from tests.simulators.offline import START_US, US, rulebook_of

WORLD = load_world()
HOUR_US = 3600 * US
ROUTE = WORLD.route("2999.1404.B")
FLEET = Fleet(WORLD, FleetOptions(21, 1, "json", START_US))
RULEBOOK = rulebook_of(FLEET)


def trip(direction: str, departed: int) -> Interval:
    details: Details = {"route_id": ROUTE.id, "direction": direction, "outcome": "arrived"}
    nowhere = (np.nan, np.nan)
    return Interval(
        "route_trip", 1, ROUTE.code, "", -1, departed, departed, 0.0, 1, nowhere, nowhere,
        is_open=False, details=details,
    )  # fmt: skip


def found(trips: list[Interval], since: int, until: int) -> list[int]:
    """The slots that the comparison says nobody ran, in order."""
    profile, timezone = RULEBOOK.profile_at(since), RULEBOOK.timezone
    first, last = (day_of(at, profile, timezone) for at in (since, until))
    known = until - round(profile.number("visits.max_gap_s") * 1e6)
    return [
        run.slot.at_us
        for day in days_between(first, last + timedelta(days=1))
        for run in judge_day([ROUTE], trips, day, profile, timezone, since, known)
        if run.outcome == NOT_RUN
    ]


@given(
    since=st.integers(0, 30 * 3600), lasts=st.integers(0, 30 * 3600),
    rounds=st.lists(st.integers(0, 14), unique=True),
)  # fmt: skip
def test_slots_without_a_departure_are_those_of_the_comparison(since, lasts, rounds):
    since, until = START_US + since * US, START_US + (since + lasts) * US
    # Midnight in Viet Nam, and a bus that is seen in some rounds of four hours only.
    midnight = START_US - (START_US + 7 * HOUR_US) % (24 * HOUR_US)
    outbound = [midnight + (4 * turn) * HOUR_US + 122 * US for turn in rounds]
    inbound = [midnight + (4 * turn + 2) * HOUR_US + 1500 * US for turn in rounds]
    trips = [
        *(trip("outbound", at) for at in outbound if since <= at < until),
        *(trip("inbound", at) for at in inbound if since <= at < until),
    ]
    planned = [
        *slots_not_run(ROUTE, "outbound", outbound, (since, until)),
        *slots_not_run(ROUTE, "inbound", inbound, (since, until)),
    ]
    assert sorted(planned) == found(trips, since, until)


def test_a_fleet_plans_what_its_fixes_show_that_nobody_drives():
    until = START_US + 9 * HOUR_US
    plans = [p for p in Plan(FLEET).known([Sampling(START_US, until, 60)]) if p.kind == "not_run"]
    (row,) = [row for row, part in enumerate(FLEET.parts) if part.script and part.script.departs_s]
    times = FLEET.fix_times(row, (START_US, until), 60)
    fixes = FLEET.sample(np.full(len(times), row, np.int32), times)
    fixes = mark_arrival(
        fixes.with_columns(vehicle=fixes.vehicle + 1), Region(), Delays.at(RULEBOOK, fixes.received)
    )
    judged = Judge(RULEBOOK).advance(fixes, np.zeros(len(fixes), np.bool_)).intervals
    trips = [each for each in judged if each.kind == "route_trip"]
    assert len(trips) >= 4
    assert sorted(plan.started for plan in plans) == found(trips, START_US, until)
    assert len(plans) == 3
    assert {(plan.vehicle, plan.plate, plan.subject) for plan in plans} == {(0, "", ROUTE.code)}
    assert all(plan.ended == plan.started for plan in plans)


def test_of_a_fleet_without_a_bus_for_it_every_slot_of_the_timetable_is_planned():
    until = START_US + 24 * HOUR_US
    fleet = Fleet(WORLD, FleetOptions(3, 1, "json", START_US))
    plans = [p for p in Plan(fleet).known([Sampling(START_US, until, 600)]) if p.kind == "not_run"]
    assert sorted(p.started for p in plans) == found([], START_US, until)
    assert len(plans) > 15


def test_in_any_four_hours_and_forty_minutes_some_slot_is_known_that_nobody_drives():
    midnight = START_US - (START_US + 7 * HOUR_US) % (24 * HOUR_US)
    outbound = [midnight + 4 * turn * HOUR_US + 122 * US for turn in range(14)]
    inbound = [midnight + (4 * turn + 2) * HOUR_US + 1500 * US for turn in range(14)]
    for minute in range(0, 24 * 60, 10):
        start = START_US + minute * 60 * US
        span = (start, start + 280 * 60 * US)
        assert [
            *slots_not_run(ROUTE, "outbound", outbound, span),
            *slots_not_run(ROUTE, "inbound", inbound, span),
        ]
