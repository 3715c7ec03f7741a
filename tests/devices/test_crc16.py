import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.crc8 import crc8_each
from devices.crc16 import CCITT_FALSE, IBM, ITU, KERMIT, MODBUS
from devices.streams.checksums import (
    crc8_egts,
    crc_ccitt_false,
    crc_kermit,
    crc_modbus,
    crc_x25,
)

ALL = {"ibm": (IBM, 0xBB3D), "modbus": (MODBUS, 0x4B37), "kermit": (KERMIT, 0x2189),
       "itu": (ITU, 0x906E),       "ccitt-false": (CCITT_FALSE, 0x29B1)}  # fmt: skip
"""Each with its CRC of the digits 1 to 9, by which catalogues of CRCs know them."""


def slow(crc16, data: bytes) -> int:
    crc: int = crc16.start
    for byte in data:
        crc ^= byte if crc16.reflected else byte << 8
        for _ in range(8):
            if crc16.reflected:
                crc = crc >> 1 ^ crc16.polynomial if crc & 1 else crc >> 1
            else:
                crc = (crc << 1 ^ crc16.polynomial if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc ^ int(crc16.final)


@pytest.mark.parametrize(("crc16", "check"), ALL.values(), ids=ALL)
def test_the_digits_give_the_catalogued_value(crc16, check):
    assert crc16.of(b"123456789") == check
    assert crc16.of_each([b"123456789"]) == [check]


@pytest.mark.parametrize("crc16", [crc16 for crc16, _ in ALL.values()], ids=ALL)
@given(parts=st.lists(st.binary(max_size=60), max_size=6))
def test_each_crc_equals_its_bitwise_twin(crc16, parts):
    expected = [slow(crc16, part) for part in parts]
    assert crc16.of_each(parts) == expected
    assert [crc16.of(part) for part in parts] == expected


@pytest.mark.parametrize("crc16", [crc16 for crc16, _ in ALL.values()], ids=ALL)
@pytest.mark.parametrize("size", [2047, 2048, 2049, 2050, 4097])
def test_long_strings_too(crc16, size):
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes()
    assert crc16.of_each([data, b"1"]) == [slow(crc16, data), slow(crc16, b"1")]


@pytest.mark.parametrize("crc16", [crc16 for crc16, _ in ALL.values()], ids=ALL)
@given(size=st.integers(1, 70), seed=st.integers(0, 99))
def test_rows_of_one_size_too(crc16, size, seed):
    rows = np.random.default_rng(seed).integers(0, 256, (5, size), np.uint8)
    assert crc16.of_rows(rows).tolist() == [slow(crc16, row.tobytes()) for row in rows]


def test_crc8_of_the_digits_is_that_of_the_catalogue():
    assert crc8_each([b"123456789", b""]) == [0xF7, 0xFF]


@given(st.binary(min_size=2, max_size=100))
def test_those_of_one_frame_are_those_of_many(frame):
    assert crc_ccitt_false(frame) == CCITT_FALSE.of(frame)
    assert crc_kermit(frame) == KERMIT.of(frame)
    assert crc_modbus(frame) == MODBUS.of(frame)
    assert crc_x25(frame) == ITU.of(frame)
    assert [crc8_egts(frame)] == crc8_each([frame])
