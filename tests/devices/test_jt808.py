import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.batch import COLUMNS, FixBatch, Input, Quality, inputs_word
from devices.catalogue import codec
from devices.codec import MAX_PAYLOAD_BYTES
from devices.describe import describe
from devices.errors import EncodeError, Reject
from devices.extra import extra_values
from devices.formats.jt808.codec import decode_slowly
from devices.formats.jt808.encoding import encode, encode_2019, encode_batch, message
from devices.formats.jt808.framing import luhn
from devices.xor8 import xor8
from tests.devices.made_up import LICENCES, NO_EXTRA, NOW_US, NUMBERS, arrived, fix_batches
from tests.devices.plausible import assert_plausible

moderate = settings(max_examples=40, deadline=None)

PLACE = bytes.fromhex("01412b34064f5ee8")
WHEN = bytes.fromhex("260105195930")
LOCATION = bytes.fromhex("0000000000000003") + PLACE + bytes.fromhex("000c01a40113") + WHEN
"""Ignition on, located, 21.048116 N 105.864936 E, 12 m, 42.0 km/h, 275 degrees."""


def decode(*payloads):
    decoded = codec("jt808").decode(payloads, arrived(len(payloads)))
    assert_plausible(decoded, len(payloads))
    assert_same(decoded, decode_slowly(payloads, arrived(len(payloads))))
    return decoded


def made(kind, body, *, number="13912345678", serial=7, is_2019=False, parts=None):
    """A message with any header: sub-packets are (packets, packet)."""
    whole = message(kind, body, number, serial=serial, is_2019=is_2019)
    if parts is None:
        return whole
    data = whole[1:-2].replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")
    start = 17 if is_2019 else 12
    total, packet = parts
    data = (
        data[:2] + bytes((data[2] | 0x20,)) + data[3:start]
        + total.to_bytes(2) + packet.to_bytes(2) + body
    )  # fmt: skip
    data += bytes((xor8(data),))
    return b"\x7e" + data.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + b"\x7e"


def only(payload):
    decoded = decode(payload)
    assert decoded.refusals == ()
    assert len(decoded.fixes) == 1
    return describe(decoded, 0)["fixes"][0]


def reasons(decoded):
    return [refusal.reason for refusal in decoded.refusals]


def assert_same(one, other):
    for name in COLUMNS:
        np.testing.assert_array_equal(
            getattr(one.fixes, name), getattr(other.fixes, name), err_msg=name
        )
    np.testing.assert_array_equal(one.fix_payload, other.fix_payload)
    assert [one.idents[i] if i >= 0 else None for i in one.fix_ident] == [
        other.idents[i] if i >= 0 else None for i in other.fix_ident
    ]
    assert dict(one.fixes.extra) == dict(other.fixes.extra)
    assert one.refusals == other.refusals


ITEMS = st.lists(
    st.tuples(
        st.sampled_from([0x01, 0x02, 0x03, 0x04, 0x06, 0x11, 0x12, 0x13, 0x25, 0x2A, 0x2B, 0x30,
                         0x31, 0x31, 0x01, 0xE4, 0xEB]),
        st.binary(max_size=8),
    ).map(lambda item: bytes((item[0], len(item[1]))) + item[1])
    | st.sampled_from([b"\x01\x04\0\0\x01\0", b"\x31\x01\x09", b"\x25\x04\0\0\x02\x01",
                       b"\x30\x01\x1f", b"\x2b\x04\x01\x02\x03\x04"]),
    max_size=5,
).map(b"".join)  # fmt: skip


@st.composite
def messages(draw):
    """Single locations of all shapes, sound and unsound, and other messages."""
    fixed = draw(st.just(LOCATION) | st.binary(min_size=22, max_size=22).map(lambda b: b + WHEN))
    body = fixed + draw(ITEMS)
    payload = made(
        draw(st.sampled_from([0x0200] * 6 + [0x0201, 0x0704, 0x0002])), body,
        serial=draw(st.integers(0, 65535)), is_2019=draw(st.booleans()),
        number=draw(st.sampled_from(["", *NUMBERS])),
    )  # fmt: skip
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(payload) - 1))
        payload = draw(st.sampled_from([
            payload[:at], payload[:at] + bytes((payload[at] ^ 1,)) + payload[at + 1 :],
            payload + payload, payload[:at] + b"\x7e" + payload[at:],
        ]))  # fmt: skip
    return payload


@settings(max_examples=50, deadline=None)
@given(payloads=st.lists(messages(), max_size=12))
def test_reading_as_columns_says_the_same_as_reading_one_by_one(payloads):
    decode(*payloads)


@moderate
@given(fixes=fix_batches(max_size=20, extra=NO_EXTRA))
def test_encoded_messages_of_any_fixes_read_the_same_both_ways(fixes):

    payloads = encode(fixes, NUMBERS[:1] * len(fixes), LICENCES)
    assert len(decode(*payloads).fixes) == len(fixes)


@moderate
@given(fixes=fix_batches(max_size=10, extra=NO_EXTRA))
def test_messages_of_2019_and_batches_come_back(fixes):
    number = "01234567890123456789"
    one_each = decode(*encode_2019(fixes, [number] * len(fixes), LICENCES))
    together = decode(encode_batch(fixes, number, is_2019=True))
    for decoded in (one_each, together):
        assert decoded.refusals == ()
        assert decoded.idents == (number.lstrip("0"),)
        np.testing.assert_array_equal(decoded.fixes.time, fixes.time)
        np.testing.assert_allclose(decoded.fixes.lon, fixes.lon, atol=5.001e-7, rtol=0)
        np.testing.assert_allclose(decoded.fixes.lat, fixes.lat, atol=5.001e-7, rtol=0)
        np.testing.assert_allclose(decoded.fixes.odometer, fixes.odometer, atol=50)
        for name in ("speed_kmh", "heading", "altitude"):
            sent = np.nan_to_num(getattr(fixes, name))
            np.testing.assert_allclose(getattr(decoded.fixes, name), sent, rtol=1e-6)
        for bit in (Input.IGNITION, Input.DOOR, Input.SOS, Input.POWER_CUT, Input.MOVEMENT):
            np.testing.assert_array_equal(decoded.fixes.inputs & bit, fixes.inputs & bit)
    assert all(extra_values(extra)["buffered"] for extra in together.fixes.extra.values())


def test_a_location_of_a_real_shape_says_all_it_carries():
    items = "01040000006402020190030201a41105010000000a25040000020b2a020002"
    items += "2b040001000230011f31010be4020064"
    alarm = "00000101"
    status = f"{1 | 1 << 1 | 3 << 8 | 1 << 10 | 1 << 14 | 1 << 18:08x}"
    fix = only(made(0x0200, bytes.fromhex(alarm + status) + LOCATION[8:] + bytes.fromhex(items)))
    assert fix["time"] == "2026-01-05T11:59:30.000Z"
    assert (fix["lat"], fix["lon"]) == (21.048116, 105.864936)
    assert (fix["speed_kmh"], fix["heading"], fix["altitude_m"]) == (42, 275, 12)
    assert (fix["odometer_m"], fix["satellites"]) == (10_000, 11)
    assert fix["inputs"] == {
        "ignition": True, "door": True, "aircon": True, "sos": True, "power_cut": True,
    }  # fmt: skip
    assert fix["extra"] == {
        "status": int(status, 16), "alarm": 0x101, "alarms": ["sos", "main_power_cut"],
        "states": ["fuel_line_cut", "door_2_open", "gps"], "load": "full",
        "fuel_l": 40.0, "recorder_kmh": 42.0, "over_speed": {"type": 1, "id": 10},
        "signals": ["low_beam", "high_beam", "left_turn", "air_conditioner"],
        "io": ["sleep"], "analog": [2, 1], "signal": 31, "items": {"e4": "0064"},
    }  # fmt: skip


def test_sides_of_the_globe_and_lost_positions_stand_in_the_status():
    for status, lat, lon, valid in ((2, 1, 1, True), (6, -1, 1, True), (12, -1, -1, False)):
        fix = only(made(0x0200, bytes(4) + status.to_bytes(4) + LOCATION[8:]))
        assert (fix["lat"], fix["lon"]) == (lat * 21.048116, lon * 105.864936)
        assert fix["valid"] is valid


def test_trackers_that_send_signed_angles_are_read():
    body = LOCATION[:8] + (-21_000_000).to_bytes(4, signed=True) + LOCATION[12:]
    assert only(made(0x0200, body))["lat"] == -21
    assert only(made(0x0200, body[:7] + b"\x07" + body[8:]))["lat"] == -21


def test_altitudes_below_the_sea_are_twos_complement():
    assert only(made(0x0200, LOCATION[:16] + b"\xff\xf6" + LOCATION[18:]))["altitude_m"] == -10


def test_messages_stand_back_to_back_and_may_share_a_delimiter():
    one, two = made(0x0200, LOCATION), made(0x0200, LOCATION, number="41305648010")
    for payload in (one + two, one[:-1] + two, b"\x7e" + one + two + b"\x7e"):
        decoded = decode(payload)
        assert decoded.refusals == ()
        assert [decoded.idents[i] for i in decoded.fix_ident] == ["13912345678", "41305648010"]


def test_a_bad_message_does_not_hurt_the_ones_beside_it():
    good = made(0x0200, LOCATION)
    bad = good[:20] + bytes((good[20] ^ 1,)) + good[21:]
    decoded = decode(good + bad + made(0x0002, b"") + good)
    assert len(decoded.fixes) == 2
    assert reasons(decoded) == [Reject.BAD_CHECKSUM, Reject.UNSUPPORTED]
    assert decoded.refusals[1].detail == "0002 (heartbeat) carries no location"
    assert [refusal.at for refusal in decoded.refusals] == [len(good), len(good + bad)]


def test_a_message_that_a_gateway_has_unescaped_is_read():
    body = LOCATION[:16] + b"\x7d\x01\x7e\x02" + LOCATION[20:]
    data = made(0x0200, body)[1:-1].replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")
    decoded = decode(b"\x7e" + data + b"\x7e" + made(0x0200, LOCATION))
    assert decoded.refusals == ()
    assert decoded.fixes.altitude.tolist() == [0x7D01, 12]


def test_a_number_that_is_no_decimal_is_an_imei():
    data = bytearray(made(0x0200, LOCATION)[1:-2])
    data[4:10] = (86_812_030_123_456).to_bytes(6)
    decoded = decode(b"\x7e" + bytes(data) + bytes((xor8(bytes(data)),)) + b"\x7e")
    assert decoded.idents == ("86812030123456" + luhn("86812030123456"),)
    assert luhn("49015420323751") == "8"


def test_sub_packets_of_one_payload_are_joined_in_any_order():
    body = bytes.fromhex("000201") + (len(LOCATION).to_bytes(2) + LOCATION) * 2
    first = made(0x0704, body[:20], serial=9, parts=(2, 1))
    second = made(0x0704, body[20:], serial=10, parts=(2, 2))
    for payload in (first + second, second + first, first + first + second):
        decoded = decode(payload)
        assert decoded.refusals == ()
        assert len(decoded.fixes) == 2
        assert extra_values(decoded.fixes.extra[0])["buffered"] is True


def test_a_lone_sub_packet_is_refused_but_for_what_it_says_by_itself():
    part = len(LOCATION).to_bytes(2) + LOCATION
    batch = made(0x0704, bytes.fromhex("000301") + part + part[:9], parts=(2, 1))
    decoded = decode(batch)
    assert len(decoded.fixes) == 1
    assert set(reasons(decoded)) == {Reject.TRUNCATED, Reject.UNSUPPORTED}
    second = decode(made(0x0704, part, parts=(2, 2)))
    assert reasons(second) == [Reject.UNSUPPORTED]
    assert second.refusals[0].detail == (
        "sub-packet 2 of 2 of 0704: the others are not in the payload"
    )
    photo = bytes.fromhex("0000002a00000301") + LOCATION + b"\xff\xd8"
    assert only(made(0x0801, photo, parts=(9, 1)))["extra"]["media"]["id"] == 42
    assert reasons(decode(made(0x0801, photo, parts=(9, 10)))) == [Reject.BAD_VALUE]


@pytest.mark.parametrize(
    ("kind", "before", "behind"),
    [
        (0x0201, "0007", ""),
        (0x0500, "0007", ""),
        (0x0801, "0000002a00000301", "ffd8ffe0"),
        (0x0800, "0000002a00000301", ""),
        (0x0802, "000700010000002a000103", ""),
        (0x0704, "000100001c", ""),
        (0x0210, "1c", ""),
    ],
)
def test_other_messages_with_a_location_are_read(kind, before, behind):
    fix = only(made(kind, bytes.fromhex(before) + LOCATION + bytes.fromhex(behind)))
    assert (fix["lat"], fix["speed_kmh"]) == (21.048116, 42)


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        (0x0200, LOCATION[:-1], Reject.TRUNCATED),
        (0x0200, LOCATION[:-6] + bytes(6), Reject.BAD_VALUE),
        (0x0200, LOCATION[:-6] + bytes.fromhex("260231120000"), Reject.BAD_VALUE),
        (0x0200, LOCATION[:-6] + bytes.fromhex("2a0105120000"), Reject.BAD_VALUE),
        (0x0200, LOCATION[:-6] + bytes.fromhex("990105120000"), Reject.TIME_OUT_OF_RANGE),
        (0x0200, LOCATION[:8] + b"\x7f" + LOCATION[9:], Reject.COORDINATES_OUT_OF_RANGE),
        (0x0201, b"\0\1", Reject.TRUNCATED),
        (0x0704, b"", Reject.TRUNCATED),
        (0x0704, b"\0\2\0\0\4\1\2\3\4", Reject.TRUNCATED),
        (0x0704, b"\0\1\0\0\xff", Reject.TRUNCATED),
        (0x0800, bytes(8), Reject.UNSUPPORTED),
        (0x0801, bytes(20), Reject.TRUNCATED),
        (0x0802, bytes(4), Reject.UNSUPPORTED),
        (0x0802, bytes(9), Reject.TRUNCATED),
        (0x0210, bytes(7), Reject.UNSUPPORTED),
        (0x0900, b"", Reject.UNSUPPORTED),
        (0x0900, b"\x41abc", Reject.UNSUPPORTED),
        (0x0900, b"\xf0abc", Reject.TRUNCATED),
        (0x0900, b"\xf0" + WHEN + b"\0\0\1\x09\0\0\xff", Reject.TRUNCATED),
        (0x0900, b"\xf0" + WHEN + b"\0\0\2\xff\xff" + bytes(300), Reject.TRUNCATED),
        (0x0900, b"\xf0" + WHEN + b"\0\0\4\0", Reject.UNSUPPORTED),
        (0x0900, b"\xff" + WHEN, Reject.TRUNCATED),
        (0x0102, b"token", Reject.UNSUPPORTED),
        (0x8001, bytes(5), Reject.UNSUPPORTED),
        (0x4444, b"", Reject.UNSUPPORTED),
    ],
)
def test_messages_that_are_cut_or_wrong_or_carry_no_location_are_refused(kind, body, reason):
    decoded = decode(made(kind, body))
    assert not len(decoded.fixes)
    assert reason in reasons(decoded)


def test_encrypted_messages_are_refused():
    data = bytearray(made(0x0200, LOCATION)[1:-2])
    data[2] |= 4
    decoded = decode(b"\x7e" + bytes(data) + bytes((xor8(bytes(data)),)) + b"\x7e")
    assert reasons(decoded) == [Reject.UNSUPPORTED]
    assert decoded.refusals[0].detail == "encrypted (way 1)"


def test_transparent_data_with_a_place_is_read():
    place = bytes.fromhex("00000003") + PLACE
    bus = b"\xf0" + WHEN + b"\1\0\1\1" + bytes.fromhex("01020400000064") + place
    assert only(made(0x0900, bus))["extra"]["buffered"] is True
    codes = b"\xf0" + WHEN + b"\0\0\2\0\1" + bytes(4) + b"\0\1" + bytes(8) + b"\0\5P1457" + place
    assert only(made(0x0900, codes + WHEN))["lat"] == 21.048116
    motion = b"\xff" + WHEN + PLACE + bytes.fromhex("000c01a401130102")
    assert only(made(0x0900, motion))["extra"]["samples"] == "0102"
    tags = b"\x53" + place + bytes.fromhex("000c01a40113") + WHEN + b"\x01"
    assert only(made(0x0900, tags))["altitude_m"] == 12


def test_other_delimiters_have_escapes_and_a_number_of_their_own():
    data = bytes.fromhex("0200001c000139123456780007") + LOCATION[:16] + b"\xe7\x3e"
    data += LOCATION[18:]
    data += bytes((xor8(data),))
    escaped = data.replace(b"\x3e", b"\x3e\x01").replace(b"\xe7", b"\xe6\x02")
    decoded = decode(b"\xe7" + escaped + b"\xe7")
    assert decoded.refusals == ()
    assert decoded.idents == ("13912345678",)
    assert decoded.fixes.altitude.tolist() == [0xE73E - 0x10000]


def test_texts_and_bytes_that_are_no_message_are_refused():
    good = made(0x0200, LOCATION)
    decoded = decode(
        b"(7941,1,001,BASE,2,TIME)" + good, b"xyz" + good, good[:-1], b"\x7e", b"\x7e\x7e"
    )
    assert decoded.fix_payload.tolist() == [0, 1]
    assert reasons(decoded) == [
        Reject.UNSUPPORTED, Reject.BAD_SYNTAX, Reject.TRUNCATED, Reject.TRUNCATED,
        Reject.NO_CONTENT,
    ]  # fmt: skip


def test_hostile_payloads_are_given_up_quickly():
    size = MAX_PAYLOAD_BYTES - 100
    started = time.monotonic()
    for stretch in (b"\x7e", b"\x7e\0", b"\xe7\0", b"()x", b"\x7e\2\0\3\xff", b"(", b"\x7d\2"):
        payload = stretch * (size // len(stretch))
        assert codec("jt808").decode([payload], arrived(1)).refusals
    assert time.monotonic() - started < 5


def test_what_a_message_cannot_carry_is_an_error():
    fixes = FixBatch.blank(1, time=[NOW_US], lon=[106.5], lat=[10.5])

    for number in ("1234567890123", "43C14390"):
        with pytest.raises(EncodeError, match="at most 12 digits"):
            encode(fixes, [number], ())
    with pytest.raises(EncodeError, match="2000 to 2099"):
        encode(fixes.with_columns(time=np.array([0])), [""], ())
    with pytest.raises(EncodeError, match="fix 0"):
        encode(fixes.with_columns(speed_kmh=np.array([7000], np.float32)), [""], ())
    with pytest.raises(EncodeError, match="at most 1023 bytes"):
        encode_batch(fixes.take(np.zeros(40, np.intp)), "")


def test_alarms_in_extra_are_encoded():
    fixes = FixBatch.blank(
        1, time=[NOW_US], lon=[106.5], lat=[10.5], inputs=[inputs_word({Input.SOS: True})],
        quality=[int(Quality.NO_POSITION)], extra={0: b'{"alarms":["over_speed","x"]}'},
    )  # fmt: skip
    (payload,) = encode(fixes, [""], ())
    fix = only(payload)
    assert fix["extra"]["alarms"] == ["sos", "over_speed"]
    assert fix["valid"] is False
