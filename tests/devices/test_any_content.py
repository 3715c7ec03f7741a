"""Frames of trackers that are whole, with a right length and checksum, and hold anything at all."""

import binascii
import struct

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from devices.catalogue import codec
from devices.crc16 import crc16_ibm
from tests.devices.made_up import arrived
from tests.devices.plausible import assert_plausible

moderate = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])

IMEI = "862311060000017"
PLACE = "1,36.4,275,12.5,105.854200,21.028500,20260105115930"
ENTRIES = st.sampled_from([
    "", "0", "1", "10", "00", "01", "0F", "-1", "36.4", "275", "12.5", "105.854200", "21.028500",
    "+21.028500", "-105.854200", "20260105115930", "20260105", "11:59:30", "0452", "3A98", "NA",
    "00C1D2E3", "220200", "FFFFFF", "3FFFFF", "110000", "00001234:05:06", "2101.7100", "N", "E",
    "050126", "115930", "a:1:2", "SOS:1:1", "A", "V", "260105115930", "4.1", "99999999999", "x",
    "²", "1e9", "é", "\0", "|", '"', PLACE,
])  # fmt: skip


def decode(name, payload):
    decoded = codec(name).decode([payload], arrived(1))
    assert_plausible(decoded, 1)
    assert len(decoded.fixes) or decoded.refusals
    return decoded


@moderate
@given(
    header=st.sampled_from([b"+RSP", b"+EVT", b"+BSP", b"+BVT"]),
    kind=st.sampled_from([3, 6, 7, 8, 12, 26, 45, 100]),
    content=st.binary(max_size=150),
)
def test_hex_with_a_right_crc_makes_sense(header, kind, content):
    size = 4 + 7 + len(content) + 4
    body = struct.pack(">BIH", kind, 0xFC1FBF, size) + content
    decode("queclink", header + body + struct.pack(">H", binascii.crc_hqx(body, 0xFFFF)) + b"\r\n")


@moderate
@given(content=st.binary(max_size=120), flag=st.sampled_from([0, 0x80]))
def test_tlv_of_a_right_length_makes_sense(content, flag):
    head = bytes([flag]) + bytes.fromhex("0" + IMEI) + bytes(6)
    frame = b"+\0" + struct.pack(">H", 4 + len(head) + len(content) + 4) + head + content
    decode("queclink", frame + b"\0\1\2$")


@moderate
@given(
    kind=st.sampled_from(["FRI", "ERI", "IGN", "IGL", "STT", "SOS", "IDA", "CAN", "XYZ", "INF"]),
    version=st.sampled_from(["060B02", "DE0114", "8020040200", "", "x"]),
    fields=st.lists(ENTRIES, max_size=24),
)
@example(kind="FRI", version="", fields=["0", "0", "²", PLACE])
@example(kind="STT", version="", fields=["zzzzzz", PLACE])
def test_a_report_of_any_columns_makes_sense(kind, version, fields):
    text = ",".join([f"+RESP:GT{kind}", version, IMEI, "", *fields, "20260105115933", "00A7$"])
    decode("queclink", text.encode())


@moderate
@given(
    header=st.sampled_from(
        ["ST300STT", "ST600UEX", "ST410STT", "ST910;Alert", "STT", "ALT", "UEX"]
    ),
    fields=st.lists(ENTRIES, max_size=24),
)
@example(
    "ST300UEX", ["1", "20260105", "11:59:30", "+1.5", "+1.5", "1", "1", "1", "1", "", "", "", "9"]
)
@example("UEX", ["F", "20260105"])
def test_a_suntech_report_of_any_columns_makes_sense(header, fields):
    decode("suntech", ";".join([header, "511330017", *fields]).encode("latin-1", "replace"))


@moderate
@given(kind=st.integers(0x80, 0x86), content=st.binary(max_size=120))
def test_zipped_universal_reports_of_a_right_length_make_sense(kind, content):
    body = bytes.fromhex("0511330017") + content
    decode("suntech", bytes([kind]) + struct.pack(">H", len(body)) + body)


@moderate
@given(kind=st.sampled_from([0x10, 0x11, 0x12, 0x13, 0x16, 0x20]), content=st.binary(max_size=120))
def test_zipped_reports_of_a_right_length_make_sense(kind, content):
    body = bytes([kind]) + bytes.fromhex("5113300170") + content
    decode("suntech", b"\2" + struct.pack(">H", len(body)) + body + b"\3")


def meitrack_frame(command, data):
    body = f",{IMEI},{command},".encode() + data + b"*"
    head = b"$$Q%d" % (len(body) + 4) + body
    return head + b"%02X\r\n" % (sum(head) & 0xFF)


@moderate
@given(command=st.sampled_from(["CCC", "CCE", "AAA", "D00"]), content=st.binary(max_size=200))
def test_meitrack_frames_with_a_right_checksum_make_sense(command, content):
    decode("meitrack", meitrack_frame(command, content))


@moderate
@given(count=st.integers(0, 3), groups=st.lists(st.binary(max_size=40), min_size=4, max_size=4))
def test_meitrack_positions_of_any_parameters_make_sense(count, groups):
    item = struct.pack("<H", 1) + b"".join(groups)
    batch = struct.pack("<IH", 0, count) + (struct.pack("<H", len(item)) + item) * count
    decode("meitrack", meitrack_frame("CCE", batch))


@moderate
@given(fields=st.lists(ENTRIES, max_size=24))
def test_a_meitrack_report_of_any_columns_makes_sense(fields):
    data = ",".join(["35,21.0285,105.8542,260105115930,A", *fields]).encode()
    decode("meitrack", meitrack_frame("AAA", data))


@moderate
@given(
    kind=st.sampled_from(["SD", "D", "B", "L"]),
    fields=st.lists(ENTRIES, max_size=18),
    summed=st.booleans(),
)
def test_a_wialon_packet_of_any_columns_makes_sense(kind, fields, summed):
    message = ";".join(["050126;115930;2101.7100;N;10551.2520;E", *fields]).encode()
    if summed:
        message += b"|" if kind == "B" else b";"
        message += b"%04X" % crc16_ibm(message)
    decode("wialon", b"#%b#%b\r\n" % (kind.encode(), message))


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("queclink", b"+RESP:GTFRI,060B02,1,,10,1," + f"{PLACE},".encode() * 15_000),
        ("queclink", b"+RESP:GTFRI," * 80_000),
        ("queclink", b"," * 1_000_000),
        ("suntech", b"20260105;11:59:30;" * 55_000),
        ("suntech", b"ST300STT;1;" + b"20260105;" * 110_000),
        ("suntech", b"ST300UEX;\r" * 100_000),
        ("meitrack", b"$$Q99999," * 110_000),
        ("meitrack", meitrack_frame("AAA", b"35,21.02,105.85,260105115930,A," + b"," * 90_000)),
        ("wialon", b"#SD#\n" * 200_000),
        ("wialon", b"#B#" + b"|1;" * 330_000),
        ("wialon", b"#D#" + b";" * 1_000_000),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value[:16]),
)
def test_long_payloads_of_nothing_useful_are_read_quickly(name, payload):
    decoded = codec(name).decode([payload], arrived(1))
    assert_plausible(decoded, 1)
    assert len(decoded.fixes) or decoded.refusals
