import pytest

from tests.e2e.system import System


@pytest.fixture
def system(database, broker, tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    running = System(database, broker, logs)
    try:
        yield running
    finally:
        running.stop()
