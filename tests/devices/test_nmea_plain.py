"""The kernel that reads plain sentences, and its twin, the reader of single sentences."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.catalogue import codec
from devices.formats.nmea.codec import read
from devices.formats.nmea.plain import decode_plain
from devices.rows import decode_each
from devices.xor8 import xor8
from tests.data_folder import real_data
from tests.devices.made_up import NOW_US, arrived, encoded
from tests.devices.plausible import assert_plausible
from tests.devices.same import assert_same_decoded
from tests.devices.test_bad_input import mutations
from tests.devices.test_nmea import SENTENCE

many = settings(max_examples=60, deadline=None)


def both(payloads):
    received = arrived(len(payloads))
    fast = codec("nmea").decode(payloads, received)
    assert_plausible(fast, len(payloads))
    assert_same_decoded(fast, decode_each(payloads, received, read))


def sentence(fields):
    body = ",".join(fields).encode()
    return b"$%s*%02X" % (body, xor8(body))


def mostly(usual, *odd):
    return st.one_of(st.sampled_from(usual), st.sampled_from(usual), st.sampled_from(odd))


clocks = mostly(
    ["115930", "115930.00", "000000.000", "235959.999999"],
    "", "1159", "246060", "115930.", "115930.1234567", "115960", "115930,5", "१२३४५६", "123456789",
)  # fmt: skip
latitudes = mostly(
    ["2101.7100", "0000.0000", "8959.999999", "2101"],
    "", "01.71", "2160.00", "-2101.7", "2101.71e1", " 2101.7", "2101.", "12101.7", "9101.0",
    "2101.12345678901234567",
)  # fmt: skip
longitudes = mostly(
    ["10551.2520", "00000.0000", "17959.999999", "551.25"],
    "", "10560.00", "105512.5", "18100.0", "1e3", "nan",
)  # fmt: skip
numbers = mostly(
    ["", "0.0", "25.0", "359.99", "12", ".5", "5.", "007.10"],
    ".", "-1", "nan", "inf", "1e2", "1_0", "123456789012345", "1234567890123456",
    "0.1234567890123456", "99999", " 3.3", "A",
)  # fmt: skip
dates = mostly(
    ["050126", "290224", "311225", "010100", "040126"],
    "", "290223", "310426", "320126", "001226", "051326", "061180", "050128", "5126", "050126 ",
)  # fmt: skip
rests = mostly(
    [",,,A", "", ",,,D,V", ",1.2,E,N", ",,", ",0.0,E", ",,,A*"],
    ",,,n", ",,, N", ",_,,A", ",,,AA", ",-1.2,W,A", ",,,A,V,more", ",,GPRMC,,,", ",,\r\n,A", "$",
)  # fmt: skip
ends = mostly(["\r\n", "", "\n"], "\r", "\r\n\r\n", " ", "\n\r", "text", "*00", "\0")
talkers = mostly(["GP", "GN", "BD"], "PG", "gp", "G1", "", "P", "$G")


@st.composite
def sentences(draw):
    talker, clock = draw(talkers), draw(clocks)
    rmc = sentence([
        f"{talker}RMC", clock, draw(mostly(["A", "V"], "", "a", "AA")), draw(latitudes),
        draw(mostly(["N", "S"], "", "E")), draw(longitudes), draw(mostly(["E", "W"], "e")),
        draw(numbers), draw(numbers), draw(dates) + draw(rests),
    ]) + draw(ends).encode()  # fmt: skip
    if draw(st.booleans()):
        return rmc
    gga = sentence([
        f"{draw(talkers)}GGA", draw(st.just(clock) | clocks), draw(latitudes), draw(st.just("N")),
        draw(longitudes), "E", draw(mostly(["1", "0"], "", "x", "12")), draw(numbers),
        draw(numbers), draw(numbers | st.just("-12.5")), draw(mostly(["M,,M,,", "M,-28.0,M,,"],
        "", "M", "M,,M,,,,", "M,GPGGA,")),
    ]) + draw(ends).encode()  # fmt: skip
    return rmc + gga if draw(st.integers(0, 5)) else gga + rmc


@many
@given(payloads=st.lists(sentences(), max_size=6))
def test_the_kernel_and_the_reader_say_the_same_of_sentences(payloads):
    both(payloads)


@many
@given(payloads=st.lists(encoded("nmea"), min_size=1, max_size=3), data=st.data())
def test_the_kernel_and_the_reader_say_the_same_of_mutated_sentences(payloads, data):
    whole = [payload for batch in payloads for payload in batch]
    both([*whole, *(data.draw(mutations(payload)) for payload in whole), *whole])


@many
@given(payloads=st.lists(st.binary(max_size=120) | st.just(b"$GPRMC,"), max_size=5))
def test_the_kernel_and_the_reader_say_the_same_of_any_bytes(payloads):
    both(payloads)


@pytest.mark.parametrize("cut", range(120))
def test_a_sentence_cut_anywhere_is_left_to_the_reader(cut):
    rmc = sentence(["GPRMC,115930.00,A,2101.7100,N,10551.2520,E,25.0,275.0,050126,,,A"])
    gga = sentence(["GPGGA,115930.00,2101.7100,N,10551.2520,E,1,11,0.9,12.5,M,,M,,"])
    whole = rmc + b"\r\n" + gga
    both([whole[:cut], whole, whole[:cut]])


@given(days=st.integers(10_957, 20_458))
def test_every_date_is_the_day_that_the_calendar_says(days):
    date = np.datetime64(days, "D").item()
    payload = sentence(
        ["GPRMC", "000000", "A", "2101.71", "N", "10551.252", "E", "", "", f"{date:%d%m%y}"]
    )
    decoded, others = decode_plain([payload], np.array([NOW_US]))
    assert not len(others)
    assert decoded.fixes.time.tolist() == [days * 86_400_000_000]


@pytest.mark.data
def test_sentences_of_real_receivers_are_read_alike_by_kernel_and_reader():
    logs = [path.read_bytes() for path in sorted(real_data("nmea").rglob("*")) if path.is_file()]
    lines = [found[0] for log in logs for found in SENTENCE.finditer(log)]
    rmc = [line for line in lines if line[3:6] == b"RMC"]
    pairs = [
        first + b"\r\n" + second
        for first, second in pairwise(lines)
        if (first[3:6], second[3:6]) == (b"RMC", b"GGA")
    ]
    both(rmc)
    both(pairs)
    _, left = decode_plain(rmc, arrived(len(rmc)))
    assert len(rmc) > 4500
    assert len(left) < len(rmc) / 3
