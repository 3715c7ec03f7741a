"""What a record says alone, it says among others."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.batch import COLUMNS, FixBatch
from devices.catalogue import CODECS
from devices.errors import DecodeError, Reject
from devices.layouts import Kind, Meaning, Walk, objects, read
from devices.records import Records
from tests.devices.made_up import NOW_US, arrived, encoded
from tests.devices.plausible import assert_plausible
from tests.devices.sealing import SEALS
from tests.devices.test_bad_input import mutations, said_something

moderate = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("name", sorted(SEALS))
@moderate
@given(data=st.data())
def test_a_frame_says_among_others_what_it_says_alone(name, data):
    good = data.draw(encoded(name))
    changed = st.sampled_from(good).flatmap(mutations)
    sealed = changed.filter(lambda frame: len(frame) > 4).map(SEALS[name])
    frames = data.draw(st.permutations([*good, *good, *data.draw(st.lists(sealed, max_size=8))]))
    decode = CODECS[name].decode
    together = decode(frames, arrived(len(frames)))
    assert_plausible(together, len(frames))
    for index, frame in enumerate(frames):
        assert said_something(together, index)
        assert_same(together, index, decode([frame], arrived(1)))


def assert_same(together, index, alone):
    rows = np.flatnonzero(together.fix_payload == index)
    assert len(rows) == len(alone.fixes)
    for name in set(COLUMNS) - {"driver"}:
        np.testing.assert_array_equal(
            getattr(together.fixes, name)[rows], getattr(alone.fixes, name), err_msg=name
        )
    for names, numbers, others in (
        ("idents", together.fix_ident[rows], alone.fix_ident),
        ("drivers", together.fixes.driver[rows], alone.fixes.driver),
    ):
        assert named(getattr(together, names), numbers) == named(getattr(alone, names), others)
    assert [together.fixes.extra.get(row) for row in rows.tolist()] == [
        alone.fixes.extra.get(row) for row in range(len(rows))
    ]
    refusals = [replace(one, payload=0) for one in together.refusals if one.payload == index]
    assert refusals == list(alone.refusals)


def named(names, numbers):
    return [names[number] if number >= 0 else None for number in numbers.tolist()]


@pytest.mark.parametrize("name", ["t800x", "iotm"])
def test_a_float_that_signals_is_refused_without_a_warning(name):
    fixes = FixBatch.blank(1, time=[NOW_US], lon=[105.5], lat=[21.5], satellites=[9])
    encode = CODECS[name].encode
    assert encode
    (frame,) = encode(fixes, [""], ())
    latitude = np.float32(21.5).tobytes()
    assert latitude in frame
    decoded = CODECS[name].decode(
        [SEALS[name](frame.replace(latitude, b"\1\0\xa0\x7f"))], arrived(1)
    )
    assert [refusal.reason for refusal in decoded.refusals] == [Reject.NOT_FINITE]


def walk_counted(walk):
    for _ in range(walk.look()):
        walk.value(("number", walk.position), "<u2")
    walk.end()


def sum_of(values):
    n = len(values["received"])
    total = sum((column for key, column in values.items() if key != "received"), start=np.zeros(n))
    return Meaning({"time": np.full(n, 1.7e15), "lon": total, "lat": np.zeros(n)})


def test_many_layouts_of_one_length_are_all_read():
    records = Records()
    for row in range(200):
        data = bytearray(b"\1\7\0" * 40)
        data[0] = row % 50
        records.add(row, 0, "counted", bytes(data))
    decoded = read(records, {"counted": Kind(walk_counted, sum_of)}, arrived(200))
    assert len(decoded.fixes) == 0
    assert len(decoded.refusals) == 200
    assert {one.reason for one in decoded.refusals} == {Reject.TRAILING_BYTES}


def test_a_payload_of_nothing_but_layouts_of_their_own_is_given_up():
    records = Records()
    shapes = [bytes([7, *(row >> bit & 1 for bit in range(7))]) for row in range(128)]
    for shape in shapes * 20:
        records.add(0, 0, "steered", shape)
    records.add(1, 0, "steered", b"\7" * 8)
    decoded = read(records, {"steered": Kind(walk_steered, nothing)}, arrived(2))
    assert (decoded.fix_payload == 0).sum() < 2560
    assert (decoded.fix_payload == 1).sum() == 1
    assert "the rest is not read" in decoded.refusals[0].detail


def walk_steered(walk):
    walk.value("x", "u1")
    for _ in range(7):
        walk.look()


def nothing(values):
    n = len(values["x"])
    return Meaning({"time": np.full(n, 1.7e15), "lon": np.zeros(n), "lat": np.zeros(n)})


def test_looking_past_the_end_is_an_error():
    walk = Walk(b"\1\2\3")
    assert walk.look("<H") == 0x0201
    with pytest.raises(DecodeError, match="expected at least 6 bytes, got 3"):
        walk.value("x", "<f4")


def test_what_is_unknown_is_left_out_of_objects():
    partly = {"a": np.array([1.5, np.nan]), "b": 2, "c": {"d": [None, "e"]}}
    assert list(objects(partly, 2)) == [{"a": 1.5, "b": 2}, {"b": 2, "c": {"d": "e"}}]
    nowhere = {"a": np.array([np.inf, np.nan]), "b": [None, None], "c": {}}
    assert list(objects(nowhere, 2)) == list(objects({}, 2)) == [{}, {}]
