"""docs/how-to/add-a-codec.md does what it says: its codec is written out, registered and used."""

import importlib
import json
import re

import numpy as np
import pytest

from devices.catalogue import CODECS
from devices.codec import Codec
from devices.describe import describe
from devices.rows import decode_each
from tests.devices.made_up import LICENCES, NOW_US, arrived
from tests.devices.test_vectors import FIX, approximately
from tests.docs.pages import ROOT, text_of
from tests.fuzz.invariants import check
from tests.fuzz.seeds import fixes

PAGE = ROOT / "docs" / "how-to" / "add-a-codec.md"
FILE = re.compile(r"^```\w+ file=([\w.]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def files():
    return dict(FILE.findall(text_of(PAGE)))


@pytest.fixture(scope="module")
def beacon(files, tmp_path_factory):
    """The module of the page, in a package of its own; its codec is taken out again."""
    folder = tmp_path_factory.mktemp("how_to")
    package = folder / "made_by_the_page"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "beacon.py").write_text(files["beacon.py"], encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield importlib.import_module("made_by_the_page.beacon")
    del CODECS["beacon"]


def test_the_page_has_the_files_that_it_speaks_of(files):
    assert set(files) == {"beacon.py", "beacon.jsonl"}


def test_the_codec_of_the_page_is_registered(beacon):
    assert CODECS["beacon"] == beacon.BEACON
    assert isinstance(beacon.BEACON, Codec)


def test_its_vectors_decode_as_they_say(beacon, files):
    vectors = [json.loads(line) for line in files["beacon.jsonl"].splitlines()]
    for vector in vectors:
        said = describe(beacon.decode([vector["text"].encode()], arrived(1)), 0)
        assert said["ident"] == vector.get("ident"), vector["name"]
        assert said["fixes"] == [approximately({**FIX, **one}) for one in vector.get("fixes", [])]
        assert [error["reason"] for error in said["errors"]] == vector.get("reject", [])
    assert {"reject" in vector for vector in vectors} == {True, False}


def test_what_it_encodes_it_decodes(beacon):
    sent = fixes()
    payloads = beacon.encode(sent, ["352625333222111"] * len(sent), LICENCES)
    got = beacon.decode(payloads, np.full(len(sent), NOW_US))
    assert got.refusals == ()
    assert got.idents == ("352625333222111",)
    for column in ("time", "lon", "lat", "speed_kmh", "heading", "quality"):
        np.testing.assert_allclose(
            getattr(got.fixes, column), getattr(sent, column), rtol=1e-6, err_msg=column
        )


def test_damaged_payloads_are_refused_or_make_sense_and_both_readers_agree(beacon, files):
    texts = [json.loads(line)["text"].encode() for line in files["beacon.jsonl"].splitlines()]
    for payload in [*texts, *(text[:at] for text in texts for at in range(len(text)))]:
        check(beacon.BEACON, payload)
        fast = beacon.decode([payload], arrived(1))
        slow = decode_each([payload], arrived(1), beacon.read)
        assert describe(fast, 0) == describe(slow, 0)
