"""Account: what a worker says of its work, in metrics and in the log.

Belongs here: which event is counted where, and the words of its line. Does not belong here: what is
counted with no worker, as by a source (metrics.py).
"""

from collections import Counter

import numpy as np
import structlog

from devices.batch import Bool, FixBatch, Quality
from ingest.metrics import WorkerMetrics
from ingest.pipeline import Outcome
from ingest.source import Clock, MessageBatch

log = structlog.get_logger(__name__)


class Account:
    """The account of one worker."""

    def __init__(self, metrics: WorkerMetrics, clock: Clock, shards: tuple[int, ...]) -> None:
        """shards: all that the worker is to hold."""
        self._metrics = metrics
        self._clock = clock
        self._shards = shards
        self.holds(frozenset())

    def holds(self, held: frozenset[int]) -> None:
        """These shards are the worker's now."""
        for shard in self._shards:
            self._metrics.shard_held.labels(str(shard)).set(shard in held)

    def database_is(self, *, up: bool) -> None:
        """The database answered, or did not."""
        self._metrics.database_up.set(up)

    def registry_loaded(self, times: int, warnings: tuple[str, ...]) -> None:
        """The registry was taken over; warnings: what was left out of it, and why."""
        self._metrics.registry_loads.inc(times)
        log.info("registry.loaded")
        for warning in warnings:
            log.warning("registry.doubtful", detail=warning)

    def registry_refused(self, error: Exception) -> None:
        """No rules can be made of the registry as it is."""
        self._metrics.registry_refusals.inc()
        log.error("registry.unusable", detail=str(error), exc_info=error)

    def received(self, batch: MessageBatch) -> None:
        """A batch was begun."""
        waited_s = max(0.0, (self._clock() - int(batch.received.min())) / 1e6)
        self._metrics.received.inc(len(batch))
        self._metrics.batch_messages.observe(len(batch))
        self._metrics.stage_s.labels("waited").observe(waited_s)
        log.debug("batch.received", messages=len(batch), waited_ms=round(waited_s * 1e3, 1))

    def acknowledged(self, batch: MessageBatch) -> None:
        """The broker was told that a batch is done."""
        self._metrics.acknowledged.inc(len(batch))
        log.debug("batch.acknowledged", messages=len(batch))

    def left(self, batch: MessageBatch, error: Exception) -> None:
        """Another worker has a batch's shards now."""
        log.warning("batch.left", messages=len(batch), detail=str(error))

    def failed(self, error: Exception, messages: int, tries: int) -> None:
        """A transaction failed, for so many times in a row."""
        self._metrics.failures.labels(type(error).__name__).inc()
        log.warning(
            "batch.failed", error=type(error).__name__, detail=str(error).strip(),
            messages=messages, tries=tries,
        )  # fmt: skip

    def set_aside(self, batch: MessageBatch, reason: str, detail: str) -> None:
        """A message that stood in the way is in the quarantine."""
        self._metrics.quarantined.labels(reason).inc()
        log.warning("batch.set_aside", topic=batch.topics[0], detail=detail)

    def late_set_aside(self, vehicle: int, fixes: int, reason: str) -> None:
        """Late fixes of a vehicle are in the quarantine."""
        self._metrics.quarantined.labels(reason).inc()
        log.warning("late.set_aside", vehicle=vehicle, fixes=fixes)

    def committed(self, outcome: Outcome, seconds: float) -> None:
        """Count a batch, and write its one line. seconds: from its beginning to its commit."""
        metrics, fixes = self._metrics, outcome.fixes
        lag_us = (self._clock() - fixes.time)[is_live(fixes)]
        metrics.lag.observe(lag_us)
        metrics.messages.inc(outcome.messages)
        metrics.fixes.labels("stored").inc(len(fixes))
        metrics.fixes.labels("repeated").inc(outcome.repeats)
        metrics.weighings.inc(outcome.weighings)
        metrics.replayed.inc(outcome.replayed)
        metrics.drivers_added.inc(outcome.drivers_added)
        metrics.drivers_doubted.inc(outcome.drivers_doubted)
        metrics.batch_s.observe(seconds)
        metrics.observe(outcome.stages)
        metrics.last_commit.set(self._clock() / 1e6)
        refused = Counter(str(part.reason) for part in outcome.refused)
        for reason, count in refused.items():
            metrics.quarantined.labels(reason).inc(count)
        for kind, count in Counter(i.kind for i in outcome.intervals).items():
            metrics.intervals.labels(kind).inc(count)
        log.info(
            "batch.committed", messages=outcome.messages, fixes=len(fixes),
            repeats=outcome.repeats, weighings=outcome.weighings, replayed=outcome.replayed,
            held=outcome.held, refused=dict(refused), ms=round(seconds * 1e3, 1),
            lag_s=round(float(np.median(lag_us)) / 1e6, 3) if len(lag_us) else None,
        )  # fmt: skip


def is_live(fixes: FixBatch) -> Bool:
    """Fixes that came when they were taken: the ones whose lag says something about us."""
    live: Bool = fixes.quality & np.uint16(Quality.LATE | Quality.FUTURE) == 0
    return live
