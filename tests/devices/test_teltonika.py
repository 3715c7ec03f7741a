import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.batch import Quality
from devices.catalogue import codec
from devices.crc16 import crc16_ibm, crc16_ibm_each
from devices.errors import Reject
from tests.data_folder import real_data
from tests.devices.made_up import arrived
from tests.devices.plausible import assert_plausible


def slow_crc16_ibm(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


@given(parts=st.lists(st.binary(max_size=60), max_size=6))
def test_the_crc_equals_its_bitwise_twin(parts):
    expected = [slow_crc16_ibm(part) for part in parts]
    assert crc16_ibm_each(parts) == expected
    assert [crc16_ibm(part) for part in parts] == expected


@pytest.mark.parametrize("size", [2047, 2048, 2049, 4096, 4097, 9001])
def test_the_crc_of_long_strings_equals_its_bitwise_twin(size):
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes()
    assert crc16_ibm(data) == slow_crc16_ibm(data)
    assert crc16_ibm_each([data, b"123456789"]) == [slow_crc16_ibm(data), 0xBB3D]


def reference_frames():
    """Frames of Teltonika devices with what a reference decoder derives from them."""
    lines = real_data("vectors/traccar_frames.jsonl").read_text().splitlines()[1:]
    rows = [json.loads(line) for line in lines]
    return [row for row in rows if row["protocol"] == "teltonika" and not row.get("disabled")]


@pytest.mark.data
def test_frames_of_real_devices_decode_like_the_reference():
    rows = reference_frames()
    payloads = [bytes.fromhex(row["frame"]) for row in rows]
    decoded = codec("teltonika").decode(payloads, arrived(len(rows)))
    assert_plausible(decoded, len(rows))
    compared = 0
    for index, row in enumerate(rows):
        derived = row.get("derived", {})
        got = np.flatnonzero(decoded.fix_payload == index)
        if derived.get("codec") not in {"0x8", "0x8e", "0x10"} or not derived["crc_ok"]:
            assert not len(got)
            continue
        assert len(got) == len(derived["fixes"])
        for number, fix in zip(got, derived["fixes"], strict=True):
            assert_same(decoded.fixes, number, fix)
            compared += 1
    assert compared > 30


def assert_same(fixes, row, expected):
    when = np.datetime64(expected["fix_time"].replace(" ", "T"), "us").astype(np.int64)
    assert fixes.time[row] == when
    assert fixes.lat[row] == pytest.approx(expected["lat"], abs=1e-7)
    assert fixes.lon[row] == pytest.approx(expected["lon"], abs=1e-7)
    assert fixes.altitude[row] == expected["alt"]
    assert fixes.heading[row] == expected["course"] % 360
    assert fixes.satellites[row] == expected["sat"]
    assert fixes.speed_kmh[row] == expected["speed_kmh"]
    assert bool(fixes.quality[row] & Quality.NO_POSITION) == (expected["sat"] == 0)
    extra = json.loads(fixes.extra[row])
    assert (extra["event"], extra["priority"]) == (expected["event"], expected["priority"])


@pytest.mark.data
def test_every_single_bit_flipped_in_a_real_frame_is_noticed():
    frame = bytes.fromhex(next(r["frame"] for r in reference_frames() if len(r["frame"]) < 200))
    flips = [
        frame[:at] + bytes([frame[at] ^ 1 << bit]) + frame[at + 1 :]
        for at in range(len(frame))
        for bit in range(8)
    ]
    decoded = codec("teltonika").decode(flips, arrived(len(flips)))
    assert not len(decoded.fixes)
    assert len(decoded.refusals) == len(flips)
    assert {refusal.reason for refusal in decoded.refusals} <= {
        Reject.BAD_SYNTAX, Reject.TRUNCATED, Reject.TRAILING_BYTES, Reject.BAD_CHECKSUM,
    }  # fmt: skip
