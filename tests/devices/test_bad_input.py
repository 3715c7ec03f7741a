"""No input raises anything, and whatever comes out of it makes sense."""

import struct

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.catalogue import CODECS, codec
from devices.codec import MAX_PAYLOAD_BYTES
from devices.crc16 import crc16_ibm
from devices.errors import Reject
from tests.devices.made_up import arrived, encoded
from tests.devices.plausible import assert_plausible

NAMES = sorted(CODECS)
moderate = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def decode(name, payloads):
    decoded = codec(name).decode(payloads, arrived(len(payloads)))
    assert_plausible(decoded, len(payloads))
    return decoded


def said_something(decoded, payload):
    """Whether a payload left a trace: nothing may vanish."""
    return (
        (decoded.fix_payload == payload).any()
        or (decoded.weighing_payload == payload).any()
        or any(part.payload == payload for part in (*decoded.refusals, *decoded.registrations))
    )


@pytest.mark.parametrize("name", NAMES)
@moderate
@given(payloads=st.lists(st.binary(max_size=200), max_size=5))
def test_random_bytes_are_refused_or_make_sense(name, payloads):
    decoded = decode(name, payloads)
    assert all(said_something(decoded, index) for index in range(len(payloads)))


@pytest.mark.parametrize("name", NAMES)
@moderate
@given(data=st.data())
def test_a_mutated_payload_does_not_hurt_the_one_beside_it(name, data):
    good = data.draw(encoded(name))
    bad = data.draw(st.sampled_from(good).flatmap(mutations))
    decoded = decode(name, [*good, bad, *good])
    assert said_something(decoded, len(good))
    alone = decode(name, good)
    size = len(alone.fixes) + len(alone.weighings)
    after = (decoded.fix_payload > len(good)).sum() + (decoded.weighing_payload > len(good)).sum()
    before = (decoded.fix_payload < len(good)).sum() + (decoded.weighing_payload < len(good)).sum()
    assert before == after == size > 0


def mutations(payload):
    """Cut off, lengthened, bits flipped, a stretch replaced."""
    position = st.integers(0, len(payload) - 1)
    return st.one_of(
        position.map(lambda at: payload[:at]),
        st.binary(min_size=1, max_size=20).map(lambda tail: payload + tail),
        st.tuples(position, st.integers(0, 7)).map(lambda flip: flipped(payload, *flip)),
        st.tuples(position, st.binary(max_size=12)).map(
            lambda cut: payload[: cut[0]] + cut[1] + payload[cut[0] + len(cut[1]) :]
        ),
    )


def flipped(payload, at, bit):
    return payload[:at] + bytes([payload[at] ^ 1 << bit]) + payload[at + 1 :]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "payload",
    [b"\0" * 10_485_760, b"[" * 10_485_760, b"$GPRMC," * 1_500_000],
    ids=["zeros", "brackets", "sentences"],
)
def test_ten_mebibytes_are_refused_unread(name, payload):
    decoded = decode(name, [payload])
    assert [refusal.reason for refusal in decoded.refusals] == [Reject.TOO_LARGE]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"\xc3\x28" * 50,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 500 + b"]" * 500,
        b"[NaN, Infinity, -Infinity]",
        b'[{},1,"x",null,[],true]',
        b'{"_type":"location","tst":1e308,"lat":1e308,"lon":-1e308}',
        b'{"time":1e308,"lat":1,"lon":1}',
        b'{"time":99999999999999999999999999,"lat":1,"lon":1}',
        b'{"time":"9999-12-31T23:59:59.999999Z","lat":1,"lon":1,"gross_kg":1}',
        b'{"time":"0001-01-01T00:00:00+14:00","lat":1,"lon":1,"gross_kg":1}',
        b"time,gross_kg\n0001-01-01T00:00:00Z,1\n9999-12-31T23:59:59Z,1\n1e308,1\n",
        b"$" * 5000,
        b"$GPRMC" * 100,
        b"$GPRMC,999999,A,,,,,,,999999*",
        "$GPRMC,١١٥٩٣٠,A,٢١,N,1,E,,,٠٥٠١٢٦".encode(),
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ],
)
def test_known_troublemakers_are_refused(name, payload):
    decoded = decode(name, [payload])
    assert decoded.refusals
    assert not len(decoded.fixes)
    assert not len(decoded.weighings)


@pytest.mark.parametrize("name", ["json", "weigh-json", "owntracks", "teltonika-json"])
@moderate
@given(value=st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([
            "time", "lat", "lon", "tst", "_type", "state", "reported", "latlng", "ts", "extra",
            "inputs", "gross_kg", "axles", "kg", "axle_kg", "axle_spacing_m", "driver", "ident",
            "239", "182", "sat", "plate", "lane", "x",
        ]),
        inner | st.sampled_from([1_767_614_400, "location", 10.5]), max_size=6,
    ),
    max_leaves=20,
))  # fmt: skip
def test_any_json_is_refused_or_makes_sense(name, value):
    decoded = decode(name, [msgspec.json.encode(value)])
    assert said_something(decoded, 0)


@moderate
@given(data=st.binary(max_size=120), count=st.integers(0, 3), code=st.sampled_from([8, 0x8E, 0x10]))
def test_a_packet_with_a_right_crc_and_any_content_makes_sense(data, count, code):
    part = bytes([code, count]) + data + bytes([count])
    packet = struct.pack(">II", 0, len(part)) + part + struct.pack(">I", crc16_ibm(part))
    assert said_something(decode("teltonika", [packet]), 0)


@moderate
@given(fields=st.lists(st.text("0123456789.-+NSEWAV_enfi", max_size=11), max_size=14),
       kind=st.sampled_from(["RMC", "GGA", "GLL", "VTG"]))  # fmt: skip
def test_a_sentence_of_any_fields_makes_sense(fields, kind):
    decode("nmea", [",".join([f"$GP{kind}", *fields]).encode()])


@pytest.mark.parametrize("name", NAMES)
def test_nothing_decodes_to_nothing(name):
    decoded = codec(name).decode([], np.empty(0, np.int64))
    assert_plausible(decoded, 0)
    assert decoded.refusals == ()


def test_a_payload_of_exactly_the_limit_is_read():
    fix = b'{"time":1767614400,"lat":10.5,"lon":106.5}'
    padded = fix + b" " * (MAX_PAYLOAD_BYTES - len(fix))
    assert len(decode("json", [padded]).fixes) == 1
    assert decode("json", [padded + b" "]).refusals[0].reason == Reject.TOO_LARGE


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("json", b"[" + b"{}," * 300_000 + b"{}]"),
        ("weigh-json", b"[" + b"{}," * 300_000 + b"{}]"),
        ("owntracks", b"[" + b"{}," * 300_000 + b"{}]"),
        ("teltonika-json", b"[" + b"1," * 500_000 + b"1]"),
        ("weigh-csv", b"time,gross_kg\n" + b"1,1\n" * 250_000),
        ("nmea", b"$GPRMC,\n" * 120_000),
    ],
)
def test_a_payload_of_nothing_but_bad_parts_is_given_up(name, payload):
    decoded = decode(name, [payload])
    assert len(decoded.refusals) == 16
    assert decoded.refusals[-1].detail.endswith("(and 986 more)")


def test_many_bad_fixes_of_one_payload_are_counted_not_listed():
    decoded = decode("json", [b"[" + b",".join([b"{}"] * 1000) + b"]", b"{}"])
    assert len(decoded.refusals) == 17
    assert decoded.refusals[15].detail.endswith("(and 984 more)")
    assert decoded.refusals[16].payload == 1
