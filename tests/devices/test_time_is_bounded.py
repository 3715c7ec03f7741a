"""A payload as large as one may be takes no longer than its size explains."""

import json
import time

import pytest

from devices.catalogue import CODECS
from devices.codec import MAX_PAYLOAD_BYTES
from tests.devices.made_up import arrived
from tests.devices.plausible import assert_plausible

PATIENCE_S = 30
"""What is linear takes a few seconds at most, on a busy machine; what is not, minutes."""

AXLES = [{"time": 1_767_614_370, "vehicle": 1, "axle_kn": 50, f"k{at}": at} for at in range(15_000)]


def filled(start: str, unit: str, end: str = "") -> bytes:
    times = (MAX_PAYLOAD_BYTES - len(start) - len(end)) // len(unit)
    return f"{start}{unit * times}{end}".encode()


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("osmand", filled("id=1&lat=21&lon=105&timestamp=", "T")),
        ("osmand", filled("id=1&lat=21&lon=105&timestamp=2026-01-05T11:59:30", " 00:00")),
        ("osmand", filled("id=1&lat=21&lon=105&timestamp=", "1")),
        ("osmand", filled("id=1&lat=21&lon=105&timestamp=1767614370&x=", "%41")),
        ("osmand", filled("GET ", "/?", " HTTP/1.1")),
        ("osmand", filled("", "a=1&")),
        ("flexapi", filled("$", "{", "}}}}")),
        ("flexapi", filled('${"topic":"v1/', "a/", '"}')),
        ("flespi", filled('{"timestamp":1767614370,"position.latitude":21,"x":"', "a", '"}')),
        ("flespi", filled('{"timestamp":', "9", "}")),
        ("traccar", filled("[", '{"position":{}},', "{}]")),
        ("pui", filled('{"ts":"', "2", '"}')),
        ("teltonika-cbor", b"\x9f" * MAX_PAYLOAD_BYTES),
        ("teltonika-cbor", b"\x9b\x00\x00\x00\x00\xff\xff\xff\xff" + b"\x01" * 1_000_000),
        ("weigh-axle-events", json.dumps(AXLES).encode()),
        ("weigh-axle-events", filled("time,axle_kn\n", "1767614370,50\n")),
        ("weigh-axle-events", filled("", "a,")),
    ],
)
def test_the_largest_payload_is_read_in_time(name, payload):
    assert len(payload) <= MAX_PAYLOAD_BYTES
    began = time.process_time()
    decoded = CODECS[name].decode([payload], arrived(1))
    assert time.process_time() - began < PATIENCE_S
    assert_plausible(decoded, 1)
