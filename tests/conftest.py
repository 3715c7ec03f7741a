"""What every test gets: a clean environment, and the fixtures of the real servers.

Fixtures live in tests/fix_*.py. `HANHTRINH_DATA` (real data) and `HANHTRINH_TEST_DSN` (a PostgreSQL
server to use instead of the embedded one) are the only names of ours that a test run reads.
"""

import os

pytest_plugins = [
    "tests.fix_postgres", "tests.fix_broker", "tests.fix_callout", "tests.fix_rabbitmq",
    "tests.fix_mosquitto",
]  # fmt: skip

KEPT = {"HANHTRINH_DATA", "HANHTRINH_TEST_DSN"}


def pytest_configure() -> None:
    for name in [*os.environ]:
        if name.startswith("HANHTRINH_") and name not in KEPT:
            del os.environ[name]
