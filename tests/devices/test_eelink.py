import numpy as np
import pytest

from devices.formats.eelink.packet import rotating_sums


def slow_sum(payload: bytes) -> int:
    total = 0
    for byte in payload[6:]:
        total = ((total << 1 & 0xFFFF | total >> 15) + byte) & 0xFFFF
    return total


@pytest.mark.parametrize("count", [0, 1, 31, 32, 100])
def test_sums_of_many_equal_those_of_one(count):
    random = np.random.default_rng(count)
    payloads = [random.bytes(20 + number % 3) for number in range(3 * count)]
    assert rotating_sums(payloads) == [slow_sum(payload) for payload in payloads]
