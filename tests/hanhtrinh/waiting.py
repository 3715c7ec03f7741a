"""Waiting for a condition with a deadline, instead of sleeping for a while and hoping."""

import time
from collections.abc import Callable

import psutil

DEADLINE_S = 240.0


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"after {DEADLINE_S:g} s still not: {what}"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """The process has ended; one that nobody waits for (a zombie) has too."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
