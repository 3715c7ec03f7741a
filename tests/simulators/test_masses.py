"""Loads are too much in one respect alone, and as far as real axle groups are."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.casting import FleetOptions, cast
from simulators.masses import LEAST_EXCESS, MOST_EXCESS, SCALE, SHAPE, excess, lawful_kg
from simulators.vehicles import LORRIES
from simulators.world import load_world
from tests.data_folder import real_data

OVER_KN = 240.0
TANDEM_KN = 176.6


def tail_kn():
    """By how much tandem axles of ordinary vehicles, alone on a lane, weighed over 240 kN."""
    file = real_data("swiss_wim/wim_daily_top10_axle_events_2011_2019.parquet")
    names = ("DayRank", "MaxLE", "L1Load", "L2Load", "L1Ax", "ClassT")
    columns = pq.read_table(file, columns=list(names)).to_pydict()
    rank, most, load, beside, axles, of = (np.array(columns[name]) for name in names)
    # Hardly any of them is missing for there being ten heavier ones on its day.
    assert (most[rank == 10] > OVER_KN).mean() < 0.005
    chosen = (axles == 2) & (beside == 0) & (of != "ClassOW") & (load > OVER_KN)
    return np.sort(load[chosen] - OVER_KN)


def test_the_excess_is_that_of_real_axle_groups():
    tail = tail_kn()
    assert len(tail) > 10_000
    # Probability-weighted moments (Hosking and Wallis, 1987).
    rarer = 1.0 - (np.arange(1, len(tail) + 1) - 0.35) / len(tail)
    mean, weighted = tail.mean(), (rarer * tail).mean()
    assert 2 - mean / (mean - 2 * weighted) == pytest.approx(SHAPE, abs=5e-4)
    scale = 2 * mean * weighted / (mean - 2 * weighted)
    assert scale / TANDEM_KN == pytest.approx(SCALE, rel=1e-3)
    # And it fits: quantiles of the simulator's own function, to an eighth.
    for share in (0.25, 0.5, 0.75, 0.9, 0.99):
        ours = (excess(share, 1e9) - LEAST_EXCESS) * TANDEM_KN
        assert ours == pytest.approx(float(np.quantile(tail, share)), rel=0.125)


@given(st.sampled_from(sorted(MOST_EXCESS)), st.floats(0.0, 1.0, exclude_max=True))
def test_an_excess_grows_with_its_share_and_keeps_its_bounds(kind, share):
    most = MOST_EXCESS[kind]
    assert LEAST_EXCESS <= excess(share, most) <= most + 1e-9
    assert excess(share / 2, most) <= excess(share, most)
    assert excess(0.0, most) == LEAST_EXCESS


@given(st.sampled_from(LORRIES), st.floats(0.0, 1.0))
def test_a_lawful_load_is_no_more_than_its_certificate_allows(make, share):
    axles = lawful_kg(make, share)
    assert make.kerb_kg - 1e-6 <= sum(axles) <= make.kerb_kg + 0.95 * make.cargo_kg + 1e-6
    assert len(axles) == make.axles


def test_no_vehicle_of_a_fleet_has_impossible_masses_and_overloads_differ():
    world, loads = load_world(), set()
    for seed in (1, 2):
        for part in cast(world, FleetOptions(300, seed, "mix")):
            assert part.make.kerb_kg + part.make.cargo_kg <= part.make.gross_kg
            if part.script and part.script.overload:
                loads.add(part.script.load_kg)
                gross = {s.details["gross_kg"] for s in part.script.stretches}
                assert gross == {round(sum(part.script.load_kg))}
    assert len(loads) >= 6
