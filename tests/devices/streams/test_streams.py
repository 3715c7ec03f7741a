"""Conversations: the same however the bytes are cut, in step again after garbage, and bounded."""

import time
import zlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devices.catalogue import CODECS
from devices.streams.catalogue import DATAGRAMS, STREAMS
from devices.streams.jt808 import Jt808Stream
from devices.streams.stream import Step
from devices.xor8 import xor8
from tests.devices.streams.dialogues import (
    DIALOGUES,
    GT06_POSITION,
    IMEI,
    IN_PARTS,
    LAST_PART,
    NOW_US,
    PACKET,
    clock,
    gt06,
    jt808,
    teltonika_packet,
)

NAMES = sorted(STREAMS)
CUTS = st.lists(st.integers(1, 60), max_size=200)


def pieces(data, sizes):
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]


def taken(name, parts):
    stream = STREAMS[name](clock)
    steps = [step for part in parts for step in stream.take(part)]
    return steps, stream.held, stream.skipped


def test_every_stream_has_a_dialogue():
    assert sorted(DIALOGUES) == NAMES
    assert set(DATAGRAMS) <= set(STREAMS)


@pytest.mark.parametrize("name", NAMES)
def test_a_tracker_hears_what_its_format_demands(name):
    dialogue, stream = DIALOGUES[name], STREAMS[name](clock)
    assert [stream.take(frame) for frame in dialogue.said] == dialogue.heard
    assert (stream.held, stream.skipped) == (0, 0)


@pytest.mark.parametrize("name", NAMES)
def test_bytes_one_by_one_say_the_same_as_all_at_once(name):
    whole = b"".join(DIALOGUES[name].said)
    expected = [step for steps in DIALOGUES[name].heard for step in steps]
    assert taken(name, [whole]) == (expected, 0, 0)
    assert taken(name, [whole[n : n + 1] for n in range(len(whole))]) == (expected, 0, 0)


@pytest.mark.parametrize("name", NAMES)
@given(cuts=CUTS, noise=st.lists(st.binary(max_size=80), min_size=3, max_size=3), data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_cut_of_any_bytes_gives_the_same_steps(name, cuts, noise, data):
    said = DIALOGUES[name].said
    frame = data.draw(st.sampled_from(said))
    broken = bytearray(frame)
    broken[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    whole = noise[0] + said[0] + noise[1] + bytes(broken) + noise[2] + b"".join(said)
    steps, held, skipped = taken(name, [whole])
    assert taken(name, pieces(whole, cuts)) == (steps, held, skipped)


BETWEEN = {
    "nmea": b"rubbish\r\n",
    "ruptela": b"\xff" * 40,
    "cellocator": b"MCG rubbish",
    "teltonika": b"\x00\x0e\x10\x00 rubbish",
    "egts": b"\x01\x00\x00\x0b\x00 rubbish \x02\x03",
    "suntech": b"@rubbish\r",
}
"""Garbage that contains beginnings; by default bytes that begin nothing."""


@pytest.mark.parametrize("name", NAMES)
def test_garbage_between_frames_is_skipped_and_counted(name):
    dialogue, stream = DIALOGUES[name], STREAMS[name](clock)
    heard = []
    for frame in dialogue.said:
        heard += stream.take(BETWEEN.get(name, b"\xf0\xf1 ru\xf2 \n"))
        heard += stream.take(frame)
    expected = [step for steps in dialogue.heard for step in steps]
    assert [step for step in heard if not step.wrong] == expected
    assert stream.skipped > 0 or name == "nmea"


@pytest.mark.parametrize("name", NAMES)
@given(data=st.binary(max_size=2000))
@settings(max_examples=40, deadline=None)
@example(data=b"\x00" * 2000)
@example(data=b"$" * 2000)
def test_no_bytes_break_a_stream_or_make_it_hold_more_than_a_frame(name, data):
    stream = STREAMS[name](clock)
    for _ in range(3):
        stream.take(data)
        assert stream.held <= stream.most_bytes


@pytest.mark.parametrize("name", NAMES)
def test_hostile_beginnings_are_bounded_in_memory_and_time(name):
    begin = DIALOGUES[name].said[-1]
    for hostile in (begin[:2], begin[:5], begin[:1], begin[:-1], b"\xff", b"\x00"):
        stream = STREAMS[name](clock)
        piece = (hostile * (16_384 // len(hostile) + 1))[:16_384]
        begun = time.process_time()
        for _ in range(8):
            stream.take(piece)
            assert stream.held <= stream.most_bytes
        assert time.process_time() - begun < 2.0


def test_a_packet_with_a_wrong_checksum_is_answered_that_nothing_was_taken():
    stream = STREAMS["teltonika"](clock)
    broken = PACKET[:-1] + bytes((PACKET[-1] ^ 1,))
    assert stream.take(broken) == [Step(wrong="bad_checksum", reply=bytes(4))]


def test_a_login_that_is_no_imei_is_refused():
    assert STREAMS["teltonika"](clock).take(b"\x00\x0f" + b"x" * 15) == [
        Step(wrong="bad_login", reply=b"\x00")
    ]
    assert STREAMS["wialon"](clock).take(b"#L#../x;NA\r\n") == [
        Step(wrong="bad_login", reply=b"#AL#0\r\n")
    ]


@pytest.mark.parametrize(
    "lines", [b"#D#1\n", zlib.compress(b"#P#\n")[:-1], zlib.compress(bytes(1 << 20))]
)
def test_deflated_lines_that_are_none_or_too_many_are_wrong(lines):
    stream = STREAMS["wialon"](clock)
    assert stream.take(b"\xff" + len(lines).to_bytes(2, "little") + lines) == [
        Step(wrong="bad_syntax")
    ]


@pytest.mark.parametrize(("zone", "hours"), [(700 << 4, -7), (530 << 4 | 8, 5.5), (2, 0)])
def test_times_of_gt06_are_those_of_the_time_zone_of_its_login(zone, hours):
    stream = STREAMS["gt06"](clock)
    login = gt06(1, bytes.fromhex("0" + IMEI) + b"\x36\x05" + zone.to_bytes(2, "big"))
    noon = gt06(0x12, bytes((26, 1, 5, 12, 0, 0)) + bytes(20), 2)
    stream.take(login)
    (step,) = stream.take(noon)
    fixes = CODECS["gt06"].decode([step.payload], np.array([NOW_US])).fixes
    assert fixes.time.tolist() == [1_767_614_400_000_000 + hours * 3_600_000_000]
    assert step.payload == (login + noon if hours else noon)


def test_a_login_of_gt06_that_is_not_sound_is_not_repeated():
    stream = STREAMS["gt06"](clock)
    login = bytearray(gt06(1, bytes.fromhex("0" + IMEI) + b"\x36\x05\x2b\xc0"))
    login[-3] ^= 1
    assert stream.take(bytes(login))[0].ident == IMEI
    assert [step.payload for step in stream.take(GT06_POSITION)] == [GT06_POSITION]


def test_a_datagram_of_teltonika_is_published_as_a_packet():
    body = PACKET[8:-4]
    head = bytes.fromhex("cafe0105000f") + IMEI.encode()
    datagram = (len(head) + len(body)).to_bytes(2, "big") + head + body
    assert DATAGRAMS["teltonika"](clock).take(datagram) == [
        Step(IMEI, PACKET, bytes.fromhex("0005cafe010502"))
    ]


def test_a_part_that_comes_again_is_acknowledged_at_once():
    stream = STREAMS["jt808"](clock)
    stream.take(IN_PARTS[0])
    again = stream.take(IN_PARTS[0])
    assert [(step.payload, bool(step.reply)) for step in again] == [(b"", True)]
    stream.take(IN_PARTS[1])
    joined = stream.take(LAST_PART)
    assert joined[0].payload == b"".join(IN_PARTS) + LAST_PART


def test_messages_in_parts_that_never_end_are_forgotten():
    stream = Jt808Stream(clock)
    for serial in range(1, 400, 7):
        stream.take(jt808(0x0704, bytes(900), serial, (200, 1)))
    assert sum(join.size for join in stream._joins.values()) < 10_000


def test_a_header_of_2019_is_answered_with_one():
    whole = bytes.fromhex("0002400001000000000139123456780007")
    stream = STREAMS["jt808"](clock)
    xor = 0
    for byte in whole:
        xor ^= byte
    (step,) = stream.take(b"~" + whole + bytes((xor,)) + b"~")
    assert step.ident == "13912345678"
    assert step.reply[1:5] == bytes.fromhex("80014005")
    assert step.reply[5:16] == bytes.fromhex("0100000000013912345678")


def test_binary_frames_with_a_tail_are_taken_whole_from_the_second_on():
    frame = bytes.fromhex("24410600082621532131081504419390060740418306") + bytes(10)
    tail = b"\x06" * 13
    stream = STREAMS["h02"](clock)
    payloads = [step.payload for step in stream.take((frame + tail) * 3)]
    assert payloads == [frame, frame + tail, frame + tail]
    assert stream.skipped == 0


def test_a_packet_of_255_records_fits():
    assert STREAMS["teltonika"](clock).take(teltonika_packet(255))[0].reply == b"\0\0\0\xff"


def said_by_a_receiver(order, seconds):
    """Sentences of some seconds, each in the order of a receiver, with right checksums."""
    for second in range(seconds):
        clock = b"1200%02d.00" % second
        texts = {
            "RMC": b"GNRMC,%b,A,2101.7100,N,10551.2520,E,25.0,275.0,050126,,,A" % clock,
            "GGA": b"GNGGA,%b,2101.7100,N,10551.2520,E,1,11,0.8,12.5,M,,M,," % clock,
            "GLL": b"GNGLL,2101.7100,N,10551.2520,E,%b,A,A" % clock,
            "VTG": b"GNVTG,275.0,T,,M,25.0,N,46.3,K,A",
        }
        for kind in order.split():
            yield b"$%b*%02X\r\n" % (texts[kind], xor8(texts[kind]))


@pytest.mark.parametrize(
    ("order", "without_altitude"),
    [("RMC", 5), ("GGA RMC", 0), ("GGA GLL VTG RMC", 0), ("RMC GGA", 1), ("RMC VTG GGA GLL", 1)],
)
def test_a_receiver_makes_one_fix_a_second_whatever_its_order(order, without_altitude):
    stream = STREAMS["nmea"](clock)
    said = [b"imei:352093081429150\r\n", *said_by_a_receiver(order, 5)]
    payloads = [step.payload for line in said for step in stream.take(line) if step.payload]
    fixes = CODECS["nmea"].decode(payloads, np.full(len(payloads), NOW_US)).fixes
    assert fixes.time.tolist() == [1_767_614_400_000_000 + k * 1_000_000 for k in range(5)]
    assert np.isnan(fixes.altitude).sum() == without_altitude


def test_a_receiver_that_loses_its_gga_is_not_waited_for():
    stream = STREAMS["nmea"](clock)
    said = [*said_by_a_receiver("RMC GGA", 3)]
    del said[-1]  # the GGA of 12:00:02; an RMC is held
    more = said_by_a_receiver("RMC", 6)
    published = [
        [line.split(b",")[1] for line in step.payload.split(b"\r\n")]
        for line in (*said, *[*more][3:])
        for step in stream.take(line)
    ]
    times = [b"1200%02d.00" % second for second in range(6)]
    assert published == [[times[0]], [times[1]] * 2, *([one] for one in times[2:])]
