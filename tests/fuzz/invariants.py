"""What must be true of a codec, whatever the payload."""

import time

import numpy as np

from devices.codec import Codec
from tests.devices.plausible import assert_plausible
from tests.fuzz.seeds import NOW_US

MAX_SECONDS = 2.0
"""Longer than any payload of some kilobytes may take to be read, when kernels are compiled."""


def check(chosen: Codec, payload: bytes, max_seconds: float = float("inf")) -> None:
    """Decode a payload; raises what the codec raises, and AssertionError for what is wrong."""
    began = time.perf_counter()
    decoded = chosen.decode([payload], np.array([NOW_US]))
    took = time.perf_counter() - began
    assert_plausible(decoded, 1)
    parts = (decoded.fixes, decoded.weighings, decoded.registrations, decoded.refusals)
    assert any(len(part) for part in parts), "a payload left no trace"
    assert took < max_seconds, f"{took:.1f} s for {len(payload)} bytes"
