import re
from datetime import UTC, datetime
from math import isnan

import numpy as np
import pynmea2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.batch import Quality
from devices.catalogue import codec
from devices.errors import DecodeError, Reject
from devices.formats.nmea.around import nearest
from devices.formats.nmea.sentences import parse
from devices.units import KNOT_KMH
from devices.xor8 import xor8
from tests.data_folder import real_data
from tests.devices.plausible import assert_plausible

SENTENCE = re.compile(rb"\$[^$\r\n]{1,400}")


@given(body=st.binary(max_size=300))
def test_the_checksum_is_the_xor_of_all_bytes(body):
    slow = 0
    for byte in body:
        slow ^= byte
    assert xor8(body) == slow


def day_us(day: int) -> int:
    return day * 86_400_000_000


@given(clock=st.integers(0, day_us(1) - 1), near=st.integers(day_us(10_958), day_us(40_000)))
def test_a_time_without_its_date_is_within_half_a_day_of_arrival(clock, near):
    when = nearest(clock, near)
    assert when % day_us(1) == clock
    assert abs(when - near) <= day_us(1) // 2


def real_logs():
    folder = real_data("nmea")
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]


@pytest.mark.data
def test_sentences_of_real_receivers_read_like_pynmea2():
    compared = {"RMC": 0, "GGA": 0, "GLL": 0, "VTG": 0}
    for log in real_logs():
        for found in SENTENCE.finditer(log):
            kind = compare(found[0])
            if kind:
                compared[kind] += 1
    assert compared["RMC"] > 4500
    assert compared["GGA"] > 4500
    assert compared["GLL"] > 2500
    assert compared["VTG"] > 3000


def compare(raw: bytes) -> str | None:
    """Parse one sentence both ways; the type, if both read it and agree."""
    line = raw[1:]
    if line[5:6] != b"," or line[2:5] not in {b"RMC", b"GGA", b"GLL", b"VTG"}:
        return None
    try:
        theirs = pynmea2.parse(raw.decode("latin-1"))
    except pynmea2.ChecksumError:
        with pytest.raises(DecodeError):
            parse(line)
        return None
    except pynmea2.ParseError:
        return None
    ours = parse_or_say_why(line)
    if isinstance(ours, DecodeError):
        # What pynmea2 takes on trust: sentences cut off, and minutes of arc rounded up to 60.
        assert ours.reason == Reject.TRUNCATED or "minutes under 60" in ours.detail, raw
        return None
    assert ours
    kind: str = theirs.sentence_type
    if kind == "VTG":
        same(ours.heading, theirs.true_track)
        if theirs.spd_over_grnd_kmph is not None and theirs.true_track_sym == "T":
            same(ours.speed_kmh, theirs.spd_over_grnd_kmph)
    else:
        compare_place_and_time(ours, theirs)
    if kind == "RMC":
        same(ours.speed_kmh, theirs.spd_over_grnd, KNOT_KMH)
        same(ours.heading, theirs.true_course)
    if kind == "GGA":
        same(ours.altitude, theirs.altitude)
        same(ours.hdop, theirs.horizontal_dil)
        same(ours.satellites, theirs.num_sats)
    return kind


def parse_or_say_why(line: bytes):
    try:
        return parse(line)
    except DecodeError as error:
        return error


def compare_place_and_time(ours, theirs):
    if not isnan(ours.lat):
        assert ours.lat == pytest.approx(theirs.latitude, abs=1e-9)
        assert ours.lon == pytest.approx(theirs.longitude, abs=1e-9)
    if isinstance(theirs.timestamp, str) or not theirs.timestamp:
        assert ours.time_of_day in {None, 0}
    else:
        t = theirs.timestamp
        whole = (t.hour * 3600 + t.minute * 60 + t.second) * 1_000_000
        assert ours.time_of_day == whole + t.microsecond


def same(ours: float, theirs, unit: float = 1.0):
    if theirs in {None, ""}:
        assert isnan(ours)
    else:
        assert ours == pytest.approx(float(theirs) * unit, nan_ok=True)


@pytest.mark.data
def test_whole_logs_decode_without_harm_and_mostly_to_fixes():
    logs = real_logs()
    payloads = []
    for log in logs:
        lines = SENTENCE.findall(log)
        payloads += [b"\r\n".join(lines[i : i + 8]) for i in range(0, len(lines), 8)]
    now = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1e6)
    decoded = codec("nmea").decode(payloads, np.full(len(payloads), now))
    assert_plausible(decoded, len(payloads))
    assert len(payloads) > 4000
    assert len(set(decoded.fix_payload.tolist())) > len(payloads) / 2


@pytest.mark.data
def test_a_real_drive_gives_one_fix_a_second_with_date_and_speed():
    log = real_data("nmea/TrimbleR1_20160310-165531.txt").read_bytes()
    payload = b"".join(line + b"\r\n" for line in SENTENCE.findall(log))
    decoded = codec("nmea").decode([payload], np.array([1_767_614_400_000_000]))
    good = decoded.fixes.take(decoded.fixes.quality & Quality.NO_POSITION == 0)
    dated = good.time[good.time < 1_500_000_000_000_000]
    assert len(dated) > 100
    assert (np.diff(dated) > 0).all()
    day = np.datetime64(int(dated[0]), "us").astype("datetime64[D]")
    assert day == np.datetime64("2016-03-10")
