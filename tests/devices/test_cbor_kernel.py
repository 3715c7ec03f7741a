"""CBOR that the kernel writes as JSON says there what a library reads in it; the rest is odd."""

import json

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devices.formats.teltonika.cbor_kernel import as_json
from devices.formats.teltonika.json_messages import SHAPE
from devices.json_columns import Columns
from tests.devices.made_up import encoded
from tests.devices.test_bad_input import mutations

LARGEST = 2**62 - 2

plain = st.text(st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters='"\\'))
scalars = st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | plain | st.binary(max_size=4)
names = plain | st.integers(-300, 70_000) | st.sampled_from(["ts", "latlng", "239"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=6,
)
reports = st.dictionaries(names.filter(lambda name: name != "state"), values, max_size=6)
messages = reports | reports.map(lambda report: {"state": {"reported": report}})


def head(major, value, wider):
    """A head and its number, in one of the widths that hold it."""
    if value < 24 and wider == 0:
        return bytes([major << 5 | value])
    narrowest = 0 if value < 1 << 8 else 1 if value < 1 << 16 else 2 if value < 1 << 32 else 3
    power = min(max(narrowest, wider - 1), 3)
    return bytes([major << 5 | 24 + power]) + value.to_bytes(1 << power, "big")


def written(value, wider, *, until_break):
    """A value in CBOR."""
    if isinstance(value, bool) or value is None:
        return cbor2.dumps(value)
    if isinstance(value, int):
        return head(0, value, wider) if value >= 0 else head(1, -1 - value, wider)
    if isinstance(value, bytes | str):
        content = value if isinstance(value, bytes) else value.encode()
        return head(2 if isinstance(value, bytes) else 3, len(content), wider) + content
    parts = value if isinstance(value, list) else [one for pair in value.items() for one in pair]
    major = 4 if isinstance(value, list) else 5
    inside = b"".join(written(one, wider, until_break=until_break) for one in parts)
    if until_break:
        return bytes([major << 5 | 31]) + inside + b"\xff"
    return head(major, len(value), wider) + inside


def said(value):
    """A value as JSON has it."""
    if isinstance(value, dict):
        return {str(name): said(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [said(inner) for inner in value]
    return value.hex() if isinstance(value, bytes) else value


def around(message):
    """A message with the objects around what is reported."""
    if isinstance(message, dict) and "state" not in message:
        return {"state": {"reported": message}}
    return message


def expected(value):
    found = said(value)
    return [*map(around, found)] if isinstance(found, list) else around(found)


def one(payload):
    """What the kernel makes of a payload, or None: it is odd."""
    made = as_json([payload])
    return None if made.odd[0] else json.loads(made.data[made.begin[0] : made.end[0]])


@settings(max_examples=50, deadline=None)
@given(
    value=messages | st.lists(messages, max_size=3),
    wider=st.integers(0, 4),
    until_break=st.booleans(),
    tagged=st.booleans(),
)
@example(value={"a": [[]], "b": {}}, wider=0, until_break=True, tagged=True)
@example(value={"ts": LARGEST, 5: -LARGEST}, wider=0, until_break=False, tagged=False)
def test_messages_are_written_as_json_in_whatever_way_they_are_encoded(
    value, wider, until_break, tagged
):
    payload = written(value, wider, until_break=until_break)
    assert cbor2.loads(payload) == value
    found = one((b"\xd9\xd9\xf7" if tagged else b"") + payload)
    if found is None:
        # "state" is looked for as everybody writes it; and JSON may be three times as long.
        is_wide = wider > 0 and "state" in str(value)
        assert is_wide or len(json.dumps(expected(value))) > 2 * len(payload) + 60
    else:
        assert found == expected(value)


@settings(max_examples=60, deadline=None)
@given((messages | values).map(cbor2.dumps).flatmap(mutations))
def test_what_is_written_of_any_bytes_is_what_a_library_reads(payload):
    found = one(payload)
    if found is not None:
        data = payload.removeprefix(b"\xd9\xd9\xf7")
        assert found == expected(cbor2.loads(data))


@pytest.mark.parametrize(
    "hexadecimal",
    [
        "", "a1", "a16161", "ff", "9f", "bf6161ff", "a1616100ff", "a16161f7", "a16161f93c00",
        "a161617f6161ff", "a16161c000", "a1616163c3a9", "a1616162c3a9", "a161616122", "a161616100",
        "a16161615c", "a1f500", "a1414100", "a1a00000", "a1616178ff", "a161611bffffffffffffffff",
        "a161613b4000000000000000", "a161611c", "1a0000", "818181818181818181818100",
        "a36274730161610265737461746503", "a3627473016161027805737461746503",
        "9bffffffffffffffff", "bbffffffffffffffff", "bb7fffffffffffffff", "5bffffffffffffffff",
        "a16161f0", "a1ff", "d9d9f7", "d9d9f7d9d9f700", "84f5f5f5f500",
    ],
)  # fmt: skip
def test_what_devices_do_not_write_is_odd(hexadecimal):
    assert one(bytes.fromhex(hexadecimal)) is None


def test_what_would_become_far_longer_is_odd():
    assert one(cbor2.dumps([False] * 1000)) is None
    assert one(cbor2.dumps({"x": [False] * 10})) is not None


def test_payloads_stand_apart():
    good = [{"ts": 1, "latlng": "1,2"}, [{"ts": 3}], {"state": {"reported": {}}}]
    first, second, third = map(cbor2.dumps, good)
    made = as_json([first, b"\xa1", second, b"", b"\xd9", third])
    assert made.odd.tolist() == [False, True, False, True, True, False]
    ends = zip(made.begin.tolist(), made.end.tolist(), strict=True)
    texts = [made.data[begin:end] for begin, end in ends]
    assert [json.loads(text) for text in texts if text] == [*map(expected, good)]
    assert all(made.data[end] == 0 for end in made.end)


@settings(max_examples=20, deadline=None)
@given(encoded("teltonika-cbor"))
def test_what_the_encoder_writes_is_left_to_nobody(payloads):
    assert not Columns(SHAPE, as_json(payloads)).odd.any()
