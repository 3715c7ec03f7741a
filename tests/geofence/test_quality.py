"""Quality bits: what each says, and from which fix on."""

import math

import numpy as np
import pytest

from devices.batch import COLUMNS, FixBatch, Quality
from devices.rounding import DILUTION, METRES, on_grid, shown_degrees, whole_delay
from geofence.profile import shipped_profile
from geofence.quality import Delays, Region, is_judged, mark_arrival
from tests.geofence.fleet import FIX_MODE, with_values
from tests.geofence.scene import driven, fixes, judged

REGION = Region()
NOW = 1_700_000_000_000_000


def arrived(lon, lat, *, delay_s=0.0, quality=0):
    batch = FixBatch.blank(
        1, lon=[lon], lat=[lat], time=[NOW], received=[NOW + round(delay_s * 1e6)],
        quality=[quality],
    )  # fmt: skip
    marked = mark_arrival(batch, REGION, Delays.of(shipped_profile()))
    place = (shown_degrees(float(degrees[0])) for degrees in (marked.lon, marked.lat))
    return Quality(int(marked.quality[0])), *place


@pytest.mark.parametrize(
    ("lon", "lat", "bits"),
    [
        (105.8, 21.0, 0),
        (21.0, 105.8, Quality.SWAPPED),
        (-122.4, 37.7, 0),  # abroad is no mistake
        (37.7, -122.4, Quality.NO_POSITION),  # readable only exchanged, and abroad then
        (0.0, 0.0, Quality.NO_POSITION),
        (0.0, 10.0, 0),
        (105.8, 91.0, Quality.NO_POSITION),
        (181.0, 21.0, Quality.NO_POSITION),
        (math.nan, 21.0, Quality.NO_POSITION),
        (105.8, math.inf, Quality.NO_POSITION),
        (102.0, 8.0, 0),
        (8.0, 102.0, Quality.SWAPPED),
    ],
)
def test_a_place_is_believed_mended_or_refused(lon, lat, bits):
    found, new_lon, new_lat = arrived(lon, lat)
    assert found == bits
    expected = (lat, lon) if bits == Quality.SWAPPED else (lon, lat)
    assert (new_lon, new_lat) == pytest.approx(expected, nan_ok=True)


def test_what_the_receiver_calls_invalid_is_not_mended():
    found, lon, lat = arrived(21.0, 105.8, quality=int(Quality.NO_POSITION))
    assert (found, lon, lat) == (Quality.NO_POSITION, 21.0, 105.8)


@pytest.mark.parametrize(
    ("delay_s", "bits"),
    [
        (-180.0, 0), (-180.000001, Quality.FUTURE), (0, 0),
        (120.0, 0), (120.000001, Quality.LATE), (86_400.0, Quality.LATE),
    ],
)  # fmt: skip
def test_future_and_late_begin_over_their_bounds(delay_s, bits):
    assert arrived(105.8, 21.0, delay_s=delay_s)[0] == bits


def bits_of(batch, **rules):
    return [Quality(int(bits)) for bits in judged(batch, **rules).quality]


def test_a_single_jump_is_marked_and_the_next_fix_is_measured_from_before_it():
    quality = bits_of(fixes([0, 10, 20], metres=[0, 5_000, 100]))
    assert quality == [0, Quality.JUMP, 0]


def test_exactly_the_impossible_speed_is_possible():
    at = driven([0, 3_600], 250)
    assert bits_of(fixes([0, 3_600], metres=at * (1 - 1e-9))) == [0, 0]
    assert bits_of(fixes([0, 3_600], metres=at * (1 + 1e-9))) == [0, Quality.JUMP]


def test_the_third_of_three_plausible_jumps_is_the_new_anchor():
    far = [0, 50_000, 50_100, 50_200, 50_300]
    quality = bits_of(fixes([0, 10, 20, 30, 40], metres=far))
    assert quality == [0, Quality.JUMP, Quality.JUMP, 0, 0]


def test_jumps_that_contradict_each_other_begin_their_count_anew():
    far = [0, 50_000, 90_000, 90_100, 90_200]
    quality = bits_of(fixes([0, 10, 20, 30, 40], metres=far))
    assert quality == [0, Quality.JUMP, Quality.JUMP, Quality.JUMP, 0]


def test_a_clean_fix_between_jumps_begins_their_count_anew():
    far = [0, 50_000, 50_100, 50, 50_200, 50_300]
    quality = bits_of(fixes([0, 10, 20, 30, 40, 50], metres=far))
    assert [bool(q & Quality.JUMP) for q in quality] == [False, True, True, False, True, True]


def test_a_place_is_frozen_from_its_twentieth_fix_on():
    times = [30 * k for k in range(25)]
    assert [bool(q) for q in bits_of(fixes(times, 11))] == [False] * 19 + [True] * 6
    assert not any(bits_of(fixes(times, 10)))
    slow_once = [11.0] * 25
    slow_once[3] = 5.0
    assert [bool(q) for q in bits_of(fixes(times, slow_once))] == [False] * 23 + [True] * 2


def test_a_place_stays_frozen_however_long_it_lasts():
    times = [30 * k for k in range(200)]
    batch = fixes(times, 11)
    # So that it is no driving, which has a memory of its own.
    result = judged(batch, profile=with_values(FIX_MODE, stops__stop_speed_kmh=12.0))
    assert (result.quality[19:] == Quality.FROZEN).all()
    # And the state does not reach back to the beginning.
    assert batch.time[-1] - result.needs_from[-1] <= 40 * 30 * 1_000_000


def test_over_two_hundred_is_no_speed():
    assert bits_of(fixes([0, 30], [200.0, 200.5])) == [0, Quality.SPEED_IMPLAUSIBLE]


def test_a_speed_far_from_the_derived_one_is_implausible_from_the_third_step_on():
    times = [0, 30, 60, 90, 120]
    assert [bool(q) for q in bits_of(fixes(times, 101))] == [False, False, False, True, True]
    assert not any(bits_of(fixes(times, 100)))
    assert not any(bits_of(fixes(times, math.nan)))
    once_right = [101.0, 101.0, 101.0, 50.0, 101.0]
    assert not any(bits_of(fixes(times, once_right)))


def test_bits_of_arrival_stay_as_they_are():
    batch = fixes([0, 10, 20], metres=[0, 5_000, 100])
    batch.quality[:] = Quality.LATE | Quality.SWAPPED
    kept = Quality.LATE | Quality.SWAPPED
    assert bits_of(batch) == [kept, kept | Quality.JUMP, kept]


def test_fixes_without_a_position_are_passed_over():
    lost, jump = Quality.NO_POSITION, Quality.JUMP
    far = [0, 9_999, 50_000, 9_999, 50_100, 50_200]
    batch = fixes(range(0, 60, 10), metres=far, lost=[False, True, False, True, False, False])
    assert bits_of(batch) == [0, lost, jump, lost, jump, 0]


def test_a_batch_of_nothing_but_fixes_without_a_position_is_judged():
    batch = fixes([0, 10], math.nan, lon=math.nan, lost=True)
    result = judged(batch)
    assert result.quality.tolist() == [Quality.NO_POSITION] * 2
    assert result.needs_from.tolist() == batch.time.tolist()
    assert result.intervals == []


def test_what_is_judged_is_what_is_kept_and_arrives_there_once():
    lon, lat, more = 105.0 + np.random.default_rng(1).random((3, 50))
    batch = FixBatch.blank(
        50, lon=lon, lat=lat - 84.0, time=np.full(50, NOW), received=NOW + np.arange(50) * 777,
        altitude=more, hdop=more - 104.0, odometer=1e6 * more,
    )  # fmt: skip
    delays = Delays.of(shipped_profile())
    marked = mark_arrival(batch, REGION, delays)
    np.testing.assert_array_equal(marked.lon, on_grid(batch.lon))
    np.testing.assert_array_equal(marked.lat, on_grid(batch.lat))
    np.testing.assert_array_equal(marked.altitude, on_grid(batch.altitude, METRES))
    np.testing.assert_array_equal(marked.hdop, on_grid(batch.hdop, DILUTION))
    np.testing.assert_array_equal(marked.odometer, on_grid(batch.odometer, METRES))
    np.testing.assert_array_equal(marked.received, whole_delay(batch.time, batch.received))
    again = mark_arrival(marked, REGION, delays)
    for name, (dtype, _) in COLUMNS.items():
        assert getattr(marked, name).dtype == dtype
        np.testing.assert_array_equal(getattr(again, name), getattr(marked, name))


def test_what_is_not_judged_is_ahead_of_the_clock_or_has_neither_place_nor_time():
    day = 86_400_000_000
    bits = [0, Quality.FUTURE, Quality.NO_POSITION, Quality.NO_POSITION, Quality.LATE]
    age = [0, 0, day, day + 1, 30 * day]
    batch = FixBatch.blank(5, time=[NOW] * 5, received=[NOW + a for a in age], quality=bits)
    assert is_judged(batch, REGION).tolist() == [True, False, True, False, True]


def test_bits_of_an_earlier_judgement_are_decided_again():
    batch = fixes([0, 10, 20], metres=[0, 100, 200])
    batch.quality[:] = Quality.JUMP
    assert bits_of(batch) == [0, 0, 0]


def wrong_batches():
    good = fixes([0, 10])
    yield good.with_columns(time=good.time[::-1].copy()), np.zeros(2, np.bool_), "sorted"
    yield good.with_columns(time=good.time[:1].repeat(2)), np.zeros(2, np.bool_), "sorted"
    yield good.with_columns(vehicle=np.array([-1, 1], np.int32)), np.zeros(2, np.bool_), "unknown"
    future = np.full(2, Quality.FUTURE, np.uint16)
    yield good.with_columns(quality=future), np.zeros(2, np.bool_), "future"
    yield good, np.zeros(1, np.bool_), "settled"
    yield good, np.array([False, True]), "settled"


@pytest.mark.parametrize(("batch", "settled", "names"), list(wrong_batches()))
def test_a_batch_that_cannot_be_judged_is_refused(batch, settled, names):
    from geofence.judge import Judge
    from geofence.profile import shipped_profile
    from geofence.registry import VehicleRule
    from geofence.rulebook import Rulebook

    judge = Judge(Rulebook.build([shipped_profile()], [], [], [VehicleRule(1)]))
    with pytest.raises(ValueError, match=names):
        judge.advance(batch, settled)
