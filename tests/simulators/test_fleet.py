"""The fleet moves as vehicles do, and the same seed gives the same bytes."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from devices.batch import Input, Quality, inputs_states
from devices.catalogue import codec as codec_of
from devices.rounding import on_grid
from geofence.profile import shipped_profile
from geofence.quality import Delays, Region, mark_arrival
from simulators.dirt import Dirt, spoil_fixes, spoil_messages
from simulators.feed import buffered, single, weighed
from simulators.fleet import Fleet, FleetOptions
from simulators.motion import ACCELERATION_MPS2, BRAKING_MPS2, Halt, Line, distances_m, plan_drive
from simulators.vehicles import CODECS, MIX, SHARES, WITHIN_POLES
from simulators.world import load_world
from tests.simulators.offline import START_US, US

WORLD = load_world()
UNTIL_US = START_US + 300 * US


def a_fleet(vehicles: int = 100, seed: int = 1, codec: str = "mix") -> Fleet:
    return Fleet(WORLD, FleetOptions(vehicles, seed, codec, START_US))


def test_a_drive_keeps_its_bounds_of_acceleration_and_its_halts():
    line = Line.of([(105.8, 21.0), (105.85, 21.02), (105.9, 21.0), (105.8, 21.0)])
    halts = [Halt(0.0, 60.0), Halt(2000.0, 30.0)]
    grid = line.grid([halt.along_m for halt in halts])
    drive = plan_drive(line, grid, np.full(len(grid), 60 / 3.6), halts)
    steps = np.diff(drive.phase_s)
    assert np.all(steps > 0)
    acceleration = np.diff(drive.speed_mps) / steps
    assert acceleration.max() <= ACCELERATION_MPS2 + 1e-6
    assert acceleration.min() >= -BRAKING_MPS2 - 1e-6
    assert drive.speed_mps.max() <= 60 / 3.6 + 1e-9
    at = drive.when(2000.0)
    _, _, speed, _ = drive.sample(np.array([at + 1.0, at + 29.0]))
    assert np.all(speed == 0.0)


def test_the_same_seed_gives_the_same_bytes_and_another_one_others():
    one, same, other = (single(f, f.due(START_US, UNTIL_US, 10)) for f in
                        (a_fleet(), a_fleet(), a_fleet(seed=2)))  # fmt: skip
    assert one == same
    assert one != other


def test_a_simulation_in_steps_is_the_same_as_in_one_piece():
    fleet = a_fleet()
    whole = fleet.due(START_US, UNTIL_US, 10)
    edges = [START_US, START_US + 1, START_US + 33 * US, START_US + 34 * US, UNTIL_US]
    parts = []
    for begin, end in pairwise(edges):
        parts.append(fleet.due(begin, end, 10))
    for name in ("vehicle", "time", "lon", "lat", "speed_kmh", "heading", "odometer", "inputs"):
        in_steps = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(in_steps, getattr(whole, name))
    # Some formats number their messages, which single() does anew for each step.
    messages = [message for part in parts for message in single(fleet, part)]
    assert [(m.due_us, m.topic) for m in messages] == [
        (m.due_us, m.topic) for m in single(fleet, whole)
    ]
    scales = fleet.weighbridges.between(START_US, UNTIL_US)
    later = fleet.weighbridges.between(START_US + 33 * US, UNTIL_US)
    assert weighed(later) == weighed(scales)[len(scales) - len(later) :]


def test_fixes_lie_as_far_apart_as_their_speeds_say():
    fleet = a_fleet()
    fixes = fleet.due(START_US, UNTIL_US, 1)
    for row in range(0, 100, 7):
        mine = fixes.take((fixes.vehicle == row) & (fixes.quality == 0))
        seconds = np.diff(mine.time) / 1e6
        driven = distances_m(mine.lon, mine.lat).sum()
        mean = (mine.speed_kmh[1:] + mine.speed_kmh[:-1]) / 2
        told = float((mean * seconds).sum() / 3.6)
        # Receiver noise makes a standing vehicle wander.
        assert driven == pytest.approx(told, rel=0.1, abs=6.0 * len(mine))


def test_doors_open_only_at_a_stand():
    fixes = a_fleet().due(START_US, UNTIL_US, 10)
    fixes = fixes.take(fixes.quality == 0)
    for speed, word in zip(fixes.speed_kmh.tolist(), fixes.inputs.tolist(), strict=True):
        assert inputs_states(word)[Input.DOOR] == (speed == 0.0)


@pytest.mark.parametrize("codec", CODECS)
def test_what_a_tracker_sends_says_when_where_and_whose_as_its_topic_does(codec):
    fleet = a_fleet(12, codec=codec)
    fixes = fleet.due(START_US, UNTIL_US, 10)
    payloads = [message.payload for message in single(fleet, fixes)]
    decoded = codec_of(codec).decode(payloads, np.full(len(payloads), UNTIL_US))
    assert decoded.refusals == ()
    np.testing.assert_array_equal(np.sort(decoded.fixes.time), fixes.time)
    np.testing.assert_allclose(np.sort(decoded.fixes.lon), np.sort(fixes.lon), atol=1e-5)
    names = {v.plate if codec == "ufms" else v.ident for v in fleet.vehicles}
    assert set(decoded.idents) <= names


@pytest.mark.parametrize("codec", CODECS)
def test_exchanged_axes_come_back_from_every_format_that_can_write_them(codec):
    fleet = a_fleet(12, codec=codec)
    fixes = fleet.due(START_US, UNTIL_US, 10)
    swapped = fixes.with_columns(lon=fixes.lat, lat=fixes.lon)
    if codec in WITHIN_POLES:
        assert not fleet.can_swap.any()
        return
    payloads = [message.payload for message in single(fleet, swapped)]
    decoded = codec_of(codec).decode(payloads, np.full(len(payloads), UNTIL_US))
    assert decoded.refusals == ()
    np.testing.assert_allclose(np.sort(decoded.fixes.lat), np.sort(fixes.lon), atol=1e-5)


def test_a_mixed_fleet_speaks_every_codec_in_its_share_and_soon():
    speakers = Counter(v.codec for v in a_fleet(len(MIX)).vehicles)
    assert speakers.keys() == set(CODECS)
    assert all(speakers[name] == SHARES.get(name, 1) for name in CODECS)
    assert len({v.codec for v in a_fleet(20).vehicles}) >= len(SHARES) - 1


def test_every_vehicle_has_names_of_its_own():
    fleet = a_fleet(3000)
    assert len({v.plate for v in fleet.vehicles}) == 3000
    assert len({v.ident for v in fleet.vehicles}) == 3000
    assert {v.codec for v in fleet.vehicles} == set(CODECS)


@pytest.mark.parametrize("codec", ["morse", "weigh-json"])
def test_a_codec_that_no_tracker_speaks_is_refused(codec):
    with pytest.raises(ValueError, match="expected one of json"):
        a_fleet(codec=codec)


def test_swapped_axes_and_jumps_are_what_cleaning_calls_so():
    fleet = a_fleet()
    fixes = fleet.due(START_US, UNTIL_US, 10)
    spoilt = spoil_fixes(fixes, Dirt(swapped=0.1, jumps=0.05), 1, START_US)
    moved = spoilt.lat != fixes.lat
    assert 0.1 * len(fixes) < moved.sum() < 0.2 * len(fixes)
    marked = mark_arrival(spoilt, Region(), Delays.of(shipped_profile()))
    swapped = (marked.quality & Quality.SWAPPED) != 0
    assert np.array_equal(marked.lon[swapped], on_grid(fixes.lon[swapped]))
    assert np.all(fixes.lat[moved & ~swapped] - spoilt.lat[moved & ~swapped] > 0.3)


def test_duplicates_and_delays_lose_no_message():
    fleet = a_fleet()
    messages = single(fleet, fleet.due(START_US, UNTIL_US, 10))
    dirt = Dirt(duplicates=0.1, late=0.1, out_of_order=0.1)
    spoilt = spoil_messages(messages, dirt, 1)
    assert len(spoilt) > len(messages)
    assert {m.payload for m in spoilt} == {m.payload for m in messages}
    assert [m.due_us for m in spoilt] == sorted(m.due_us for m in spoilt)
    assert spoil_messages(messages, Dirt(), 1) is messages


def test_who_was_out_of_reach_sends_the_newest_first_and_loses_nothing():
    fleet = a_fleet(40)
    until = START_US + 1200 * US
    messages = single(fleet, fleet.due(START_US, until, 10))
    spoilt = spoil_messages(messages, Dirt(outages=0.5), 1)
    assert Counter(m.payload for m in spoilt) == Counter(m.payload for m in messages)
    when = {(m.topic, m.payload): m.due_us for m in messages}
    late = [m for m in spoilt if m.due_us > when[m.topic, m.payload]]
    assert len(late) > 0.05 * len(messages)
    backwards = forwards = 0
    for one, next_ in pairwise(sorted(late, key=lambda m: (m.topic, m.due_us))):
        if one.topic == next_.topic and next_.due_us - one.due_us < 2 * US:
            is_newer = when[one.topic, one.payload] >= when[next_.topic, next_.payload]
            backwards, forwards = backwards + is_newer, forwards + (not is_newer)
    assert backwards > 50
    assert forwards == 0
    assert spoil_messages(messages, Dirt(outages=1.0), 1, {m.topic for m in messages}) == messages


def test_in_a_tunnel_trackers_are_silent_or_know_no_place_and_come_back_as_they_drove():
    fleet = a_fleet()
    fixes = fleet.due(START_US, START_US + 3600 * US, 10)
    lost = (fixes.quality & Quality.NO_POSITION) != 0
    assert lost.any()
    assert not fixes.lon[lost].any()
    seen = fixes.take(~lost)
    # A receiver's noise may put the last place before a tunnel into it.
    assert WORLD.in_tunnel(seen.lon, seen.lat).sum() < 0.2 * lost.sum()
    gaps = [np.diff(seen.time[seen.vehicle == row]).max() / US for row in range(22, 100)]
    assert sum(gap > 40 for gap in gaps) > 3
    assert max(gaps) <= 120


@pytest.mark.parametrize("codec", CODECS)
def test_what_trackers_have_buffered_holds_the_same_fixes_as_single_messages(codec):
    fleet = a_fleet(12, codec=codec)
    fixes = fleet.due(START_US, UNTIL_US, 10)
    received = np.full(1, UNTIL_US)
    decode = codec_of(codec).decode

    def rows(messages):
        found = []
        for message in messages:
            decoded = decode([message.payload], received)
            assert decoded.refusals == ()
            inner = decoded.idents[0] if decoded.idents else ""
            found += [(message.topic, inner, t) for t in decoded.fixes.time.tolist()]
        return sorted(found)

    assert rows(buffered(fleet, fixes)) == rows(single(fleet, fixes))
    assert len(rows(single(fleet, fixes))) == len(fixes)
