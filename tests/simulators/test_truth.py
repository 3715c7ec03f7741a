"""What the fleet plans is what the judge finds: all of it, and nothing else."""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from devices.batch import FixBatch
from devices.catalogue import codec as codec_of
from geofence.profile import shipped_profile
from geofence.rules.overload import judge_weighing
from simulators.casting import VIOLATORS_AT_LEAST
from simulators.dirt import MILD, Dirt, spoil_fixes
from simulators.feed import single, topic_of
from simulators.fleet import Fleet, FleetOptions
from simulators.plan import Plan, Sampling
from simulators.truth import LONG_KINDS, QUICK_KINDS, Planned, count_by_kind
from simulators.vehicles import CODECS, MIX
from simulators.world import load_world
from tests.simulators.offline import START_US, US, judged

WORLD = load_world(has_map=True)
BY_SCALES = {"overload_gross", "overload_axle", "overload_cargo"}
ELSEWHERE = {*BY_SCALES, "clock_wrong", "late_departure"}
"""Kinds that are not found by the judge of fixes."""


def a_fleet(vehicles: int = 500, seed: int = 1, codec: str = "mix") -> Fleet:
    return Fleet(WORLD, FleetOptions(vehicles, seed, codec, START_US))


def planned(fleet: Fleet, until_us: int, interval_s: int = 10) -> list[Planned]:
    """What is planned until then and shown by fixes, the latest ends cut there."""
    plans = Plan(fleet).known([Sampling(START_US, until_us, interval_s)])
    return [replace(p, ended=min(p.ended, until_us)) for p in plans if p.kind not in ELSEWHERE]


@pytest.mark.parametrize(
    ("vehicles", "seed", "interval_s"), [(500, 1, 10), (120, 2, 5), (21, 3, 10)]
)
def test_every_planned_violation_is_found_within_one_step_and_none_is_invented(
    vehicles, seed, interval_s
):
    fleet = a_fleet(vehicles, seed)
    until = START_US + 1800 * US
    fixes = fleet.due(START_US, until, interval_s)
    found = judged(fleet, fixes, until)
    for plan in planned(fleet, until, interval_s):
        (match,) = [
            interval
            for interval in found
            if (interval.kind, interval.vehicle, interval.subject)
            == (plan.kind, plan.vehicle, plan.subject)
            and abs(interval.started - plan.started) <= (interval_s + 1) * US
            and abs(interval.ended - plan.ended) <= (interval_s + 1) * US
        ]
        found.remove(match)
    assert found == []


@pytest.mark.parametrize("dirt", [Dirt(), MILD], ids=["clean", "mild"])
@pytest.mark.parametrize("cut_s", [150, 415, 666, 930])
def test_what_counts_as_planned_at_any_moment_is_what_is_found_by_then(cut_s, dirt):
    fleet = a_fleet()
    until = START_US + cut_s * US
    fixes = fleet.due(START_US, until, 10)
    found = judged(fleet, spoil_fixes(fixes, dirt, 1, START_US), until)
    expected = count_by_kind(planned(fleet, until))
    assert Counter(interval.kind for interval in found) == expected


def test_a_wrong_clock_is_planned_where_its_fixes_are_sent_and_not_where_a_tunnel_keeps_them():
    fleet, until = a_fleet(660), START_US + 90 * US
    fixes = fleet.due(START_US, until, 10)
    told = Counter(fixes.vehicle[fixes.time > fixes.received].tolist())
    plans = Plan(fleet).known([Sampling(START_US, until, 10)])
    wrong = {p.vehicle - 1 for p in plans if p.kind == "clock_wrong"}
    assert sorted(told.values()) == [1, 6]  # one of the two is in a tunnel for most of its minute
    assert wrong == {row for row, fixes in told.items() if fixes >= 3}


def test_a_lost_receiver_is_planned_where_what_it_sends_is_not_too_old_to_be_judged():
    hour = 3600 * US
    live = START_US + 30 * hour
    fleet = Fleet(WORLD, FleetOptions(21, 1, "json", START_US, live_us=live))
    (row,) = fleet.tampering.rows("no_position").tolist()
    all_of = np.arange(START_US, live, 30 * US)
    fixes = fleet.sample(np.full(len(all_of), row, np.int32), all_of)
    # Ten minutes after it began, the past is there.
    found = judged(fleet, fixes.with_columns(received=np.full(len(fixes), live + hour // 6)), live)
    plans = [p for p in Plan(fleet).known([Sampling(START_US, live, 30)]) if p.vehicle == row + 1]
    assert Counter(each.kind for each in found) == count_by_kind(plans)
    counts = count_by_kind(plans)
    assert counts["data_gap"] > counts["gps_lost"] > 0
    assert min(p.started for p in plans if p.kind == "gps_lost") > live - 24 * hour


def test_few_vehicles_offend_in_every_quick_kind_within_a_quarter_of_an_hour():
    fleet = a_fleet(VIOLATORS_AT_LEAST)
    kinds = {plan.kind for plan in Plan(fleet).known([Sampling(START_US, START_US + 915 * US, 10)])}
    assert kinds - set(LONG_KINDS) == set(QUICK_KINDS)


def test_each_overload_is_of_its_kind_alone_and_every_other_lorry_is_lawful():
    fleet = a_fleet()
    until = START_US + 7200 * US
    weighings = fleet.weighbridges.between(START_US, until)
    assert len(weighings) > 200
    profile = shipped_profile()
    by_plate = {vehicle.plate: vehicle.rule for vehicle in fleet.vehicles}
    found = [
        interval
        for row in range(len(weighings))
        for interval in judge_weighing(
            weighings,
            row,
            by_plate[weighings.plate[row]],
            WORLD.station(weighings.station[row]),
            profile,
            profile.load_limits_on(date(2026, 9, 1)),
        )
    ]
    known = Plan(fleet).known([Sampling(START_US, until, 10)])
    plans = [plan for plan in known if plan.kind in BY_SCALES]
    assert {plan.kind for plan in plans} == BY_SCALES
    for plan in plans:
        # The scales keep whole microseconds of a period, the plan fractions of them.
        (match,) = [
            interval
            for interval in found
            if (interval.kind, interval.vehicle, interval.subject)
            == (plan.kind, plan.vehicle, plan.subject)
            and abs(interval.started - plan.started) < 1000
        ]
        found.remove(match)
    assert found == []


def test_what_went_over_the_wire_in_every_codec_is_judged_as_it_was_planned():
    fleet = a_fleet(len(MIX))
    until = START_US + 1000 * US
    fixes = fleet.due(START_US, until, 10)
    sent = spoil_fixes(fixes, MILD, 1, START_US, fleet.can_swap[fixes.vehicle])
    found = judged(fleet, over_the_wire(fleet, sent, until), until)
    expected = count_by_kind(planned(fleet, until))
    assert Counter(interval.kind for interval in found) == expected


def over_the_wire(fleet: Fleet, fixes: FixBatch, until_us: int) -> FixBatch:
    """What is decoded of the fleet's messages, with the rows of the vehicles that sent them."""
    of_vehicle = {(topic_of(v), v.plate if v.codec == "ufms" else ""): v.number for v in
                  fleet.vehicles}  # fmt: skip
    by_codec = defaultdict(list)
    for message in single(fleet, fixes):
        by_codec["owntracks" if message.topic[0] == "o" else message.topic.split("/")[2]].append(
            message
        )
    parts = []
    for name, messages in by_codec.items():
        payloads = [message.payload for message in messages]
        decoded = codec_of(name).decode(payloads, np.full(len(payloads), until_us))
        assert decoded.refusals == ()
        assert len(decoded.fixes) == len(messages)
        inner = [decoded.idents[i] if name == "ufms" else "" for i in decoded.fix_ident.tolist()]
        rows = [
            of_vehicle[messages[at].topic, ident] - 1
            for at, ident in zip(decoded.fix_payload.tolist(), inner, strict=True)
        ]
        parts.append(
            decoded.fixes.with_columns(
                # As workers have them: kernels are compiled for the types that they are given.
                vehicle=np.array(rows, np.int32),
                received=np.array([messages[at].due_us for at in decoded.fix_payload.tolist()]),
            )
        )
    assert set(by_codec) == set(CODECS)
    return FixBatch.concat(parts)
