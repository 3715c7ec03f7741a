"""What of a place and a delay is kept."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.rounding import DECIMALS, GRID_PER_DEGREE, on_grid, shown_degrees, whole_delay

DEGREES = st.floats(-360, 360)
NO_ANGLES = st.one_of(
    st.floats(min_value=360, exclude_min=True), st.floats(max_value=-360, exclude_max=True)
)


@st.composite
def decimals(draw) -> str:
    """Degrees as devices write them, with as many places as can come back."""
    places = draw(st.integers(0, DECIMALS))
    digits = draw(st.integers(-360 * 10**places, 360 * 10**places))
    return str(Decimal(digits).scaleb(-places))


def kept(degrees: float) -> float:
    return float(on_grid(np.array([degrees]))[0])


@given(decimals())
def test_a_decimal_of_seven_places_comes_back_as_it_was(sent):
    shown = shown_degrees(kept(float(sent)))
    assert shown == float(sent)
    assert not str(shown).startswith("-0.0") or float(sent) < 0


@given(DEGREES)
def test_a_place_moves_by_a_third_of_a_centimetre_at_most_and_moves_once(degrees):
    near = kept(degrees)
    assert abs(near - degrees) <= 0.5 / GRID_PER_DEGREE
    assert (near * GRID_PER_DEGREE).is_integer()
    assert kept(near) == near
    assert np.signbit(near) == (near < 0)


@pytest.mark.parametrize("degrees", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_stays_so(degrees):
    np.testing.assert_equal(kept(degrees), degrees)
    np.testing.assert_equal(shown_degrees(degrees), degrees)


@given(NO_ANGLES)
def test_what_is_no_angle_stays_as_it_was_sent(degrees):
    assert kept(degrees) == degrees


@given(st.integers(0, 2**60), st.integers(-(2**60), 2**60))
def test_a_delay_is_of_whole_milliseconds_and_never_longer_than_it_was(time, delay_us):
    received = int(whole_delay(np.array([time]), np.array([time + delay_us]))[0])
    assert (received - time) % 1000 == 0
    assert 0 <= time + delay_us - received < 1000
