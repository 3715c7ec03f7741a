"""What of a place and a delay is kept."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.checks import BOUNDS
from devices.rounding import (
    DEGREES,
    DILUTION,
    METRES,
    Grid,
    on_grid,
    shown_degrees,
    whole_delay,
)

COLUMNS: dict[str, tuple[Grid, Any, tuple[float, float]]] = {
    "lon": (DEGREES, np.float64, (-360, 360)),
    "altitude": (METRES, np.float32, BOUNDS["altitude"]),
    "hdop": (DILUTION, np.float32, BOUNDS["hdop"]),
    "odometer": (METRES, np.float64, BOUNDS["odometer"]),
}
"""Columns on a grid: the grid, their type, and what they can hold."""

NO_ANGLES = st.one_of(
    st.floats(min_value=360, exclude_min=True), st.floats(max_value=-360, exclude_max=True)
)


@st.composite
def decimals(draw, most_places, low, high) -> str:
    """Numbers as devices write them, with as many places as can come back."""
    places = draw(st.integers(0, most_places))
    digits = draw(st.integers(int(low) * 10**places, int(high) * 10**places))
    return str(Decimal(digits).scaleb(-places))


def kept(value, grid=DEGREES, dtype=np.float64):
    near = on_grid(np.array([value], dtype), grid)
    assert near.dtype == dtype
    return float(near[0])


def slowly_kept(value, grid):
    """The nearest number of a grid, by fractions; of two the even one."""
    return float(Fraction(round(Fraction(value) * int(grid.per_unit)), int(grid.per_unit)))


@pytest.mark.parametrize("column", COLUMNS)
@given(data=st.data())
def test_a_decimal_comes_back_as_it_was_sent(column, data):
    grid, dtype, bounds = COLUMNS[column]
    sent = data.draw(decimals(grid.decimals, *bounds))
    shown = round(kept(float(sent), grid, dtype), grid.decimals) + 0.0
    assert shown == float(sent)
    assert not str(shown).startswith("-0.0") or float(sent) < 0


@pytest.mark.parametrize("column", COLUMNS)
@given(data=st.data())
def test_a_number_moves_to_the_nearest_of_its_grid_and_moves_once(column, data):
    grid, dtype, (low, high) = COLUMNS[column]
    width: Any = np.dtype(dtype).itemsize * 8
    value = data.draw(st.floats(float(dtype(low)), float(dtype(high)), width=width))
    near = kept(value, grid, dtype)
    assert near == slowly_kept(value, grid)
    assert abs(near - value) <= 0.5 / grid.per_unit
    assert kept(near, grid, dtype) == near
    assert np.signbit(near) == (near < 0)


def test_a_place_moves_by_a_third_of_a_centimetre_at_most():
    assert 0.5 / DEGREES.per_unit * 111_195 < 0.0034


@given(decimals(7, -360, 360))
def test_a_place_is_shown_as_the_decimal_that_was_sent(sent):
    assert shown_degrees(kept(float(sent))) == float(sent)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("none", [np.nan, np.inf, -np.inf])
def test_what_is_not_known_stays_so(column, none):
    grid, dtype, _ = COLUMNS[column]
    np.testing.assert_equal(kept(none, grid, dtype), none)


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
