"""The UFMS messages read as columns say what messages read one by one say."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.batch import FixBatch
from devices.codec import MAX_PAYLOAD_BYTES
from devices.errors import Reject
from devices.formats.ufms.codec import decode, decode_slowly, encode, encode_batch
from devices.formats.ufms.schema import BODIES, BUS_WAY_POINT, BaseMessage
from tests.devices.made_up import LICENCES, NO_EXTRA, NOW_US, PLATES, arrived, fix_batches
from tests.devices.same import assert_same_decoded

texts = st.sampled_from(
    [b"29B12345", "59LĐ-123.45".encode(), b"", b"\xff", b"-.", b"123451234512345"]
)
numbers = st.floats(width=32) | st.sampled_from([0.0, 105.85, 21.03, -1.0])
fields = {
    "vehicle": texts,
    "driver": texts,
    "speed": numbers,
    "datetime": st.sampled_from([NOW_US // 10**6, 0, -1, 2**31 - 1]),
    "x": numbers,
    "y": numbers,
    "z": numbers,
    "heading": numbers,
    "ignition": st.booleans(),
    "aircon": st.booleans(),
}
way_point = fields | {
    "door": st.booleans(),
    "maxvalidspeed": st.floats(),
    "vss": numbers,
    "location": st.text(max_size=8).map(str.encode) | st.just(b"\xff") | st.just(b"x\0"),
}
bus_way_point = fields | {
    "door_up": st.booleans(),
    "sos": st.booleans(),
    "analog1": numbers,
    "analog2": numbers,
}


def points(of):
    required = {name: of[name] for name in ("vehicle", "datetime", "x", "y")}
    return st.fixed_dictionaries(
        required, optional={name: values for name, values in of.items() if name not in required}
    ) | st.fixed_dictionaries({}, optional=of)


@st.composite
def messages(draw):
    """Messages of one point or several, of any fields, some bytes of them changed or cut off."""
    number, of = draw(st.sampled_from([(100, way_point), (102, bus_way_point)]))
    said = draw(st.lists(points(of), min_size=1, max_size=4))
    if draw(st.booleans()):
        number = draw(st.sampled_from([101] if number == 100 else [103, 104]))
    message = BaseMessage(msgType=draw(st.sampled_from([number] * 9 + [100, 400, 999])))
    body = message.Extensions[BODIES[number]]
    for values in said if number in {101, 103, 104} else said[:1]:
        point = body.events.add() if number in {101, 103, 104} else body
        for name, value in values.items():
            setattr(point, name, value)
    if draw(st.integers(0, 9)) == 0:
        message.providerId = b"P1"
    raw = bytearray(message.SerializeToString())
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
    return bytes(raw[: draw(st.sampled_from([len(raw)] * 9 + [len(raw) // 2]))])


@settings(deadline=None)
@given(payloads=st.lists(messages() | st.binary(max_size=30), max_size=6))
def test_columns_say_what_messages_read_one_by_one_say(payloads):
    received = arrived(len(payloads))
    assert_same_decoded(decode(payloads, received), decode_slowly(payloads, received))


@settings(deadline=None)
@given(fixes=fix_batches(extra=NO_EXTRA), together=st.booleans())
def test_columns_say_the_same_of_what_the_encoder_writes(fixes, together):
    idents = (PLATES * len(fixes))[: len(fixes)]
    made = encode_batch if together else encode
    payloads = made(fixes, idents, LICENCES)
    payloads = [payloads] if isinstance(payloads, bytes) else payloads
    received = arrived(len(payloads))
    assert_same_decoded(decode(payloads, received), decode_slowly(payloads, received))


def test_a_message_of_buses_keeps_its_numbers_beside_one_of_lorries():
    message = BaseMessage(msgType=BUS_WAY_POINT)
    point = message.Extensions[BODIES[BUS_WAY_POINT]]
    point.vehicle, point.datetime, point.x, point.y = b"29B-12345", NOW_US // 10**6, 105.5, 21.5
    point.sos, point.analog1 = True, 1.5
    lorry = encode(FixBatch.blank(1, time=[NOW_US], lon=[106.5], lat=[10.5]), ["51C00001"], [])
    decoded = decode([message.SerializeToString(), *lorry], arrived(2))
    assert [decoded.idents[i] for i in decoded.fix_ident] == ["29B12345", "51C00001"]
    assert decoded.fix_payload.tolist() == [0, 1]
    assert decoded.fixes.extra == {0: b'{"vehicle":"29B-12345","analog1":1.5}'}


def test_a_payload_over_the_limit_is_refused_unread():
    fixes = FixBatch.blank(1, time=[NOW_US], lon=[106.5], lat=[10.5])
    (message,) = encode(fixes, ["51C00001"], [])
    many = [message * (MAX_PAYLOAD_BYTES // len(message) + 1), message]
    decoded = decode(many, arrived(2))
    assert [refusal.reason for refusal in decoded.refusals] == [Reject.TOO_LARGE]
    np.testing.assert_array_equal(decoded.fix_payload, [1])
