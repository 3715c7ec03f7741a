"""The two readers of each format of messages say the same."""

import json
from itertools import pairwise

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.batch import COLUMNS
from devices.catalogue import CODECS
from devices.formats import flespi, flexapi, json_fix, pui, traccar
from devices.formats.osmand import codec as osmand
from devices.formats.teltonika import cbor_messages as teltonika_cbor
from devices.formats.teltonika import json_messages as teltonika_json
from devices.rows import decode_each
from tests.devices.made_up import arrived, encoded
from tests.devices.plausible import assert_plausible
from tests.devices.test_bad_input import mutations

READERS = {
    "flespi": flespi.read,
    "flexapi": flexapi.read,
    "json": json_fix.read,
    "osmand": osmand.read,
    "pui": pui.read,
    "teltonika-cbor": teltonika_cbor.read,
    "teltonika-json": teltonika_json.read,
    "traccar": traccar.read,
}

WORDS = [
    "ident", "timestamp", "position.latitude", "position.longitude", "position.valid", "din.1",
    "external.powersource.status", "position", "device", "attributes", "fixTime", "latitude",
    "longitude", "valid", "uniqueId", "ignition", "sat", "location", "coords", "device_id", "speed",
    "heading", "battery", "is_charging", "is_moving", "lat", "lon", "ts", "id", "ign", "topic",
    "state", "reported", "latlng", "sp", "239", "182", "16", "pr",
    "time", "speed_kmh", "satellites", "driver", "inputs", "extra",
    "payload", "gnss.ts", "gnss.latitude", "gnss.longitude", "gnss.fix", "io.IGT", "event", "x",
]  # fmt: skip
INSTANT = "2026-01-05T11:59:30.000Z"

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([10.5, 106.5, 1_767_614_370, INSTANT, "10.5", "on", "v1/SN/gnss/info", "\0"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(WORDS), inner, max_size=8),
    max_leaves=12,
)  # fmt: skip


def same(name, payloads):
    """What both readers say, compared; "" if they agree."""
    fast = CODECS[name].decode(payloads, arrived(len(payloads)))
    slow = decode_each(payloads, arrived(len(payloads)), READERS[name])
    assert_plausible(fast, len(payloads))
    for column in COLUMNS:
        if column != "driver":
            np.testing.assert_array_equal(
                getattr(fast.fixes, column), getattr(slow.fixes, column), err_msg=column
            )
    np.testing.assert_array_equal(fast.fix_payload, slow.fix_payload)
    for made, other in ((fast, slow), (slow, fast)):
        assert names(made.fix_ident, made.idents) == names(other.fix_ident, other.idents)
        assert names(made.fixes.driver, made.drivers) == names(other.fixes.driver, other.drivers)
    assert objects(fast.fixes.extra) == objects(slow.fixes.extra)
    assert fast.refusals == slow.refusals


def names(numbers, known):
    return [known[number] if number >= 0 else None for number in numbers]


def objects(extra):
    return {row: json.loads(text) for row, text in extra.items()}


@pytest.mark.parametrize("name", sorted(READERS))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_both_readers_say_the_same_of_good_and_damaged_payloads(name, data):
    good = data.draw(encoded(name))
    bad = data.draw(st.lists(st.sampled_from(good).flatmap(mutations), max_size=3))
    mixed = data.draw(st.permutations([*good, *bad]))
    same(name, mixed)


@pytest.mark.parametrize("name", sorted(READERS))
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_both_readers_say_the_same_of_changed_values(name, data):
    (payload, *_) = data.draw(encoded(name))
    if name == "teltonika-cbor":
        message = cbor2.loads(payload)
        inside = data.draw(st.sampled_from([m for m in maps(message) if m]))
        inside[data.draw(st.sampled_from([*inside, 239, 182, "x"]))] = data.draw(
            values | st.binary(max_size=5) | st.floats()
        )
        changed = cbor2.dumps(message)
    elif name == "osmand":
        pairs = payload.decode().removeprefix("?").split("&")
        at = data.draw(st.integers(0, len(pairs) - 1))
        value = data.draw(st.text("0123456789.-+eE_tfnarulsi%&= ", max_size=8))
        pairs[at] = f"{pairs[at].partition('=')[0]}={value}"
        changed = "&".join(pairs).encode()
    else:
        behind = 2 if name == "flexapi" else 0  # its checksum may hold a brace
        start, end = payload.index(b"{"), payload.rindex(b"}", 0, len(payload) - behind) + 1
        message = json.loads(payload[start:end])
        inside = data.draw(st.sampled_from([m for m in maps(message) if m]))
        key = data.draw(st.sampled_from([*inside, "x", *WORDS]))
        inside[key] = data.draw(values)
        changed = payload[:start] + json.dumps(message).encode() + payload[end:]
    same(name, [payload, changed])


def maps(value):
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from maps(inner)


@pytest.mark.parametrize("name", sorted(READERS))
@settings(max_examples=50, deadline=None)
@given(value=values)
def test_both_readers_say_the_same_of_any_json(name, value):
    same(name, [json.dumps(value).encode()])


@pytest.mark.parametrize("name", sorted(READERS))
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_what_a_payload_says_does_not_depend_on_those_beside_it(name, data):
    payloads = data.draw(encoded(name)) * 2
    for before, after in pairwise(payloads):
        same(name, [before, b"", after, b"{}"])
