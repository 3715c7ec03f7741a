import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.batch import FixBatch, Quality
from devices.catalogue import codec
from devices.crc16 import crc16_ibm, crc16_ibm_each
from devices.errors import Reject
from devices.formats.teltonika.encoding import encode_packet
from devices.formats.teltonika.packet import decode, decode_slowly
from tests.data_folder import real_data
from tests.devices.made_up import NO_EXTRA, NOW_US, arrived, fix_batches
from tests.devices.plausible import assert_plausible
from tests.devices.same import assert_same_decoded


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


def framed(body: bytes) -> bytes:
    return bytes(4) + len(body).to_bytes(4, "big") + body + crc16_ibm(body).to_bytes(4, "big")


def channel(body: bytes) -> bytes:
    imei = b"352093081429150"
    rest = bytes((0xCA, 0xFE, 1, 7, 0, len(imei))) + imei + body
    return len(rest).to_bytes(2, "big") + rest


@st.composite
def packets(draw):
    """Packets of all codecs: whole, or with bytes of their bodies changed under a right CRC."""
    fixes = draw(fix_batches(max_size=4, extra=NO_EXTRA))
    packet = encode_packet(fixes, codec=draw(st.sampled_from([0x08, 0x8E])))
    body = bytearray(packet[8:-4])
    if draw(st.booleans()):
        body[0] = 0x10
    for _ in range(draw(st.integers(0, 3))):
        body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        del body[draw(st.integers(1, len(body))) :]
    whole = channel(bytes(body)) if draw(st.booleans()) else framed(bytes(body))
    return whole[: draw(st.sampled_from([len(whole)] * 9 + [len(whole) // 2]))]


def elements_packet(groups, variable) -> bytes:
    """A packet of one record of Codec 8 Extended with these elements."""
    fixed = bytes(24)
    body = b"\x8e\x01" + fixed + bytes(4)
    for size, group in zip((1, 2, 4, 8), groups, strict=True):
        body += len(group).to_bytes(2, "big")
        for element, value in group:
            body += element.to_bytes(2, "big") + (value % (1 << 8 * size)).to_bytes(size, "big")
    body += len(variable).to_bytes(2, "big")
    for element, text in variable:
        body += element.to_bytes(2, "big") + len(text).to_bytes(2, "big") + text
    return framed(body + b"\x01")


elements = st.integers(0, 400) | st.integers(0, 65_535) | st.sampled_from([16, 182, 239, 240, 252])
groups = st.lists(st.tuples(elements, st.integers(0, 2**64 - 1)), max_size=6)
variable = st.lists(st.tuples(elements, st.binary(max_size=20) | st.just(bytes(9000))), max_size=3)


@settings(deadline=None)
@given(
    whole=st.lists(packets(), max_size=5),
    made=st.lists(st.builds(elements_packet, st.tuples(*[groups] * 4), variable), max_size=3),
)
def test_columns_say_what_records_read_one_by_one_say(whole, made):
    payloads = [*whole, *made]
    received = arrived(len(payloads))
    assert_same_decoded(decode(payloads, received), decode_slowly(payloads, received))


def test_a_packet_of_the_udp_channel_names_its_device():
    body = encode_packet(FixBatch.blank(1, time=[NOW_US], lon=[105.5], lat=[21.5]))[8:-4]
    decoded = decode([channel(body)], arrived(1))
    assert decoded.idents == ("352093081429150",)
    assert len(decoded.fixes) == 1


def test_a_handsets_record_without_coordinates_is_refused_and_the_others_are_kept():
    clock = (0x40000000 | 284_000_000).to_bytes(4, "big")
    place = b"\x1f" + np.array([21.5, 105.5], ">f4").tobytes() + b"\x00\x0c\x40\x32\x08"
    cell = b"\x20\x01\x02\x03\x04"
    body = b"\x07\x02" + clock + b"\x01" + place + clock + b"\x01" + cell + b"\x02"
    decoded = decode([framed(body)], arrived(1))
    assert decoded.fixes.lat.tolist() == [21.5]
    assert decoded.fixes.heading.tolist() == [90.0]
    assert decoded.fixes.satellites.tolist() == [8]
    assert [(r.reason, r.at) for r in decoded.refusals] == [(Reject.UNSUPPORTED, 1)]
