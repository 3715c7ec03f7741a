"""The published schema of codec json says what the decoder does."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import devices.schemas
from devices.catalogue import codec
from devices.formats.json_fix import FIELDS
from devices.input_names import INPUT_NAMES
from tests.devices.made_up import NOW_US, arrived
from tests.devices.plausible import assert_plausible

SCHEMA = json.loads(
    (Path(devices.schemas.__path__[0]) / "json_fix.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA)
NOW = NOW_US // 1_000_000

anything = st.one_of(
    st.none(), st.booleans(), st.integers(-200, 200), st.text("ab\x01é", max_size=70),
    st.floats(-1e6, 1e6), st.just([]), st.just({}),
    st.dictionaries(st.sampled_from(["ignition", "crane"]), st.booleans() | st.integers(0, 1)),
)  # fmt: skip
good = {
    "time": st.integers(NOW - 10**8, NOW) | st.sampled_from([
        "2026-01-05T11:59:30Z", "2026-01-05t18:59:30.123456+07:00", "2026-01-05 11:59:30z",
        "2026-01-05T11:59:30", "2026-01-05", "now",
    ]),
    "lat": st.floats(-90, 90) | st.integers(-90, 90),
    "lon": st.floats(-180, 180),
    "speed_kmh": st.none() | st.floats(0, 300),
    "driver": st.none() | st.just("480123456789"),
    "ident": st.none() | st.just("863719010012345"),
    "valid": st.none() | st.booleans(),
    "inputs": st.none() | st.dictionaries(st.sampled_from(["ignition", "crane"]), st.booleans()),
    "extra": st.none() | st.dictionaries(st.text("ab", max_size=2), st.integers(0, 9)),
    "rssi": st.integers(-(2**63), 2**64 - 1),
}  # fmt: skip
fixes = st.fixed_dictionaries(
    {name: good[name] for name in ("time", "lat", "lon")},
    optional={name: good[name] for name in good if name not in {"time", "lat", "lon"}},
)
broken = st.tuples(fixes, st.sampled_from(sorted(FIELDS)), anything).map(
    lambda parts: {**parts[0], parts[1]: parts[2]}
)
lacking = st.tuples(fixes, st.sampled_from(["time", "lat", "lon"])).map(
    lambda parts: {name: value for name, value in parts[0].items() if name != parts[1]}
)


def decoded(value):
    made = codec("json").decode([msgspec.json.encode(value)], arrived(1))
    assert_plausible(made, 1)
    return made


@settings(max_examples=60, deadline=None)
@given(value=fixes | broken | lacking | st.lists(fixes | broken, max_size=3) | anything)
@example(value={"time": NOW, "lat": 1, "lon": 2, "ident": ""})
@example(value={"time": NOW, "lat": 1, "lon": 2, "ident": "x" * 65})
@example(value={"time": NOW, "lat": 1, "lon": 2, "ident": "a\x01b"})
@example(value={"time": NOW, "lat": True, "lon": 2})
def test_what_the_schema_accepts_is_decoded_and_nothing_else(value):
    if exchanged_pair(value):
        return  # kept for cleaning to correct, though no sender should mean it
    made = decoded(value)
    if VALIDATOR.is_valid(value):
        assert made.refusals == ()
        assert len(made.fixes) == (len(value) if isinstance(value, list) else 1)
    else:
        assert made.refusals


def exchanged_pair(value) -> bool:
    """Whether a latitude over 90 degrees stands in a pair that makes sense exchanged."""
    elements = value if isinstance(value, list) else [value]
    return any(
        isinstance(e, dict)
        and type(e.get("lat")) in {int, float}
        and type(e.get("lon")) in {int, float}
        and 90 < abs(e["lat"]) <= 180
        and abs(e["lon"]) <= 90
        for e in elements
    )


def test_the_schema_names_the_decoder_s_fields():
    properties = SCHEMA["$defs"]["fix"]["properties"]
    assert set(properties) == FIELDS
    assert set(properties["inputs"]["properties"]) == set(INPUT_NAMES)


@pytest.mark.parametrize(
    "bad", [{"time": NOW, "lat": 91, "lon": 181}, {"time": 5, "lat": 1, "lon": 1}]
)
def test_ranges_of_the_schema_are_those_of_the_decoder(bad):
    assert not VALIDATOR.is_valid(bad)
    assert decoded(bad).refusals
