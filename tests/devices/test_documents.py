"""docs/codecs.md keeps up with the code."""

import json
import re
from pathlib import Path

import pytest

from devices.catalogue import CODECS
from devices.describe import describe
from devices.errors import Reject
from tests.devices.made_up import NOW_US, arrived

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "codecs.md").read_text(encoding="utf-8")
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (DOCS / "codecs").glob("*.md")}


@pytest.mark.parametrize("name", sorted(CODECS))
def test_every_codec_has_its_page_and_its_line_in_the_table(name):
    assert PAGES[name].startswith(f"# {name}\n")
    assert re.search(
        rf"^\| \[{re.escape(name)}\]\(codecs/{re.escape(name)}\.md\) \|", PAGE, re.MULTILINE
    )


def test_there_is_no_page_without_a_codec():
    assert set(PAGES) == set(CODECS)


@pytest.mark.parametrize("reason", list(Reject))
def test_every_reason_to_refuse_is_in_the_table(reason):
    assert re.search(rf"^\| `{reason}` \| \S", PAGE, re.MULTILINE)


def examples():
    """Code blocks marked with the codec that reads them: ```json codec=owntracks."""
    block = re.compile(r"^```(\w+) codec=([\w-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [found for page in PAGES.values() for found in block.findall(page)]


@pytest.mark.parametrize(("form", "name", "text"), examples())
def test_every_example_of_the_pages_decodes_without_complaint(form, name, text):
    payload = bytes.fromhex(text) if form == "hex" else text.encode()
    said = describe(CODECS[name].decode([payload], arrived(1)), 0)
    assert said["error"] is None
    assert said["fixes"] or said["weighings"]
    json.dumps(said, allow_nan=False)


def test_every_codec_has_an_example():
    assert {name for _, name, _ in examples()} == set(CODECS)


def test_a_description_says_what_went_wrong_and_where():
    good = b'{"time":%d,"lat":10.5,"lon":106.5,"speed_kmh":42.5}' % (NOW_US // 10**6)
    decoded = CODECS["json"].decode([good, b"[" + good + b",{}]"], arrived(2))
    assert describe(decoded, 0)["fixes"] == describe(decoded, 1)["fixes"]
    assert describe(decoded, 0)["error"] is None
    assert describe(decoded, 1)["error"] == {
        "reason": "missing_field",
        "at": 1,
        "detail": "Object missing required field `time`",
    }
    assert describe(decoded, 0)["fixes"][0]["time"] == "2026-01-05T12:00:00.000Z"
