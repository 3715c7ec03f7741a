import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.batch import FixBatch, Input, inputs_word
from devices.catalogue import codec
from devices.codec import MAX_PAYLOAD_BYTES
from devices.crc16 import ITU
from devices.describe import describe
from devices.errors import EncodeError, Reject
from devices.formats.gt06.codec import SHORT_READERS, decode_slowly
from devices.formats.gt06.encoding import encode, frame
from tests.devices.made_up import NO_EXTRA, NOW_US, arrived, fix_batches
from tests.devices.plausible import assert_plausible
from tests.devices.test_jt808 import assert_same, reasons

WHEN = bytes((26, 1, 5, 11, 59, 30))
PLACE = (37_851_300).to_bytes(4) + (190_537_560).to_bytes(4)
GPS = WHEN + b"\xcb" + PLACE + b"\x2a" + bytes.fromhex("d513")
"""Eleven satellites, 21.0285 N 105.8542 E, 42 km/h, 275 degrees, located, ignition on."""
CELL = bytes.fromhex("01c404271000a1b2")
STATE = bytes.fromhex("4605040002")


def long_frame(kind, content):
    data = (5 + len(content)).to_bytes(2) + bytes((kind,)) + content + b"\0\7"
    return b"\x79\x79" + data + ITU.of(data).to_bytes(2) + b"\r\n"


def decode(*payloads):
    decoded = codec("gt06").decode(payloads, arrived(len(payloads)))
    assert_plausible(decoded, len(payloads))
    assert_same(decoded, decode_slowly(payloads, arrived(len(payloads))))
    return decoded


def only(payload):
    decoded = decode(payload)
    assert decoded.refusals == ()
    assert len(decoded.fixes) == 1
    return describe(decoded, 0)["fixes"][0]


@st.composite
def frames(draw):
    """Frames of all kinds, sound and unsound."""
    gps = draw(st.just(GPS) | st.binary(min_size=12, max_size=12).map(lambda b: WHEN + b))
    cell = draw(st.just(CELL) | st.binary(min_size=8, max_size=8))
    end = draw(st.sampled_from([b"", b"\1\0\0", b"\0\5\1", bytes(4), b"\1\2\0\0\1\0\0", b"\1"]))
    kind = draw(st.sampled_from([0x12, 0x22, 0x12, 0x22, 0x16, 0x31, 0xA0, 0x13]))
    payload = frame(kind, gps + cell + end, serial=draw(st.integers(0, 65535)))
    if draw(st.integers(0, 2)) == 0:
        at = draw(st.integers(0, len(payload) - 1))
        payload = draw(st.sampled_from([
            payload[:at], payload[:at] + bytes((payload[at] ^ 1,)) + payload[at + 1 :],
            payload + payload, payload + b"\0", b"\0" + payload,
        ]))  # fmt: skip
    return payload


@settings(max_examples=50, deadline=None)
@given(payloads=st.lists(frames(), max_size=12))
def test_reading_as_columns_says_the_same_as_reading_one_by_one(payloads):
    decode(*payloads)


@settings(max_examples=40, deadline=None)
@given(fixes=fix_batches(max_size=20, extra=NO_EXTRA, most_kmh=255))
def test_encoded_frames_come_back_both_ways(fixes):
    decoded = decode(*encode(fixes, [""] * len(fixes), ())).fixes
    assert len(decoded) == len(fixes)
    np.testing.assert_allclose(decoded.lon, fixes.lon, atol=2.8e-7, rtol=0)
    np.testing.assert_array_equal(decoded.odometer, fixes.odometer)
    for name in ("speed_kmh", "heading"):
        np.testing.assert_array_equal(getattr(decoded, name), np.nan_to_num(getattr(fixes, name)))
    known = fixes.satellites != 255
    few = np.minimum(fixes.satellites, 15)
    np.testing.assert_array_equal(decoded.satellites, np.where(known, few, 0))
    np.testing.assert_array_equal(decoded.inputs & 1, fixes.inputs & 1)


def test_a_position_with_a_report_and_a_mileage_says_all_it_carries():
    fix = only(frame(0x22, GPS + CELL + b"\1\4\1" + (123_456).to_bytes(4)))
    assert fix["time"] == "2026-01-05T11:59:30.000Z"
    assert (fix["lat"], fix["lon"]) == (pytest.approx(21.0285), pytest.approx(105.8542))
    assert (fix["speed_kmh"], fix["heading"], fix["satellites"]) == (42, 275, 11)
    assert fix["odometer_m"] == 123_456
    assert fix["inputs"] == {"ignition": True}
    assert fix["extra"] == {
        "cell": [452, 4, 10_000, 41_394], "reason": 4, "buffered": True, "frame": "22",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "lat", "lon", "valid", "ignition"),
    [(0x1400, 1, 1, True, None), (0x1C00, 1, -1, True, None), (0x1800, -1, -1, True, None),
     (0x0400, 1, 1, False, None), (0x5400, 1, 1, True, False), (0xD400, 1, 1, True, True)],
)  # fmt: skip
def test_the_flags_say_side_fix_and_ignition(flags, lat, lon, valid, ignition):
    fix = only(frame(0x12, GPS[:-2] + flags.to_bytes(2) + CELL))
    assert (fix["lat"] > 0, fix["lon"] > 0) == (lat > 0, lon > 0)
    assert fix["valid"] is valid
    assert fix["inputs"].get("ignition") is ignition


def test_the_state_of_an_alarm_is_read():
    fix = only(frame(0x26, GPS + b"\x09" + CELL + bytes.fromhex("5605040102")))
    assert fix["inputs"] == {
        "ignition": True, "sos": True, "power_cut": True, "charging": True,
    }  # fmt: skip
    assert fix["extra"] == {
        "cell": [452, 4, 10_000, 41_394], "state": 0x56, "battery_level": 5, "signal": 4,
        "language": 2, "alarm": 1, "alarms": ["power_cut", "sos"], "frame": "26",
    }  # fmt: skip
    fenced = only(frame(0x27, GPS + b"\x09" + CELL + STATE[:3] + b"\4\2\7"))
    assert (fenced["extra"]["alarms"], fenced["extra"]["fence"]) == (["fence_in"], 7)
    none = only(frame(0x16, GPS + b"\0" + bytes(8) + STATE))
    assert none["extra"]["state"] == 0x46
    without = only(frame(0x26, GPS + b"\0" + STATE))
    assert "cell" not in without["extra"]
    assert without["extra"]["state"] == 0x46
    more = only(frame(0x26, GPS + b"\x0f" + CELL + bytes(6) + STATE))
    assert (more["extra"]["cells"], more["extra"]["state"]) == ("00" * 6, 0x46)


def test_networks_of_two_bytes_and_wide_cells_are_read():
    long_network = bytes.fromhex("81c40104271000a1b2")
    assert only(frame(0x22, GPS + long_network))["extra"]["cell"] == [452, 260, 10_000, 41_394]
    wide = bytes.fromhex("01c40400002710000000000000a1b2")
    fix = only(frame(0xA0, GPS + wide + b"\1\0\0"))
    assert fix["extra"]["cell"] == [452, 4, 10_000, 41_394]


KINDS = {
    "10": frame(0x10, GPS),
    "11": frame(0x11, GPS + bytes(10)),
    "12 with imei": frame(0x12, bytes.fromhex("0868120301234567") + GPS + CELL),
    "12 with voltage": frame(0x12, GPS + CELL + b"\x46\5\0\4\0"),
    "16 without length": frame(0x16, GPS + CELL + STATE),
    "16 wide": frame(0x16, GPS + b"\x0a" + CELL + b"\1" + STATE),
    "17 card": frame(0x17, GPS + CELL + bytes(9)),
    "1a": frame(0x1A, GPS + b"13912345678"),
    "1e": frame(0x1E, GPS),
    "22 climate": frame(0x22, GPS + CELL + bytes(16)),
    "22 nt": frame(0x22, bytes.fromhex("010868120301234567") + WHEN + GPS + b"\x09" + CELL
                   + b"\x46\5\0\x28" + bytes(9)),
    "24": frame(0x24, GPS + CELL + b"\1\5\0\1\0" + bytes(10)),
    "25": frame(0x25, GPS + CELL + b"\0"),
    "25 nt": frame(0x25, bytes.fromhex("010868120301234567") + WHEN + GPS + b"\x0a" + CELL
                   + b"\1\2\x46\5\0\x28" + bytes(12)),
    "22 longer": frame(0x22, GPS + CELL + b"\1\2\0" + bytes(9)),
    "22 with one byte more": frame(0x22, GPS + CELL + b"\1\2\0" + bytes(1)),
    "22 of 55 bytes without imei": frame(0x22, GPS + CELL + b"\1\2\0" + bytes(26)),
    "12 of 34 bytes without imei": frame(0x12, GPS + CELL + bytes(8)),
    "2d": frame(0x2D, GPS + CELL + b"\1\0\0"),
    "2f": frame(0x2F, GPS + CELL + b"\1\1\0\0"),
    "31": frame(0x31, GPS + CELL + b"\1\0\0"),
    "31 long network": frame(0x31, GPS + CELL + b"\1\2\1\0\0" + bytes(6)),
    "32": frame(0x32, GPS + b"\x09" + CELL + STATE),
    "32 long network": frame(0x32, GPS + b"\x0b" + CELL + b"\1\2" + STATE + b"\0\5"),
    "34": frame(0x34, bytes(4) + GPS + bytes(40)),
    "36": frame(0x36, GPS + bytes(30)),
    "37": frame(0x37, GPS + CELL + b"\1\0\0" + bytes.fromhex("002e0400000064" "00270204b0")),
    "38": long_frame(0x38, GPS + b"\0\0\0" + CELL + b"\x1b" + bytes.fromhex("003b020064")),
    "38 fourth generation": long_frame(0x38, GPS + b"\0\1\3" + bytes(17) + b"\0\x1b"),
    "39": frame(0x39, GPS + b"\0" + CELL + b"\x1b" + STATE),
    "61": frame(0x61, bytes.fromhex("0868120301234567") + GPS + CELL + bytes(7)),
    "95": frame(0x95, WHEN + PLACE + GPS[-2:] + b"\x90\0\0EVENT.mp4"),
    "95 marked": frame(0x95, b"\xff\xff\1" + WHEN + b"\x0b" + PLACE + GPS[-2:] + b"\0\x2a\0\x87"
                       + b"\1\0\0"),
    "a2": frame(0xA2, GPS + bytes(41)),
    "a3": frame(0xA3, GPS + b"\0" + bytes(15) + STATE),
    "a4": frame(0xA4, GPS + b"\x10" + bytes(15) + STATE + b"\1"),
    "long 22": long_frame(0x22, GPS + CELL + b"\1\0\0"),
    "long 32": long_frame(0x32, WHEN + b"\x0c" + GPS[6:] + b"\0\0\0\0\0"),
    "70": long_frame(0x70, bytes.fromhex("0033" "0012") + (1_767_614_370).to_bytes(4)
                     + b"\x0b\0\x0c" + PLACE + GPS[-3:] + bytes.fromhex("0018" "0002" "0190")),
    "21": long_frame(0x21, bytes(4) + b"\1Current position!Lat:N21.028500,Lon:E105.854200,"
                     b"Course:275.00,Speed:42.0000,DateTime:2026-01-05  11:59:30"),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_every_frame_with_a_position_is_read(name):
    fix = only(KINDS[name])
    assert fix["time"] == "2026-01-05T11:59:30.000Z"
    assert (fix["lat"], fix["lon"]) == (pytest.approx(21.0285), pytest.approx(105.8542))
    assert fix["heading"] == 275
    assert fix["valid"] is True


def test_modules_voltages_and_minutes_are_read():
    modules = only(KINDS["37"])
    assert (modules["odometer_m"], modules["extra"]["power_v"]) == (100, 12)
    assert only(KINDS["38"])["extra"]["accuracy_m"] == 1
    assert only(KINDS["70"])["altitude_m"] == 12
    assert only(KINDS["70"])["extra"] == {"battery_v": 4, "frame": "70"}
    for name in ("22 nt", "25 nt"):
        nt = only(KINDS[name])
        assert (nt["extra"]["power_v"], nt["extra"]["battery_v"]) == (12.8, 4)
        assert nt["inputs"]["ignition"] is True
    assert only(KINDS["22 longer"])["extra"]["rest"] == "00" * 5
    assert only(KINDS["22 with one byte more"])["extra"]["rest"] == "00"
    assert only(KINDS["32 long network"])["altitude_m"] == 5
    assert only(KINDS["95"])["extra"]["files"] == "EVENT.mp4"
    assert only(KINDS["95 marked"])["speed_kmh"] == 42
    assert only(KINDS["12 with voltage"])["extra"]["power_v"] == 12.8


def test_a_login_in_front_names_the_device_and_its_time_zone():
    imei = bytes.fromhex("0868120301234567")
    here = frame(0x22, GPS + CELL)
    east = decode(frame(0x01, imei + b"\0\0" + (700 << 4).to_bytes(2)) + here + here)
    assert east.refusals == ()
    assert east.idents == ("868120301234567",)
    assert (NOW_US - east.fixes.time).tolist() == [7 * 3_600_000_000 + 30_000_000] * 2
    west = decode(frame(0x01, imei + b"\0\0" + (330 << 4 | 8).to_bytes(2)) + here)
    assert NOW_US - int(west.fixes.time[0]) == 30_000_000 - 12_600_000_000
    zero_first = decode(frame(0x01, bytes.fromhex("0012345678901234")) + here)
    assert zero_first.idents == ("012345678901234",)
    plain = decode(frame(0x01, imei) + here)
    assert NOW_US - int(plain.fixes.time[0]) == 30_000_000


@pytest.mark.parametrize(
    ("payload", "reason", "detail"),
    [
        (frame(0x01, bytes(8)), Reject.UNSUPPORTED, "01 (login) carries no position"),
        (frame(0x13, STATE), Reject.UNSUPPORTED, "13 (heartbeat with status) carries no position"),
        (frame(0x23, STATE), Reject.UNSUPPORTED, "23 (heartbeat) carries no position"),
        (frame(0x17, bytes(20)), Reject.UNSUPPORTED, "17 (cells, or wifi) carries no position"),
        (frame(0x2C, bytes(40)), Reject.UNSUPPORTED, "2c (wifi) carries no position"),
        (frame(0x19, bytes(40)), Reject.UNSUPPORTED, "19 (cells with status) carries no position"),
        (frame(0x95, bytes(7)), Reject.UNSUPPORTED,
         "95 (alarm without a position) carries no position"),
        (long_frame(0x94, b"\0\1\2"), Reject.UNSUPPORTED, "94 (information) carries no position"),
        (long_frame(0x21, b"OK"), Reject.UNSUPPORTED,
         "21 (answer to a command) without a position"),
        (long_frame(0x70, b""), Reject.UNSUPPORTED, "70 (modules) without a position"),
        (long_frame(0x33, WHEN + b"\0"), Reject.UNSUPPORTED, "cells or wifi, no position"),
        (frame(0x77, b""), Reject.UNSUPPORTED, "77 carries no position"),
        (b"\x78\x78\0\x69" + WHEN + b"\r\n", Reject.UNSUPPORTED,
         "69 (wifi) carries no position"),
        (frame(0x22, GPS[:-1]), Reject.TRUNCATED, "content: expected at least 18 bytes, got 17"),
        (long_frame(0x70, bytes.fromhex("0033000100")), Reject.TRUNCATED,
         "content: expected at least 18 bytes, got 1"),
        (frame(0x22, b"\x64" + GPS[1:] + CELL), Reject.BAD_VALUE,
         "time: expected yy mm dd hh mm ss, got 6401050b3b1e"),
        (frame(0x22, WHEN[:1] + b"\2\x1e" + GPS[3:] + CELL), Reject.BAD_VALUE,
         "time: expected yy mm dd hh mm ss, got 1a021e0b3b1e"),
        (frame(0x22, GPS[:7] + b"\xff" + GPS[8:] + CELL), Reject.COORDINATES_OUT_OF_RANGE,
         "lon, lat: expected -180..180, -90..90, got 105.854, 2379.16"),
        (frame(0x22, GPS + CELL)[:-3], Reject.TRUNCATED, "length 31: expected 36 bytes, got 33"),
        (frame(0x22, GPS + CELL)[:-2] + b"xx", Reject.BAD_SYNTAX,
         "expected 0d0a behind the frame, got 7878"),
        (frame(0x22, GPS + CELL)[:-4] + b"\0\0\r\n", Reject.BAD_CHECKSUM, None),
        (b"\x78\x78\1\x08\r\n", Reject.BAD_VALUE,
         "length: expected at least 5, got 1 (kind 08)"),
        (b"\x79\x79\xff\xff\x22", Reject.BAD_VALUE, "length: expected at most 4096, got 65535"),
        (b"\x78\x78", Reject.TRUNCATED, "expected a length and a kind, got 7878"),
        (b"hello", Reject.BAD_SYNTAX, "expected 7878 or 7979, got 6865"),
        (long_frame(0x21, b"Lat:N1.0,Lon:E1.0,Course:0.0,Speed:0.0,DateTime:2026-13-05 11:59:30"),
         Reject.BAD_VALUE, None),
    ],
)  # fmt: skip
def test_what_is_wrong_or_carries_no_position_is_refused(payload, reason, detail):
    decoded = decode(payload)
    assert not len(decoded.fixes)
    assert reasons(decoded) == [reason]
    assert detail is None or decoded.refusals[0].detail == detail


def test_a_bad_frame_does_not_hurt_the_ones_beside_it():
    good = frame(0x22, GPS + CELL)
    bad = good[:10] + bytes((good[10] ^ 1,)) + good[11:]
    longer = good[:2] + b"\xff" + good[3:]
    for between in (bad, longer, b"\x78\x78\0\x17" + WHEN + b"\r\n"):
        decoded = decode(good + between + good)
        assert len(decoded.fixes) == 2
        assert [refusal.at for refusal in decoded.refusals] == [len(good)]


@settings(max_examples=50, deadline=None)
@given(kind=st.integers(0, 255), content=st.binary(max_size=90), is_long=st.booleans())
def test_a_frame_of_any_content_makes_sense(kind, content, is_long):
    make = long_frame if is_long else frame
    decoded = decode(make(kind, content), make(kind, GPS + content))
    assert len(decoded.fixes) + len(decoded.refusals) >= 2


@settings(max_examples=50, deadline=None)
@given(
    kind_and_size=st.sampled_from(sorted(SHORT_READERS)),
    content=st.binary(min_size=250, max_size=250),
)
def test_a_frame_of_a_maker_with_any_content_makes_sense(kind_and_size, content):
    kind, size = kind_and_size
    for start in (b"", GPS, GPS + b"\x81", content[:9] + WHEN + GPS + b"\x81"):
        decoded = decode(frame(kind, (start + content)[:size]))
        assert len(decoded.fixes) + len(decoded.refusals) == 1


def test_hostile_payloads_are_given_up_quickly():
    started = time.monotonic()
    for stretch in (
        b"xx",
        b"\r\n\x78\x78",
        b"\x78\x78\xff",
        b"\x79\x79\x0f\xfc\r\n",
        b"\x78\x78\0\x69\r\n",
    ):
        payload = stretch * (MAX_PAYLOAD_BYTES // len(stretch))
        assert codec("gt06").decode([payload], arrived(1)).refusals
    assert time.monotonic() - started < 5


def test_what_a_frame_cannot_carry_is_an_error():
    fixes = FixBatch.blank(1, time=[NOW_US], lon=[106.5], lat=[10.5])
    with pytest.raises(EncodeError, match="2000 to 2099"):
        encode(fixes.with_columns(time=np.array([0])), [""], ())
    with pytest.raises(EncodeError, match="fix 0"):
        encode(fixes.with_columns(speed_kmh=np.array([256], np.float32)), [""], ())
    with pytest.raises(EncodeError, match="at most 250 bytes"):
        frame(0x15, bytes(251))


def test_a_cell_and_a_reason_in_extra_are_encoded():
    fixes = FixBatch.blank(
        1, time=[NOW_US], lon=[-106.5], lat=[-10.5], inputs=[inputs_word({Input.IGNITION: True})],
        extra={0: b'{"cell":[452,4,10000,41394],"reason":4,"buffered":true}'},
    )  # fmt: skip
    (payload,) = encode(fixes, [""], ())
    assert only(payload)["extra"] == {
        "cell": [452, 4, 10_000, 41_394], "reason": 4, "buffered": True, "frame": "22",
    }  # fmt: skip
