"""Fixtures of a real Mosquitto, a new one for every test (about 20 ms).

mosquitto       Mosquitto: host, port; restart()
mosquitto_with  a function: lines of configuration -> a running Mosquitto, ended with the test
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.mosquitto import PLAIN, Mosquitto, missing


@pytest.fixture
def mosquitto_with() -> Iterator[Callable[[str], Mosquitto]]:
    reason = missing()
    if reason:
        pytest.skip(reason)
    with ExitStack() as running:
        yield lambda config: running.enter_context(Mosquitto(config))


@pytest.fixture
def mosquitto(mosquitto_with: Callable[[str], Mosquitto]) -> Mosquitto:
    return mosquitto_with(PLAIN)
