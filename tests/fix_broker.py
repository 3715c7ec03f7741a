"""Fixtures of a real broker: NATS with its MQTT listener, a new one for every test (about 60 ms).

broker     EmbeddedNats: host, mqtt_port, worker and device (username, password); kill(), restart()
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hanhtrinh.embedded import DataFolder, EmbeddedNats


@pytest.fixture
def broker() -> Iterator[EmbeddedNats]:
    folder = DataFolder.open(Path(tempfile.mkdtemp(prefix="hanhtrinh-test-")))
    try:
        # Short, so that a test about redelivery need not wait for long.
        with EmbeddedNats(folder, ack_wait_s=3) as running:
            yield running
    finally:
        folder.remove()
