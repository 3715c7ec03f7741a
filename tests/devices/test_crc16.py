import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.crc16 import crc16_itu, crc16_itu_each, crc16_itu_rows


def slow_crc16_itu(data: bytes) -> int:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
    return crc ^ 0xFFFF


def test_the_itu_crc_has_its_known_check_value():
    assert crc16_itu(b"123456789") == 0x906E
    assert crc16_itu(b"") == 0


@given(parts=st.lists(st.binary(max_size=60), max_size=6))
def test_the_itu_crc_equals_its_bitwise_twin(parts):
    expected = [slow_crc16_itu(part) for part in parts]
    assert crc16_itu_each(parts) == expected
    assert [crc16_itu(part) for part in parts] == expected


@given(size=st.integers(2, 70), seed=st.integers(0, 99))
def test_the_itu_crc_of_rows_equals_its_bitwise_twin(size, seed):
    rows = np.random.default_rng(seed).integers(0, 256, (5, size), np.uint8)
    assert crc16_itu_rows(rows).tolist() == [slow_crc16_itu(row.tobytes()) for row in rows]


@pytest.mark.parametrize("size", [2047, 2048, 2049, 4097])
def test_the_itu_crc_of_long_strings_equals_its_bitwise_twin(size):
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes()
    assert crc16_itu(data) == slow_crc16_itu(data)
    assert crc16_itu_each([data, b"123456789"]) == [slow_crc16_itu(data), 0x906E]
