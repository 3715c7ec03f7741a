"""The examples of docs/api.md and docs/reviews.md, run as they stand there."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from api.cursors import encode_cursor

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = [
    example
    for page in ("api.md", "reviews.md")
    for example in re.findall(
        r"^```sh\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
]


def answers(text):
    decoder, found = json.JSONDecoder(), []
    while text := text.strip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_guide_does_what_it_says(api, example):
    run = subprocess.run(
        ["sh", "-e", "-c", example],
        env={
            "PATH": os.environ["PATH"],
            "API": str(api.inspector.http.base_url),
            "TOKEN": api.world.inspector,
            "CURSOR": encode_cursor("violations", 1, 1),
        },
        capture_output=True,
        timeout=60,
        check=True,
        text=True,
    )
    found = answers(run.stdout)
    assert len(found) == example.count("curl ")
    for answer in found:
        # Vehicle 17 and violation 42 are the guide's, not this small world's.
        known = {"", "vehicle_not_found", "violation_not_found", "depot-7"}
        assert answer.get("code", "") in known, answer
