"""Our own MQTT packets, beside paho's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.client import Client, topic_matches_sub
from paho.mqtt.enums import CallbackAPIVersion

from devices.mqtt_packets import (
    CONNACK_ACCEPTED,
    PINGRESP,
    PUBACK,
    AckCounter,
    AnswerReader,
    connect_packet,
    publish_packet,
    publish_packets,
    remaining_length,
)


@given(st.integers(0, 268_435_455))
def test_remaining_length_is_what_paho_packs(length):
    packed = bytearray()
    Client(CallbackAPIVersion.VERSION2)._pack_remaining_length(packed, length)
    assert remaining_length(length) == bytes(packed)


def test_packet_ids_run_from_1_and_are_never_0():
    packets = publish_packets(["a"] * 65_537, [b""] * 65_537)
    ids = [int.from_bytes(packet[-2:], "big") for packet in packets]
    assert ids[0] == 1
    assert min(ids) == 1
    assert ids[65_534:] == [65_535, 1, 2]


def test_a_publish_packet_reads_back():
    (packet,) = publish_packets(["gsht/v1/json/86"], [b"x" * 200])
    assert packet[0] == 0x32
    assert packet[1:3] == remaining_length(2 + 15 + 2 + 200)
    assert packet[3:20] == b"\x00\x0fgsht/v1/json/86"
    assert packet[20:22] == b"\x00\x01"
    assert packet[22:] == b"x" * 200
    assert topic_matches_sub("gsht/v1/+/+", packet[5:20].decode())


@given(
    st.lists(st.one_of(st.integers(1, 65_535), st.just(PINGRESP)), max_size=60),
    st.lists(st.integers(1, 7), min_size=1, max_size=20),
)
@settings(max_examples=50, deadline=None)
def test_acknowledgements_are_counted_however_the_stream_is_cut(packets, cuts):
    stream = b"".join(p if isinstance(p, bytes) else PUBACK + p.to_bytes(2, "big") for p in packets)
    counter, counted, at, turn = AckCounter(), 0, 0, 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        counted += counter.feed(stream[at : at + step])
        at, turn = at + step, turn + 1
    assert counted == sum(isinstance(p, int) for p in packets)


def test_another_packet_among_acknowledgements_is_an_error():
    with pytest.raises(ValueError, match="expected PUBACK"):
        AckCounter().feed(b"\x40\x02\x00\x01\xe0\x00\x00\x00")


@given(
    st.lists(
        st.one_of(
            st.integers(1, 65_535).map(lambda n: PUBACK + n.to_bytes(2, "big")),
            st.sampled_from([PINGRESP, CONNACK_ACCEPTED]),
        ),
        max_size=60,
    ),
    st.lists(st.integers(1, 7), max_size=60),
)
@settings(max_examples=50, deadline=None)
def test_answers_are_read_however_the_stream_is_cut(packets, cuts):
    stream, reader = b"".join(packets), AnswerReader()
    read: list[bytes] = []
    for cut in [*cuts, len(stream)]:
        read += reader.feed(stream[:cut])
        stream = stream[cut:]
    assert read == packets


def test_an_answer_that_no_publisher_gets_is_refused():
    with pytest.raises(ValueError, match="packet type 0x30: expected CONNACK"):
        list(AnswerReader().feed(b"\x30\x02"))


def test_one_publish_packet_is_the_same_as_many():
    assert publish_packet("a/b", b"x" * 200, 1) == publish_packets(["a/b"], [b"x" * 200])[0]


def test_a_connect_packet_says_how_long_its_sender_may_be_silent():
    assert connect_packet("me", None, None, 90)[8:12] == b"\x04\x02\x00\x5a"
