"""Rates: by the oracle, and at their bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.rates import count_speeding, rate_of
from geofence.profile import shipped_profile
from tests.oracle import timetable as oracle

PROFILE = shipped_profile("qcvn31")


@given(
    st.integers(0, 3_000), st.one_of(st.floats(0, 20_000), st.sampled_from([999.9, 1000, 1000.1]))
)
def test_rates_are_those_of_the_oracle(counted, km):
    found = rate_of(counted, km, PROFILE)
    assert (found.rate, found.is_due) == oracle.rate(counted, km)


def test_few_kilometres_are_not_scaled_up():
    assert rate_of(4, 10.0, PROFILE).rate == 4
    assert rate_of(4, 1000.0, PROFILE).rate == 4
    assert not rate_of(9, 1801.0, PROFILE).is_due
    assert rate_of(9, 1800.0, PROFILE).is_due


def test_small_excesses_are_not_counted():
    assert count_speeding(["under_5", "5_10", "35_up", "under_5"]) == 2


@pytest.mark.parametrize(("counted", "km"), [(-1, 10.0), (1, -1.0), (1, float("nan"))])
def test_what_is_no_count_and_no_distance_is_refused(counted, km):
    with pytest.raises(ValueError, match="expected 0 or more"):
        rate_of(counted, km, PROFILE)
