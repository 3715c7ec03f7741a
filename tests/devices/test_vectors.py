import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from devices.catalogue import CODECS, codec
from devices.describe import describe
from tests.devices.plausible import assert_plausible

FOLDER = Path(__file__).parent / "vectors"

FIX: dict[str, object] = {
    "speed_kmh": None, "heading": None, "altitude_m": None, "hdop": None, "satellites": None,
    "odometer_m": None, "driver": None, "valid": True, "inputs": {}, "extra": {},
}  # fmt: skip
WEIGHING: dict[str, object] = {
    "station": None, "plate": None, "lane": None, "speed_kmh": None, "length_m": None,
    "axles": [], "extra": {},
}  # fmt: skip


def all_vectors():
    for path in sorted(FOLDER.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            vector = json.loads(line)
            yield pytest.param(path.stem, vector, id=f"{path.stem}: {vector['name']}")


@pytest.mark.parametrize(("name", "vector"), list(all_vectors()))
def test_a_vector_decodes_to_what_its_document_says(name, vector):
    payload = bytes.fromhex(vector["hex"]) if "hex" in vector else vector["text"].encode()
    arrived = datetime.fromisoformat(vector.get("received", "2026-01-05T12:00:00Z"))
    decoded = codec(name).decode([payload], np.array([int(arrived.timestamp() * 1e6)]))
    assert_plausible(decoded, 1)
    said = describe(decoded, 0)
    expected = {
        "ident": vector.get("ident"),
        "fixes": [approximately({**FIX, **fix}) for fix in vector.get("fixes", [])],
        "weighings": [{**WEIGHING, **weighing} for weighing in vector.get("weighings", [])],
        "registrations": vector.get("registrations", []),
    }
    assert {key: said[key] for key in expected} == expected
    assert [error["reason"] for error in said["errors"]] == vector.get("reject", [])


def approximately(fix):
    """Coordinates that were minutes of arc, or whole ten-millionths of a degree, to 1e-9."""
    return fix | {key: pytest.approx(fix[key], abs=1e-9) for key in ("lat", "lon")}


def test_every_codec_has_a_vectors_file():
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == set(CODECS)


@pytest.mark.parametrize("name", sorted(CODECS))
def test_every_codec_has_vectors_of_both_kinds(name):
    lines = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    vectors = [json.loads(line) for line in lines]
    assert len({vector["name"] for vector in vectors}) == len(vectors)
    assert any("reject" in vector for vector in vectors)
    assert any("reject" not in vector for vector in vectors)
    assert all(vector["source"] for vector in vectors)
