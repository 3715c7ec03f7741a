"""Fixture of a real RabbitMQ, one for all tests of a module (it takes seven seconds to start).

rabbitmq   RabbitMq: url; kill(), restart(). Tests keep apart by the names of their providers.
"""

from collections.abc import Iterator

import pytest

from tests.rabbitmq import RabbitMq, missing


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[RabbitMq]:
    reason = missing()
    if reason:
        pytest.skip(reason)
    with RabbitMq() as running:
        yield running
