"""Members that no table knows are kept as they are written only where we would write them so."""

import math

import numpy as np
import pytest

from devices.json_columns import Columns, Shape, Written
from devices.json_kernel import KEPT, NUMBER, REQUIRED, TEXT
from devices.json_texts import ELEMENTS, MEMBERS, NOTHING, OTHER

SHAPE = Shape({
    ("a",): NUMBER | REQUIRED,
    ("k",): NUMBER | KEPT,
    ("pair",): TEXT,
    ("in", "a"): NUMBER,
    ("out", "a"): NUMBER,
})  # fmt: skip


def kept(text):
    columns = Columns(SHAPE, Written.of([text.encode()]))
    assert len(columns) == 1
    (kind,), (written,) = columns.kept()
    return kind, written.decode()


def counted(n):
    return ",".join(f'"{k}":{k}' for k in range(n))


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (MEMBERS, ['"x":"y"', '"x":1.5', '"x":true,"7":false', '"x":7', '"":-1.25', '"16":1.5']),
        (MEMBERS, ['"1234567890":1', '"x":0.12345678901234567', '"x":30.0', '"x":""']),
        (ELEMENTS, ['"16":7', '"16":-7,"007":0', '"16":123456789012345678', counted(64)]),
        (MEMBERS, ['"x":null', '"x":[]', '"x":{}', '"16":[1]', '"x":[1,"a",null,1.5]']),
        (MEMBERS, ['"x":{"x":1,"":"]}","y":false},"y":[true]', f'"x":{{{counted(64)}}}']),
        (OTHER, ['"x":1,"x":2', '"16":1,"17":1,"16":1', '"x":-0', '"x":nul', '"x":[1}', '"x":{]']),
        (OTHER, ['"x":[[]]', '"x":{"y":{}}', '"x":[1,]', '"x":[,]', '"x":{"a":1,"b":2,"a":3}']),
        (OTHER, ['"x":{"a"}', '"x":{"a":}', '"x":{"a":1,}', '"x":{"a" :1}', '"x":{1:2}']),
        (OTHER, ['"x":[1.50]', '"x":["\\n"]', '"x":[ ]', '"x":[1:2]', '"x":{"é":1}', '"x":{,}']),
        (OTHER, [f'"x":{{{counted(65)}}}', f'"x":[{"0," * 64}0]', '"x":["a"b]', '"x":[1 2]']),
        (OTHER, ['"x":1.50', '"x":1e5', '"x": 1', '"x":"\\u0041"', '"x":01', '"x":"\\n"']),
        (OTHER, ['"x":1234567890123456789', '"x":0.1234567890123456789', '"x":truest', '"x":1.']),
        (OTHER, [counted(65), f'"x":"{"y" * 9000}"', '"x":-', '"x":1-2', '"x":.5']),
    ],
)
def test_what_would_be_written_otherwise_must_be_read(kind, written):
    for members in written:
        assert kept(f'{{{members},"a":1}}') == (kind, f"{{{members}}}")


def test_members_that_do_not_stand_side_by_side_are_joined():
    assert kept('{"x":1,"a":2,"y":3,"in":{"a":4,"b":5},"k":6}') == (MEMBERS, '{"x":1,"y":3,"k":6}')
    assert kept('{"16":1,"a":2,"17":3}') == (ELEMENTS, '{"16":1,"17":3}')
    assert kept('{"x":1,"a":2,"x":3}') == (OTHER, '{"x":1,"x":3}')
    assert kept('{"a":2}') == (NOTHING, "")


def joined(text):
    columns = Columns(SHAPE, Written.of([text.encode()]))
    (kind,), (written,) = columns.joined((), ("out",), inner=("in",))
    return kind, written.decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1}', (NOTHING, "")),
        ('{"a":1,"in":{"a":2}}', (NOTHING, "")),
        ('{"a":1,"in":{"b":2}}', (MEMBERS, '{"in":{"b":2}}')),
        ('{"a":1,"out":{"x":1},"in":{"7":2}}', (MEMBERS, '{"in":{"7":2},"x":1}')),
        ('{"x":1,"out":{"a":1},"y":2,"a":1}', (MEMBERS, '{"x":1,"y":2}')),
        ('{"7":1,"out":{"a":1,"8":2},"a":1}', (ELEMENTS, '{"7":1,"8":2}')),
        (
            '{"in":{"x":1},"out":{"y":1},"x":2,"a":1,"inn":3}',
            (MEMBERS, '{"in":{"x":1},"y":1,"x":2,"inn":3}'),
        ),
    ],
)
def test_members_of_several_objects_are_joined_and_those_of_one_stand_inside(text, expected):
    assert joined(text) == expected


@pytest.mark.parametrize(
    "members",
    [
        '"x":1,"out":{"x":1}',
        '"out":{"in":1},"in":{"x":1}',
        '"in":{"x":1,"x":2}',
        '"in":{"x":1.50},"x":1',
        '"in":{"x":1},"x":1.50',
        f'"in":{{"x":"{"y" * 5000}"}},"x":"{"y" * 5000}"',
    ],
)
def test_what_would_stand_twice_or_otherwise_in_the_joined_object_must_be_read(members):
    kind, _ = joined(f'{{{members},"a":1}}')
    assert kind == OTHER


def test_rows_stand_apart():
    columns = Columns(SHAPE, Written.of([b'[{"a":1,"x":1},{"a":1}]', b'{"x":2,"a":1,"16":1}']))
    assert columns.kept().kind.tolist() == [MEMBERS, NOTHING, MEMBERS]
    assert columns.kept().texts == [b'{"x":1}', b"", b'{"x":2,"16":1}']
    assert columns.others(only=np.array([True, True, False])) == {0: {"x": 1}}


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("21.0285,105.8542", (21.0285, 105.8542)),
        ("-1,0.5", (-1, 0.5)),
        *((odd, None) for odd in ("1,2,3", "1", "1,", ",1", "1, 2", "+1,2", "1e5,2", "nan,1", ",")),
    ],
)
def test_a_pair_is_two_numbers_and_nothing_else(text, pair):
    written = Written.of([f'{{"a":1,"pair":"{text}"}}'.encode(), b'{"a":2}'])
    found = Columns(SHAPE, written).pairs("pair")
    np.testing.assert_array_equal(found[:, 0], pair or (math.nan, math.nan))
    assert np.isnan(found[:, 1]).all()
