"""Ruptela's records against a reader of one record, byte by byte."""

import json
from io import BytesIO

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.batch import Input, Quality, inputs_states
from devices.formats.ruptela import decode
from tests.devices.made_up import NOW_US, arrived
from tests.devices.sealing import ruptela as sealed

elements = st.dictionaries(st.integers(0, 255), st.integers(0, 2**64 - 1), max_size=12)


@st.composite
def packets(draw):
    """Packets of one record of any values."""
    seconds = NOW_US // 10**6 - draw(st.integers(0, 10**6))
    place = [draw(st.integers(-(10**9), 10**9)) for _ in range(2)]
    fixed = seconds.to_bytes(4, "big") + draw(st.binary(min_size=2, max_size=2))
    fixed += b"".join(part.to_bytes(4, "big", signed=True) for part in place)
    fixed += draw(st.binary(min_size=9, max_size=9))
    groups = b""
    for size in (1, 2, 4, 8):
        group = draw(elements)
        groups += bytes([len(group)])
        for number, value in group.items():
            groups += bytes([number]) + (value % (1 << 8 * size)).to_bytes(size, "big")
    head = draw(st.integers(0, 10**15 - 1)).to_bytes(8, "big") + b"\1\0\1"
    return sealed(b"\0\0" + head + fixed + groups + b"\0\0")


def slowly(packet):
    """What a packet of one record says, as plain values; None for unknown."""
    stream = BytesIO(packet[2:-2])

    def number(size, none=None, *, signed=False):
        value = int.from_bytes(stream.read(size), "big", signed=signed)
        return None if value == none else value

    said = {"imei": number(8)}
    stream.read(3)
    said |= {"time": number(4), "sequence": number(1), "priority": number(1)}
    said |= {"lon": number(4, signed=True), "lat": number(4, signed=True)}
    said |= {"altitude": number(2, -(2**15), signed=True), "angle": number(2, 0xFFFF)}
    said |= {"satellites": number(1, 0xFF), "speed": number(2, 0xFFFF), "hdop": number(1, 0xFF)}
    said |= {"event": number(1), "io": {}}
    for size in (1, 2, 4, 8):
        for _ in range(number(1)):
            element = number(1)
            said["io"][str(element)] = number(size)
    return said


@settings(max_examples=50, deadline=None)
@given(packet=packets())
def test_a_record_says_what_its_bytes_say_one_by_one(packet):
    decoded = decode([packet], arrived(1))
    said = slowly(packet)
    assert decoded.refusals == ()
    fixes = decoded.fixes
    assert fixes.time.tolist() == [said["time"] * 10**6]
    np.testing.assert_allclose([fixes.lon[0], fixes.lat[0]], [said["lon"] / 1e7, said["lat"] / 1e7])
    same(fixes.altitude, said["altitude"], 10)
    same(fixes.hdop, said["hdop"], 10)
    if said["angle"] is None or said["angle"] < 36_000:
        same(fixes.heading, said["angle"], 100)
    if said["speed"] is None or said["speed"] <= 2000:
        same(fixes.speed_kmh, said["speed"], 1)
    assert fixes.satellites.tolist() == [255 if said["satellites"] is None else said["satellites"]]
    assert bool(fixes.quality[0] & Quality.NO_POSITION) == (said["satellites"] == 0)
    assert decoded.idents == ((f"{said['imei']:015d}",) if said["imei"] else ())
    extra = json.loads(fixes.extra[0])
    assert extra.get("io", {}) == said["io"]
    assert [extra[key] for key in ("event", "priority", "sequence")] == [
        said[key] for key in ("event", "priority", "sequence")
    ]
    if "2" in said["io"]:
        assert inputs_states(int(fixes.inputs[0]))[Input.DIN_1] == (said["io"]["2"] > 0)


def same(column, value, divisor):
    expected = np.nan if value is None else value / divisor
    np.testing.assert_allclose(column, [expected], rtol=1e-6, equal_nan=True)
