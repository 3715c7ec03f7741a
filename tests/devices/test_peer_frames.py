"""Frames of the trackers that a peer's tests decode, with what they must say (real data).

Frames are decoded one by one. Exceptions lie in `peer_exceptions/CODEC.toml`, each with its reason;
one that is no longer needed fails.
"""

import json
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from devices.catalogue import CODECS
from devices.describe import describe
from devices.streams.catalogue import STREAMS
from tests.data_folder import real_data
from tests.devices.plausible import assert_plausible

EXCEPTIONS = Path(__file__).parent / "peer_exceptions"
DEGREE, KMH, KNOT_KMH = 1e-5, 0.1, 1.852
NOW_US = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp() * 1e6)

CODEC_OF = {
    "eelink": "eelink",
    "egts": "egts",
    "extra:cellocator": "cellocator",
    "extra:flexapi": "flexapi",
    "extra:iotm": "iotm",
    "extra:pui": "pui",
    "galileo": "galileo",
    "gl200": "queclink",
    "gps103": "gps103",
    "gt06": "gt06",
    "h02": "h02",
    "huabao": "jt808",
    "meitrack": "meitrack",
    "osmand": "osmand",
    "owntracks": "owntracks",
    "ruptela": "ruptela",
    "suntech": "suntech",
    "t800x": "t800x",
    "teltonika": "teltonika",
    "tk103": "tk103",
    "wialon": "wialon",
}
"""The codec that reads a group of frames; every group `gprmc:*` is read by "nmea"."""


def codec_of(group: str) -> str:
    return "nmea" if group.startswith("gprmc:") else CODEC_OF[group]


def frames(name):
    lines = real_data("vectors/traccar_frames.jsonl").read_text(encoding="utf-8").splitlines()
    rows = (json.loads(line) for line in lines)
    return [row for row in rows if "meta" not in row and codec_of(row["group"]) == name]


def exceptions_of(name) -> dict[tuple[str, int], str]:
    path = EXCEPTIONS / f"{name}.toml"
    if not path.exists():
        return {}
    listed = tomllib.loads(path.read_text(encoding="utf-8"))["exception"]
    return {(one["test"], one["seq"]): one["reason"] for one in listed}


def payload_of(row) -> bytes:
    return bytes.fromhex(row["frame"]) if row["kind"] == "binary" else row["frame"].encode()


def complaints(name, row) -> list[str]:
    """What the decoder makes of a frame that is not what was to be expected."""
    decoded = CODECS[name].decode([payload_of(row)], np.array([NOW_US]))
    assert_plausible(decoded, 1)
    fixes = describe(decoded, 0)["fixes"]
    placed = [fix for fix in fixes if fix["valid"] or (fix["lat"], fix["lon"]) != (0, 0)]
    expectation = row["expectation"]
    expected = list(expected_fixes(row))
    found = [f"expected {one}, got {fixes}" for one in expected if not any_fits(one, fixes)]
    if expectation["assert"] in {"verifyPosition", "verifyPositions"} and not placed:
        found.append(f"expected a position, got {describe(decoded, 0)}")
    if expectation["assert"] == "verifyNull" and placed and not expected:
        found.append(f"expected no position, got {placed}")
    return found


def expected_fixes(row):
    if position := row["expectation"].get("position"):
        yield {key: position[key] for key in ("fix_time", "lat", "lon") if key in position}
    for fix in derived_fixes(row):
        if "local_time_gmt8" in fix:
            local = datetime.fromisoformat(fix["local_time_gmt8"])
            fix = {**fix, "fix_time": str(local - timedelta(hours=8))}  # noqa: PLW2901
        yield fix


def derived_fixes(row):
    derived = row.get("derived") or {}
    fixes = derived.get("fixes", [])
    return [fix for fix in fixes if isinstance(fix, dict)] if isinstance(fixes, list) else []


def any_fits(expected, fixes) -> bool:
    return any(fits(expected, fix) for fix in fixes)


def fits(expected, fix) -> bool:
    near = all(abs(expected[key] - fix[key]) <= DEGREE for key in ("lat", "lon") if key in expected)
    if "fix_time" in expected:
        wanted = datetime.fromisoformat(expected["fix_time"].replace("Z", ""))
        said = datetime.fromisoformat(fix["time"]).replace(tzinfo=None)
        near &= abs(wanted - said) < timedelta(milliseconds=1)
    for key, unit in (("speed_kmh", 1.0), ("speed_kn", KNOT_KMH)):
        if expected.get(key) and fix["speed_kmh"] is not None:
            near &= abs(expected[key] * unit - fix["speed_kmh"]) <= KMH
    return near


@pytest.mark.data
@pytest.mark.parametrize("name", sorted({"nmea", *CODEC_OF.values()} & set(CODECS)))
def test_the_frames_of_a_peers_tests_say_what_they_must(name):
    allowed = exceptions_of(name)
    wrong = {
        (row["test"], row["seq"]): (row["frame"], found)
        for row in frames(name)
        if (found := complaints(name, row))
    }
    unexpected = {key: what for key, what in wrong.items() if key not in allowed}
    assert unexpected == {}
    assert set(allowed) - set(wrong) == set(), "these exceptions are not needed"


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_stream_names_the_sender_of_a_peers_frames_as_their_codec_does(name):
    for row in frames(name):
        stream = STREAMS[name](lambda: NOW_US)
        steps = [*stream.take(payload_of(row)), *stream.take(b"\r\n")]
        published = [step.payload for step in steps if step.payload]
        named = {step.ident for step in steps if step.ident}
        decoded = CODECS[name].decode(published, np.full(len(published), NOW_US))
        assert not (named and decoded.idents) or named == set(decoded.idents), row["frame"]


@pytest.mark.parametrize("path", sorted(EXCEPTIONS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_exception_says_why(path):
    assert path.stem in CODECS
    assert all(len(reason) > 20 for reason in exceptions_of(path.stem).values())
