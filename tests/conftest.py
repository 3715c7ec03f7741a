"""What every test gets: a clean environment, and the fixtures of the real servers.

Fixtures live in tests/fix_*.py. `HANHTRINH_DATA` (real data) and `HANHTRINH_TEST_DSN` (a PostgreSQL
server to use instead of the embedded one) are the only names of ours that a test run reads.
"""

import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

pytest_plugins = [
    "tests.fix_postgres", "tests.fix_broker", "tests.fix_callout", "tests.fix_rabbitmq",
    "tests.fix_mosquitto",
]  # fmt: skip

KEPT = {"HANHTRINH_DATA", "HANHTRINH_TEST_DSN"}


def pytest_configure() -> None:
    for name in [*os.environ]:
        if name.startswith("HANHTRINH_") and name not in KEPT:
            del os.environ[name]


WAITING_FIRST = (
    "tests/e2e", "tests/faults", "tests/simulators", "tests/docs", "tests/ingest",
    "tests/hanhtrinh", "tests/storage", "tests/api", "tests/deploy",
)  # fmt: skip
"""Tests that wait for servers and for real time begin first: none of them is left to run alone
at the end. What only computes fills the gaps."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def turn(item: pytest.Item) -> int:
        folder = item.nodeid.split("/test_")[0]
        places = (n for n, first in enumerate(WAITING_FIRST) if folder.startswith(first))
        return next(places, len(WAITING_FIRST))

    items.sort(key=turn)


IN_ONE_PROCESS = "tests/storage/flavours/"
"""Modules that share a server which takes seconds to start, and one connection at a time."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A module goes to one process, as xdist has it; these modules go to the same one."""
    from xdist.scheduler import LoadScopeScheduling  # not there where tests run in this process

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # has no types
        def _split_scope(self, nodeid: str) -> str:
            scope = super()._split_scope(nodeid)
            return IN_ONE_PROCESS if scope.startswith(IN_ONE_PROCESS) else scope

    return Scheduling(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """What a command that ran in this process has made of logging ends with its test."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)
