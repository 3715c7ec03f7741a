"""Ports open for registered codecs alone; of these tests nothing depends on what a codec reads."""

import pytest

from devices.catalogue import CODECS
from devices.streams.catalogue import STREAMS


@pytest.fixture(autouse=True)
def _every_format_has_a_codec(monkeypatch):
    for name in {*STREAMS, "osmand"} - CODECS.keys():
        monkeypatch.setitem(CODECS, name, CODECS["json"])
