import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.catalogue import codec
from devices.describe import describe
from devices.errors import Reject
from devices.formats.jt808.encoding import encode as encode_binary
from devices.formats.jt808.json_encoding import encode
from devices.formats.jt808.json_messages import decode_slowly
from tests.devices.made_up import LICENCES, NO_EXTRA, NUMBERS, arrived, fix_batches
from tests.devices.plausible import assert_plausible
from tests.devices.test_jt808 import assert_same, made, reasons

PLACE = {
    "alarm": 0, "status": 3, "latitude": 21048116, "longitude": 105864936, "altitude": 12,
    "speed": 420, "direction": 275, "time": "260105195930",
}  # fmt: skip
HEADER = {"msg_id": 512, "encrypt": 0, "len": 28, "phone": "013912345678", "msg_sn": 7}


def message(body, **header):
    return msgspec.json.encode({"header": HEADER | header, "body": body})


def decode(*payloads):
    decoded = codec("jt808-json").decode(payloads, arrived(len(payloads)))
    assert_plausible(decoded, len(payloads))
    assert_same(decoded, decode_slowly(payloads, arrived(len(payloads))))
    return decoded


def only(payload):
    decoded = decode(payload)
    assert decoded.refusals == ()
    return describe(decoded, 0)["fixes"][0]


VALUES: st.SearchStrategy[object] = st.sampled_from([
    0, 1, 3, 15, 65535, 65536, -1, 2**32 - 1, 2**32, 1.5, 7.0, "12", "x", "", None, True, [], {},
    "260229120000", "260230120000", "991231235960", "240229000000", "260105195930\n",
])  # fmt: skip
EXTRA = st.dictionaries(
    st.sampled_from(["mileage", "gnss_sat_num", "rssi", "fuel_meter", "speed", "alarm_id",
                     "overspeed_alarm", "in_out_alarm", "path_time_alarm", "analog", "signal",
                     "io_status", "custome", "228", "5", "x"]),
    st.sampled_from([0, 7, 65535, "AGQ=", "%", None, {"id": 1}, {"ad0": 1, "ad1": 2}, "a\0",
                     {"228": "AGQ=", "235": "!"}, {"id": 1, "time": 2, "result": 0}]),
    max_size=4,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    payloads=st.lists(
        st.builds(
            lambda body, extra, header, cut: message(
                {**PLACE, **body, **({"extra": extra} if extra is not None else {})}, **header
            )[cut:],
            st.dictionaries(st.sampled_from([*PLACE, "extra", "other"]), VALUES, max_size=2),
            st.none() | EXTRA,
            st.dictionaries(st.sampled_from(["msg_id", "phone", "proto_ver", "x"]),
                            VALUES | st.sampled_from([513, 1796, "0"]), max_size=1),
            st.sampled_from([0] * 9 + [1]),
        ),
        max_size=6,
    )
)  # fmt: skip
def test_reading_as_columns_says_the_same_as_reading_one_by_one(payloads):
    decode(*payloads)


@settings(max_examples=40, deadline=None)
@given(fixes=fix_batches(max_size=10, extra=NO_EXTRA))
def test_the_gateways_json_says_what_the_binary_message_says(fixes):
    idents = NUMBERS[:1] * len(fixes)
    binary = encode_binary(fixes, idents, LICENCES)
    text = encode(fixes, idents, LICENCES)
    assert_same(decode(*text), codec("jt808").decode(binary, arrived(len(fixes))))


def test_items_get_the_keys_of_the_binary_codec():
    extra = {
        "mileage": 100, "fuel_meter": 400, "speed": 420, "alarm_id": 9, "rssi": 31,
        "gnss_sat_num": 11, "overspeed_alarm": {"type": 1, "id": 10},
        "in_out_alarm": {"type": 2, "id": 11, "direction": 1},
        "path_time_alarm": {"id": 12, "time": 60, "result": 1}, "analog": {"ad0": 2, "ad1": 1},
        "custome": {"228": "AGQ="},
    }  # fmt: skip
    items = "01040000006402020190030201a40402000930011f31010b1105010000000a"
    items += "1206020000000b0113070000000c003c012b0400010002e4020064"
    body = bytes.fromhex("000000000000000301412b34064f5ee8000c01a40113260105195930")
    binary = codec("jt808").decode([made(0x0200, body + bytes.fromhex(items))], arrived(1))
    assert_same(decode(message({**PLACE, "extra": extra})), binary)


def test_what_has_no_key_of_its_own_is_kept_as_sent():
    extra = {"io_status": {"sleep": 1}, "signal": {"abs": 1}, "custome": "AGQ=", "5": "!"}
    fix = only(message({**PLACE, "extra": extra, "other": [1]}))
    assert fix["extra"] == {
        "status": 3, "other": [1],
        "items": {"io_status": {"sleep": 1}, "signal": {"abs": 1}, "e0": "0064", "5": "!"},
    }  # fmt: skip
    assert "aircon" not in fix["inputs"]


def test_angles_and_altitudes_of_twos_complement_are_read():
    fix = only(message({**PLACE, "latitude": 2**32 - 5_000_000, "altitude": 65526}))
    assert (fix["lat"], fix["altitude_m"]) == (-5, -10)


def test_numbers_may_be_text_and_phones_numbers():
    values = {key: str(value) for key, value in PLACE.items()}
    decoded = decode(message(values, phone=13912345678, proto_ver=1))
    assert decoded.idents == ("13912345678",)
    assert describe(decoded, 0)["fixes"][0]["inputs"]["movement"] is False


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (0x0201, {"seq": 1, "params": PLACE}),
        (0x0500, {"seq": 1, "location": PLACE}),
        (0x0704, {"type": 1, "length": 1, "location": [PLACE]}),
        (0x0801, {"id": 1, "type": 0, "location": PLACE, "multimedia": "AA=="}),
        (0x0802, {"seq": 1, "length": 1, "result": [{"id": 1, "location": PLACE}]}),
        (0x0900, {"type": 0x53, "data":
            "AAAAAwFBKzQGT17oAAwBpAETJgEFGVkwAQ=="}),
    ],
)  # fmt: skip
def test_other_messages_with_a_location_are_read(kind, body):
    fix = only(message(body, msg_id=kind))
    assert (fix["lat"], fix["speed_kmh"]) == (21.048116, 42)
    assert fix["extra"].get("buffered", False) is (kind == 0x0704)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (message({}, msg_id=2), Reject.UNSUPPORTED),
        (message({"unknown_id": True, "data": ""}, msg_id=0x5501), Reject.UNSUPPORTED),
        (message({"id": 1}, msg_id=0x0801), Reject.UNSUPPORTED),
        (message({"result": []}, msg_id=0x0802), Reject.UNSUPPORTED),
        (message({"result": [3]}, msg_id=0x0802), Reject.BAD_VALUE),
        (message({"location": [3]}, msg_id=0x0704), Reject.BAD_VALUE),
        (message({"location": 3}, msg_id=0x0704), Reject.BAD_VALUE),
        (message({}, msg_id=0x0704), Reject.MISSING_FIELD),
        (message({}, msg_id=0x0201), Reject.MISSING_FIELD),
        (message({"type": 1, "data": "%"}, msg_id=0x0900), Reject.BAD_VALUE),
        (message({key: PLACE[key] for key in PLACE if key != "time"}), Reject.MISSING_FIELD),
        (message({key: PLACE[key] for key in PLACE if key != "status"}), Reject.MISSING_FIELD),
        (message({**PLACE, "status": -1}), Reject.BAD_VALUE),
        (message({**PLACE, "time": "260231000000"}), Reject.BAD_VALUE),
        (message({**PLACE, "latitude": 200_000_000}), Reject.COORDINATES_OUT_OF_RANGE),
        (message(PLACE, phone=[]), Reject.BAD_VALUE),
        (message(PLACE, phone="\x07"), Reject.BAD_VALUE),
        (b'{"header":{}}', Reject.MISSING_FIELD),
        (b'{"header":{},"body":{}}', Reject.MISSING_FIELD),
        (b"[1]", Reject.BAD_VALUE),
        (b"{", Reject.TRUNCATED),
    ],
)
def test_what_is_wrong_or_carries_no_location_is_refused(payload, reason):
    decoded = decode(payload)
    assert not len(decoded.fixes)
    assert reason in reasons(decoded)


def test_an_array_of_messages_is_read():
    two = b"[" + message(PLACE) + b"," + message({}, msg_id=2) + b"]"
    decoded = decode(two)
    assert len(decoded.fixes) == 1
    assert [refusal.at for refusal in decoded.refusals] == [1]
    assert json.loads(two)
