"""The fast path of text formats, and its twin, the reader of single payloads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.batch import FixBatch
from devices.catalogue import codec
from devices.errors import EncodeError
from devices.formats import gps103, h02, tk103
from devices.rows import decode_each
from devices.usual import read_usual
from tests.devices.made_up import NO_EXTRA, NOW_US, arrived, fix_batches
from tests.devices.plausible import assert_plausible
from tests.devices.same import assert_same_decoded
from tests.devices.test_bad_input import flipped, mutations

MODULES = {"gps103": gps103, "h02": h02, "tk103": tk103}
IMEI = "862170010000017"

many = settings(max_examples=40, deadline=None)

USUAL = {
    "gps103": [
        "imei:{},tracker,260105185930,,F,115930.000,A,2101.7100,N,10551.2520,E,25.0,275.0,12.5;",
        "imei:{},help me,260105185930,0912345678,F,115930.077,V,2101.7100,S,10551.2520,W,,;\r\n",
        "imei:{},acc on,260105015930,,F,225930.000,A,2101.7100,N,10551.2520,E,0,0,,1,0,31.5%,,+22;",
        "imei:{},tracker,260105005930,,F,115930.000,A,2101.7100,N,10551.2520,E,0,0,,,x,5,,,9,9;",
        "imei:{},,260131235930,,F,000030.000,A,2101.7100,N,10551.2520,E,0.0,0,-3.1,1,,200,0.5;",
        "imei:{},rfid,260105185930,49121185,F,115930.000,A,2101.7100,N,10551.2520,E,0.0,0,,0,0;",
    ],
    "h02": [
        "*HQ,{},V1,115930,A,2101.7100,N,10551.2520,E,025.00,275,050126,FFFFFFFF#",
        "*HQ,{},V1,115930,V,2101.7100,S,10551.2520,W,,,050126,fffbbbfe,452,04,262C,0F54,6#\r\n",
        "*TH,{},V6,235960,A,2160.7100,N,10551.2520,E,0.5,1.5,290224,FFFFFBFF,,8944538530000543#",
        "*HQ,{},V5,115930,A,2101.7100,N,10551.2520,E,0.5,1.5,290223,FFFFFBFF,#",
    ],
    "tk103": [
        "({}BR00260105A2101.7100N10551.2520E046.3115930275.0001000000L00009AA3)",
        "({}BR02260105V2101.7100S10551.2520W000.0115930000.001100000AL00000000)\r\n",
        "({}BR00261305A2160.7100N10551.2520E046.3115930275.0001000000L00009AA3)",
    ],
}
"""Messages that the fast path reads, or looks at and leaves: `{}` is the identity."""

TEXT = st.text("0123456789.,;#*()-+ANSEWVFL$:% \r\nx", max_size=4).map(str.encode)


def both(name, payloads):
    received = arrived(len(payloads))
    fast = codec(name).decode(payloads, received)
    assert_plausible(fast, len(payloads))
    assert_same_decoded(fast, decode_each(payloads, received, MODULES[name].read))


@st.composite
def usual(draw, name):
    ident = draw(st.sampled_from([IMEI, "027044702512", "9001000002"]))
    return draw(st.sampled_from(USUAL[name])).format(ident).encode()


def edited(payload):
    """One to four characters replaced by others of the format, or a field emptied."""
    return st.one_of(
        st.tuples(st.integers(0, len(payload) - 1), TEXT, st.integers(0, 4)).map(
            lambda cut: payload[: cut[0]] + cut[1] + payload[cut[0] + cut[2] :]
        ),
        st.integers(0, payload.count(b",")).map(
            lambda field: b",".join(
                b"" if at == field else part for at, part in enumerate(payload.split(b","))
            )
        ),
    )


@pytest.mark.parametrize("name", sorted(MODULES))
@many
@given(data=st.data())
def test_columns_and_the_reader_say_the_same(name, data):
    good = data.draw(st.lists(usual(name), min_size=1, max_size=4))
    bad = [data.draw(edited(payload) | mutations(payload)) for payload in good]
    both(name, [*good, *bad, *good])


@pytest.mark.parametrize("name", sorted(MODULES))
@many
@given(fixes=fix_batches(extra=NO_EXTRA), data=st.data())
def test_columns_and_the_reader_say_the_same_of_what_the_encoder_writes(name, fixes, data):
    encode = codec(name).encode
    assert encode
    idents = data.draw(st.sampled_from([[IMEI], ["027044702512"], ["truck7"]])) * len(fixes)
    payloads = encode(fixes, idents, [])
    both(name, [*payloads, *(data.draw(mutations(payload)) for payload in payloads)])


@pytest.mark.parametrize("name", sorted(MODULES))
def test_usual_messages_cut_anywhere_are_left_to_the_reader(name):
    for message in USUAL[name]:
        whole = message.format(IMEI).encode()
        both(name, [whole[:cut] for cut in range(len(whole) + 1)])


@pytest.mark.parametrize("name", sorted(MODULES))
def test_columns_and_the_reader_say_the_same_whichever_bit_is_wrong(name):
    for message in USUAL[name]:
        whole = message.format(IMEI).encode()
        both(name, [flipped(whole, at, bit) for at in range(len(whole)) for bit in range(8)])


@pytest.mark.parametrize("name", sorted(MODULES))
def test_what_the_encoder_writes_of_a_tracker_is_usual(name):
    fixes = FixBatch.blank(
        3, time=[NOW_US] * 3, lon=[-0.5, 0.0, 179.99999999], lat=[-90.0, 0.0, 59.99999999],
        speed_kmh=[0.0, 46.3, 999.0], heading=[0.0, 359.99, 7.0],
    )  # fmt: skip
    encode = codec(name).encode
    assert encode
    for payload in encode(fixes, [IMEI] * 3, []):
        assert MODULES[name].USUAL.fullmatch(payload), payload


BINARY = [
    "2490010000021159300501262101710006105512520e046275fffffbffff0001",
    "2490010000022359602902242159999900179599990f999359fffbfbff",
    "24900100000211593029022321017100061055125200000000fffffbff00010203040506070809101112131415161718",
    "2490010000021159300501262160710006105512520e046275fffffbff0001",
    "2486217001000001701159300501262101710006105512520e046275fffffbffff0001",
]
"""Binary messages of H02: usual ones, no such day, 60 minutes, a long identity."""


@pytest.mark.parametrize("message", BINARY)
def test_binary_columns_and_the_reader_say_the_same_whichever_bit_is_wrong(message):
    whole = bytes.fromhex(message)
    both("h02", [flipped(whole, at, bit) for at in range(len(whole)) for bit in range(8)])
    both("h02", [whole, *(whole[:cut] for cut in range(len(whole))), whole * 2, whole + whole[:3]])


def test_a_usual_binary_message_is_read_as_columns():
    payloads = [bytes.fromhex(message) for message in BINARY]
    found, left = read_usual(h02.WAYS, payloads, arrived(len(payloads)))
    assert left == [2, 3, 4]
    assert [idents for made in found for idents in made.idents] == ["9001000002"]


@pytest.mark.parametrize("offset_h", [-10, -9.5, 0, 7, 12, 13, 13.75])
def test_local_time_puts_utc_on_the_right_day(offset_h):
    template = "imei:1,tracker,{},,F,{}.000,A,2101.7100,N,10551.2520,E,0.0,0;"
    for quarter in range(96):
        utc = NOW_US // 86_400_000_000 * 86_400_000_000 - quarter * 900_000_000
        local, here = (
            np.datetime64(int(us), "us").item() for us in (utc + offset_h * 3_600_000_000, utc)
        )
        payload = template.format(f"{local:%y%m%d%H%M%S}", f"{here:%H%M%S}").encode()
        both("gps103", [payload])
        assert codec("gps103").decode([payload], np.array([NOW_US])).fixes.time.tolist() == [utc]


@pytest.mark.parametrize("name", sorted(MODULES))
@pytest.mark.parametrize("ident", ["", "a,b", "1" * 21, "x#", "(1)"])
def test_an_identity_that_would_break_the_message_is_not_encoded(name, ident):
    encode = codec(name).encode
    assert encode
    with pytest.raises(EncodeError, match="ident"):
        encode(FixBatch.blank(1, time=[NOW_US]), [ident], [])


@pytest.mark.parametrize("name", sorted(MODULES))
@pytest.mark.parametrize("time", [0, 946_684_799_000_000, 4_102_444_800_000_000, -(2**62)])
def test_a_year_that_two_digits_cannot_say_is_not_encoded(name, time):
    encode = codec(name).encode
    assert encode
    with pytest.raises(EncodeError, match="time"):
        encode(FixBatch.blank(1, time=[time]), [IMEI], [])
