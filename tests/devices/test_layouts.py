"""What a record says alone, it says among others."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.batch import COLUMNS
from devices.catalogue import CODECS
from devices.errors import DecodeError, Reject
from devices.layouts import Kind, Meaning, Records, Walk, objects, read
from tests.devices.made_up import arrived, encoded
from tests.devices.plausible import assert_plausible
from tests.devices.sealing import SEALS
from tests.devices.test_bad_input import mutations, said_something

moderate = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


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
