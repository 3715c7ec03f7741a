"""Stages: how long a batch spends in each part of its way, and the id that its log lines carry."""

import itertools
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from structlog.contextvars import bound_contextvars

STAGES: Final = ("waited", "decoded", "prepared", "judged", "stored", "committed")
"""waited: from the receipt of its oldest message until the batch was begun. prepared: days and
drivers made before the transaction. committed: the database's own commit, of all that is stored."""


class Stages:
    """Seconds of each stage that a batch has behind it, in `seconds`."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """now: seconds of a clock that never goes back."""
        self.seconds: dict[str, float] = {}
        self._now = now
        self._since = now()

    def ended(self, stage: str) -> None:
        """A stage of STAGES is over, and the next begins."""
        now = self._now()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now


class BatchNames:
    """Names batches. No two of any workers are alike: a part is drawn when the process begins."""

    def __init__(self) -> None:
        self._process = secrets.token_hex(3)
        self._numbers = itertools.count(1)

    @contextmanager
    def next(self) -> Iterator[str]:
        """Have every log line of the block carry the next name as `batch`."""
        name = f"{self._process}-{next(self._numbers)}"
        with bound_contextvars(batch=name):
            yield name
