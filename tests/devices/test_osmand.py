"""Queries that the kernel writes as JSON say there what a library reads; both readers agree."""

import json
import math
from urllib.parse import parse_qsl, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devices.formats.osmand import locations, queries
from devices.formats.osmand.query_kernel import MAX_PARAMETERS, as_json
from devices.json_columns import Columns, Written
from tests.devices.made_up import NOW_US, encoded
from tests.devices.test_bad_input import mutations
from tests.devices.test_messages import same

TEXTS = ("id", "driverUniqueId")
SIGNS = 'abcé012345789.-+eE_truefals%& ="\\/:,?#;\t'
values = (
    st.text(SIGNS, min_size=1, max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.floats(-200, 200).map(repr)
    | st.integers(-(10**16), 10**16).map(str)
    | st.decimals(-1000, 1000, places=3).map(str)
    | st.sampled_from(["true", "false", "on", "0", "1", "1.0", "007", "-0", "1.500"])
)
names = st.sampled_from([*TEXTS, "lat", "x", "batt", "é", "a b"]) | st.text(SIGNS, max_size=3)
PLAIN = {chr(sign) for sign in range(0x20, 0x7F)} - {'"', "\\"}


def one(query):
    """Names and values as the kernel writes them, in order, or None: the query is odd."""
    made = as_json([query])
    if made.odd[0]:
        return None
    return json.loads(made.data[made.begin[0] : made.end[0]], object_pairs_hook=list)


def typed(name, value):
    """A value as the reader of single queries keeps it."""
    return value if name in TEXTS else queries.typed(value)


def exact(pairs):
    return [(name, type(value), repr(value)) for name, value in pairs]


@settings(max_examples=50, deadline=None)
@given(
    pairs=st.lists(st.tuples(names.filter(bool), values), min_size=1, max_size=6),
    front=st.sampled_from(["", "?", "/?"]),
    is_quoted=st.booleans(),
)
@example(
    pairs=[("a", "1e3"), ("b", "0.10"), ("c", "-0.0"), ("d", "truer")], front="", is_quoted=True
)
def test_a_plain_query_is_written_with_its_numbers_as_numbers(pairs, front, is_quoted):
    if not all({*name, *value} <= PLAIN for name, value in pairs):
        return
    quote = quote_plus if is_quoted else "{}".format
    query = front + "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)
    if (not is_quoted and {*"".join(map("".join, pairs))} & set("&=%+?/ #{[")) or " " in query:
        return
    found = one(query.encode())
    assert found is not None
    expected = [(name, typed(name, value)) for name, value in pairs]
    # JSON has -0; the reader of single queries is asked about it.
    assert [pair for pair in exact(found) if pair[2] != "0"] == [
        pair for pair in exact(expected) if pair[2] != "0"
    ]


@settings(max_examples=80, deadline=None)
@given(st.text("ab=&%+?/12345.-E0truefals {", max_size=24))
@example("a=%41%2")
@example("=1&&b&c=")
def test_what_is_written_of_any_query_is_what_a_library_reads(text):
    try:
        found = one(text.encode())
    except json.JSONDecodeError:  # without any parameter nothing is written that is JSON
        assert not parse_qsl(text.removeprefix("/").removeprefix("?"))
        return
    if found is not None:
        query = text[2:] if text.startswith("/?") else text.removeprefix("?")
        expected = [(name, typed(name, value)) for name, value in parse_qsl(query)]
        assert [(name, float(v) if type(v) is int else v) for name, v in found] == [
            (name, float(v) if type(v) is int else v) for name, v in expected
        ]


@pytest.mark.parametrize(
    "query",
    [
        b"GET /?a=1 HTTP/1.1", b"http://host/?a=1", b"a=%", b"a=%4", b"a=%4g", b"a=%00", b"a=%22",
        b"a=\xc3\xa9", b"a=%C3%A9", b"a=1\r\n", b" a=1", b'{"a":1}', b"[]", b"a=1?b=2", b'a="',
        b"&".join([b"a=1"] * (MAX_PARAMETERS + 1)),
    ],
)  # fmt: skip
def test_what_is_no_plain_query_is_odd(query):
    assert one(query) is None


NOW = NOW_US // 1_000_000
usual = {
    "id": st.sampled_from(["352625333222111", "a-b", " x", "0123", ""]),
    "lat": st.floats(-90, 90).map(repr),
    "lon": st.floats(-180, 180).map(repr),
    "timestamp": st.integers(NOW - 1000, NOW).map(str)
    | st.integers(NOW * 1000 - 1000, NOW * 1000).map(str)
    | st.sampled_from(["2026-01-05T11:59:30Z", "2026-01-05 11:59:30", "1e9", "-5", "0"]),
}
others = st.sampled_from(
    ["speed", "bearing", "altitude", "hdop", "sat", "odometer", "driverUniqueId", "valid",
     "ignition", "in1", "batt", "accuracy", "deviceid", "heading", "location", "time_of", "é"]
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    known=st.fixed_dictionaries(usual),
    more=st.lists(st.tuples(others, values), max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_both_readers_of_queries_say_the_same(known, more, order):
    pairs = [*known.items(), *more]
    order.shuffle(pairs)
    query = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
    same("osmand", [query.encode(), f"/?{query}".encode()])


scalars = st.none() | st.booleans() | st.floats(-50, 200) | st.sampled_from(["x", "", "5", 7])
anything = scalars | st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "battery", "é", ""]), inner, max_size=3)
    ),
    max_leaves=4,
)
bodies = st.fixed_dictionaries(
    {
        "location": st.fixed_dictionaries(
            {
                "timestamp": st.sampled_from(["2026-01-05T11:59:30.250Z", "2026-01-05T11:59:30"]),
                "coords": st.fixed_dictionaries(
                    {"latitude": st.floats(-90, 90), "longitude": st.floats(-180, 180)},
                    optional={
                        **dict.fromkeys(("speed", "heading", "altitude", "accuracy"), scalars),
                        "battery": anything,
                    },
                ),
            },
            optional={
                "is_moving": scalars,
                "odometer": scalars,
                "event": anything,
                "accuracy": scalars,
                "activity": anything,
                "extras": anything,
                "battery": scalars
                | st.fixed_dictionaries({}, optional={"level": anything, "is_charging": scalars}),
            },
        )
    },
    optional={
        "device_id": st.sampled_from(["352625333222111", " ", 5, None]),
        "event": anything,
        "battery": anything,
    },
)


@settings(max_examples=60, deadline=None)
@given(st.lists(bodies, min_size=1, max_size=3), st.booleans())
def test_both_readers_of_json_say_the_same(messages, is_compact):
    separators = (",", ":") if is_compact else None
    texts = [json.dumps(message, separators=separators).encode() for message in messages]
    query = b"?id=1&lat=1&lon=2&timestamp=1767614370"
    same("osmand", [*texts, query, json.dumps(messages, separators=separators).encode()])


PHONE = (
    b'{"location":{"extras":{},"timestamp":"2026-01-05T11:59:30.250Z","event":"motionchange",'
    b'"is_moving":true,"uuid":"8a5c2f1e-3b1c-4c55-9b2e-0242ac120002","age":516,"odometer":1234.5,'
    b'"coords":{"latitude":21.028511,"longitude":105.854167,"accuracy":4.8,"speed":11.7,'
    b'"speed_accuracy":0.5,"heading":275.3,"heading_accuracy":12.5,"altitude":12.1,'
    b'"altitude_accuracy":3.2},"activity":{"type":"in_vehicle","confidence":100},'
    b'"battery":{"level":0.87,"is_charging":false}},"device_id":"352625333222111"}'
)
"""As phones write it."""


def test_what_phones_send_is_stored_as_it_is_written():
    columns = Columns(locations.SHAPE, Written.of([PHONE]))
    assert not columns.odd.any()
    (extra,) = locations.say(columns).extra.values()
    assert extra == (
        b'{"battery":{"level":0.87},"extras":{},"event":"motionchange",'
        b'"uuid":"8a5c2f1e-3b1c-4c55-9b2e-0242ac120002","age":516,"accuracy":4.8,'
        b'"speed_accuracy":0.5,"heading_accuracy":12.5,"altitude_accuracy":3.2,'
        b'"activity":{"type":"in_vehicle","confidence":100}}'
    )
    same("osmand", [PHONE])


@settings(max_examples=50, deadline=None)
@given(mutations(PHONE))
def test_both_readers_say_the_same_of_damaged_messages_of_phones(damaged):
    same("osmand", [PHONE, damaged, PHONE])


def test_the_usual_query_and_message_are_left_to_nobody():
    sent = (
        b"id=1&timestamp=1767614370&lat=21.0285&lon=105.8542&speed=0.5&bearing=275.0&accuracy=4.8"
    )
    assert not Columns(queries.SHAPE, as_json([sent + b"&batt=87.0&charge=false"])).odd.any()
    message = {
        "location": {
            "timestamp": "2026-01-05T11:59:30.250Z",
            "coords": {"latitude": 21.0, "longitude": 105.0, "speed": -1, "accuracy": 4.8},
            "battery": {"level": 0.87, "is_charging": False},
        },
        "device_id": "1",
    }
    written = Written.of([json.dumps(message).encode()])
    assert not Columns(locations.SHAPE, written).odd.any()


@settings(max_examples=20, deadline=None)
@given(encoded("osmand"))
def test_what_the_encoder_writes_is_left_to_nobody(payloads):
    odd = Columns(queries.SHAPE, as_json(payloads)).odd
    assert odd.tolist() == [b"e-" in payload for payload in payloads]  # 1e-07 degrees


def test_numbers_keep_their_value_and_lose_their_zeros():
    (pair,) = one(b"a=21.0285000")
    assert pair == ("a", 21.0285)
    made = as_json([b"a=1.500&b=2.00&c=-0.10"])
    assert made.data[made.begin[0] : made.end[0]] == b'{"a":1.5,"b":2.0,"c":-0.1}'
    assert not math.isnan(one(b"a=0.00000000000000000001")[0][1])
