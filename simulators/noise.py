"""Noise that depends on seed, vehicle, time and channel alone.

A stream of random numbers would make a fix depend on how many were asked for before it; a hash
gives the same noise however the simulation is cut into steps.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from devices.batch import F64

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)


def uniform(seed: int, row: NDArray[np.integer], time: NDArray[np.integer], channel: int) -> F64:
    """Uniform on [0, 1), one for each (row, time)."""
    word = np.full(len(row), (seed * 1_000_003 + channel) % 2**64, np.uint64)
    for part in (row, time):
        word = _splitmix(word ^ part.astype(np.uint64))
    return (word >> np.uint64(11)).astype(np.float64) / 2.0**53


def normal(seed: int, row: NDArray[np.integer], time: NDArray[np.integer], channel: int) -> F64:
    """Standard normal, one for each (row, time), by Box and Muller; at most 8.6 from 0."""
    radius = np.sqrt(-2.0 * np.log(1.0 - uniform(seed, row, time, 2 * channel + 100)))
    return np.asarray(radius * np.cos(2 * np.pi * uniform(seed, row, time, 2 * channel + 101)))


def _splitmix(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Steele, Lea and Flood's SplitMix64: wraps around on purpose."""
    word = word + _GOLDEN
    word = (word ^ (word >> np.uint64(30))) * _MIX_1
    word = (word ^ (word >> np.uint64(27))) * _MIX_2
    return word ^ (word >> np.uint64(31))
