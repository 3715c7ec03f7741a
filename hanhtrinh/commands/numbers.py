"""Numbers that options take."""

import math

import typer


def finite(number: float | None) -> float | None:
    """The callback of options that take a number: "nan" and "inf" are none."""
    if number is None or math.isfinite(number):
        return number
    raise typer.BadParameter(f"expected a number, got {number}")
