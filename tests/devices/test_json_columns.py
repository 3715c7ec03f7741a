"""What the compiled reader takes out of JSON is what a library reads there; the rest is odd."""

import contextlib
import json
import math
import re
import struct

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devices.distinct import distinct
from devices.json_columns import Columns, Shape, Written
from devices.json_input import JSON_ERRORS, iso_us
from devices.json_kernel import INSTANT, KEPT, NULL, NUMBER, RAW, REQUIRED, TEXT, TRUTH
from devices.json_texts import ELEMENTS, MEMBERS, NOTHING
from tests.devices.test_bad_input import mutations

SHAPE = Shape({
    ("a",): NUMBER | REQUIRED,
    ("when",): NUMBER | INSTANT | NULL,
    ("name",): TEXT | NULL,
    ("raw",): RAW,
    ("in",): NULL,
    ("in", "a"): NUMBER | NULL | KEPT,
    ("in", "on"): TRUTH,
    ("in", "deep", "er"): TEXT,
})  # fmt: skip
NUMBERS = [("a",), ("when",), ("in", "a"), ("in", "on")]
TEXTS = [("name",), ("raw",), ("in", "deep", "er")]

numbers = (
    st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.integers(-(10**20), 10**20).map(str)
    | st.decimals(-1000, 1000, places=7).map(str)
    | st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{0,20})?([eE][-+]?[0-9]{0,3})?", fullmatch=True)
)
instants = st.datetimes().map(lambda when: when.isoformat() + "Z") | st.from_regex(
    r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{0,8})?"
    r"(Z|[-+][0-2][0-9]:[0-6][0-9])",
    fullmatch=True,
)


PLAIN = re.compile(
    r"(19[7-9]\d|2[01]\d\d|2200)-\d\d-\d\dT\d\d:\d\d:[0-5]\d(\.\d{1,6})?(Z|[-+]\d\d:[0-5]\d)"
)


def one(text):
    """What is read of a payload, or None: it is odd."""
    columns = Columns(SHAPE, Written.of([text.encode() if isinstance(text, str) else text]))
    assert columns.odd.tolist() == [len(columns) == 0]
    return None if columns.odd[0] else columns


def bits(value):
    return struct.pack("d", value)


@settings(max_examples=60, deadline=None)
@given(numbers)
@example("-0")
@example("01")
@example("1.")
@example("1e400")
@example("-0.0")
@example("9007199254740993")
@example("0.1234567890123456789012345")
def test_a_number_is_read_to_the_last_bit_or_not_at_all(text):
    read = one(f'{{"a":{text}}}')
    try:
        expected = msgspec.json.decode(text, type=float)
    except JSON_ERRORS:
        assert read is None
        return
    if read is not None:
        assert bits(read.number("a")[0]) == bits(expected)
    else:  # large whole numbers, and -0
        assert abs(expected) >= 2**53 or expected == 0


def test_numbers_of_all_the_digits_of_a_double_are_read_to_the_last_bit():
    rng = np.random.default_rng(1)
    sizes = 10.0 ** rng.integers(-3, 16, 20_000)
    texts = [*map(repr, (rng.random(20_000) * sizes).tolist())]
    texts += [f"{whole}.5" for whole in range(2**52, 2**52 + 500)]  # between two doubles
    texts = [text for text in texts if "e" not in text]
    columns = Columns(SHAPE, Written.of([b'{"a":%s}' % text.encode() for text in texts]))
    assert not columns.odd.any()
    np.testing.assert_array_equal(columns.number("a"), [float(text) for text in texts])


@settings(max_examples=60, deadline=None)
@given(instants)
@example("2026-02-29T00:00:00Z")
@example("2024-02-29T23:59:59.999999+07:00")
@example("2026-01-05T11:59:30.Z")
@example("2026-01-05T11:59:60Z")
@example("2026-01-05 11:59:30Z")
def test_an_instant_is_read_to_the_microsecond_or_not_at_all(text):
    read = one(f'{{"a":1,"when":"{text}"}}')
    if read is not None:
        assert np.rint(read.number("when")[0] * 1e6) == iso_us(text)
    else:
        with contextlib.suppress(ValueError, OverflowError):
            iso_us(text)
            assert not PLAIN.fullmatch(text)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9)
    | st.sampled_from(["", "x", 'a"b', "é", "\\", "x" * 64, "x" * 65, "2026-01-05T11:59:30Z"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["a", "on", "deep", "er", "x", "é", ""]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
usual = st.fixed_dictionaries(
    {"a": st.integers(-9, 9) | st.floats(-9, 9)},
    optional={
        "when": st.none() | st.just("2026-01-05T11:59:30Z") | st.integers(0, 9),
        "name": st.sampled_from(["x", "a b", "x" * 64, None]),
        "raw": values,
        "unknown": values,
        "in": st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "a": st.none() | st.integers(-9, 9),
                "on": st.booleans(),
                "deep": st.fixed_dictionaries({}, optional={"er": st.just("z"), "x": values}),
                "more": values,
            },
        ),
    },
)
messages = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("a", "when", "name", "raw", "in", "on", "deep", "er", "é", ""), values),
) | st.fixed_dictionaries({"a": st.integers(-9, 9), "in": values}, optional={"raw": values})


@st.composite
def written(draw, value):
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\r\n", "\t: ")]))
    ascii_only = draw(st.booleans())
    return json.dumps(value, separators=separators, ensure_ascii=ascii_only).encode()


def inside(message, path):
    for name in path:
        message = message.get(name) if isinstance(message, dict) else None
    return message


def check(columns, messages):
    """Every row says what the message says that a library reads."""
    assert len(columns) == len(messages)
    for path in NUMBERS:
        for row, value in enumerate(columns.number(*path)):
            said = inside(messages[row], path)
            if isinstance(said, str):
                said = iso_us(said) / 1e6
            assert bits(value) == bits(math.nan if said is None else float(said))
    for path in TEXTS:
        number, known = columns.texts(*path)
        for row, at in enumerate(number.tolist()):
            said = inside(messages[row], path)
            if path == ("raw",):
                assert (at < 0) == ("raw" not in messages[row])
                assert at < 0 or msgspec.json.decode(known[at]) == said
            else:
                assert (known[at].decode() if at >= 0 else None) == said
    for path in SHAPE.objects:
        others = columns.others(*path)
        expected = [unknown(message, path) for message in messages]
        assert [others.get(row, {}) for row in range(len(messages))] == expected
        for kind, text, members in zip(*columns.kept(*path), expected, strict=True):
            check_kept(kind, text, members)


def check_kept(kind, text, members):
    """An object is of a kind that may be stored as it is written only if that says the same."""
    assert bool(text) == bool(members) == (kind != NOTHING)
    if kind in {MEMBERS, ELEMENTS}:
        said = json.loads(text, object_pairs_hook=each_once)
        assert [*said.items()] == [*members.items()]
    if kind == ELEMENTS:
        assert all(name.isdecimal() for name in members)
        assert {*map(type, members.values())} == {int}


def each_once(pairs):
    found = dict(pairs)
    assert len(found) == len(pairs)
    return found


def unknown(message, path):
    found = inside(message, path)
    known = {p[-1] for p in (*NUMBERS, *TEXTS, ("in",), ("in", "deep")) if p[:-1] == path}
    known -= {"a"} if path == ("in",) else set()  # KEPT
    return {k: v for k, v in (found or {}).items() if k not in known}


@settings(max_examples=50, deadline=None)
@given(usual.flatmap(lambda value: st.tuples(st.just(value), written(value))))
def test_messages_of_the_shape_are_read_however_they_are_written(case):
    value, payload = case
    read = one(payload)
    assert read is not None
    check(read, [value])


@settings(max_examples=60, deadline=None)
@given((usual | messages).flatmap(written).flatmap(mutations))
def test_what_is_read_of_any_bytes_is_what_a_library_reads(payload):
    read = one(payload)
    if read is None:
        return
    for path in SHAPE.objects:
        read.others(*path)
    number, known = read.texts("raw")
    try:
        said = msgspec.json.decode(payload)
    except JSON_ERRORS:  # inside what is handed on as it is written
        rest = [known[at] for at in number if at >= 0]
        assert read.odd[0] or any(not_json(text) for text in rest)
        return
    check(read, said if isinstance(said, list) else [said])


def not_json(text):
    try:
        msgspec.json.decode(text)
    except JSON_ERRORS:
        return True
    return False


@given(st.lists(usual, min_size=1, max_size=4), st.lists(usual, min_size=1, max_size=2))
@settings(max_examples=50, deadline=None)
def test_payloads_stand_apart(first, second):
    payloads = [
        json.dumps(first).encode(),
        b'[{"a":1},{"a"',
        b"",
        b"\0",
        json.dumps(second).encode(),
    ]
    columns = Columns(SHAPE, Written.of(payloads))
    assert columns.odd.tolist() == [False, True, True, True, False]
    assert columns.owner.tolist() == [0] * len(first) + [4] * len(second)
    assert columns.at.tolist() == [*range(len(first)), *range(len(second))]
    check(columns, [*first, *second])


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}', '{"a":1,}', '{"a":1}}', '{"a":1} x', '{"in":{"a":1}}', "[]", "{}",
        '{"a":"1"}', '{"a":null}', '{"a":1,"when":"soon"}', '{"a":1,"name":""}', '[{"a":1},]',
        '{"a":1,"name":" x"}', '{"a":1,"name":"x "}',
        '{"a":1,"\\u0061":2}', '{"a":1,"in":{"on":tru}}', '{"a":1,"in":[1]}', '{"a":1 "name":"x"}',
        '{"a":1,"in":{"deep":1}}',
    ],
)  # fmt: skip
def test_what_is_not_of_the_shape_is_odd(text):
    assert one(text) is None


def test_rows_of_payloads_found_odd_later_are_dropped():
    payloads = [b'{"a":1,"x":[1]}', b'[{"a":2,"x":[1 2]},{"a":3}]', b'{"a":4,"x":5}']
    columns = Columns(SHAPE, Written.of(payloads))
    assert len(columns) == 4
    columns.others()
    assert columns.drop_odd()
    assert columns.odd.tolist() == [False, True, False]
    assert columns.number("a").tolist() == [1, 4]
    assert columns.others() == {0: {"x": [1]}, 1: {"x": 5}}
    assert not columns.drop_odd()


def test_payloads_of_nothing_but_unknown_members_are_left_to_the_other_reader():
    crowded = b'{"a":1,' + b",".join(b'"":%d' % (k % 9) for k in range(1000)) + b"}"
    assert one(crowded) is None
    assert Columns(SHAPE, Written.of([crowded, b'{"a":1}'])).odd.tolist() == [True, False]


@given(st.lists(st.sampled_from([b"", b"a", b"aa", b"b", b"ab"]) | st.binary(max_size=3)))
@settings(max_examples=60, deadline=None)
def test_texts_are_numbered_in_order_of_appearance(texts):
    ends = np.cumsum([0, *map(len, texts)])
    number, known = distinct(b"".join(texts), ends[:-1], ends[1:])
    assert known == [text for text in dict.fromkeys(texts) if text]
    assert [known[at] if at >= 0 else b"" for at in number] == texts
