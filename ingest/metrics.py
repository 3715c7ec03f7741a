"""What the worker counts, for Prometheus, a batch at a time.

What came and what became of it, refusals by reason, the lag of fixes, the time of every stage of a
batch, what waits, and who holds which shard.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from devices.batch import I64
from ingest.errors import Unusable
from ingest.source import Backlog, StreamState
from ingest.stages import STAGES, Stages

LAG_BOUNDS_S: Final = np.geomspace(0.001, 7200.0, 200)
"""Upper bounds of the lag buckets: each 8 % above the one before, so that a percentile read from
them is within 8 % of the true one, from a millisecond to two hours."""

BATCH_BOUNDS: Final = tuple(4**n for n in range(8))
STAGE_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class LagHistogram(Collector):
    """Seconds from a fix's measurement to its commit; counted by array, not one by one."""

    def __init__(self) -> None:
        self._counts = np.zeros(len(LAG_BOUNDS_S) + 1, np.int64)
        self._sum = 0.0

    def observe(self, lag_us: I64) -> None:
        """Count lags, in microseconds, shape (n,)."""
        seconds = np.maximum(lag_us, 0) / 1e6
        buckets = np.searchsorted(LAG_BOUNDS_S, seconds)
        self._counts += np.bincount(buckets, minlength=len(self._counts))
        self._sum += float(seconds.sum())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The histogram in Prometheus' form."""
        running = np.cumsum(self._counts)
        bounds: Iterable[float] = [*LAG_BOUNDS_S.tolist(), float("inf")]
        buckets = [
            (f"{bound:.6g}" if np.isfinite(bound) else "+Inf", float(count))
            for bound, count in zip(bounds, running, strict=True)
        ]
        yield HistogramMetricFamily(
            "hanhtrinh_lag_seconds",
            "From a live fix's measurement to its commit (fixes marked late are not counted)",
            buckets=buckets,
            sum_value=self._sum,
        )


class BacklogCollector(Collector):
    """What waits in the source at the time of the scrape, by broker."""

    def __init__(self, backlog: Callable[[], Mapping[str, Backlog]]) -> None:
        self._backlog = backlog

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges in Prometheus' form."""
        now = self._backlog()
        for name, about, column in (
            ("broker_up", "1 while the broker delivers", "is_connected"),
            ("waiting_messages", "Messages received that no batch has taken", "waiting"),
            ("held_messages", "Messages received and not acknowledged", "held"),
            ("held_bytes", "Their payloads and topics", "held_bytes"),
            ("window_messages", "Held messages at which reading pauses", "window"),
        ):
            family = GaugeMetricFamily(f"hanhtrinh_{name}", about, labels=["broker"])
            for broker, backlog in now.items():
                family.add_metric([broker], float(getattr(backlog, column)))
            yield family


class StreamCollector(Collector):
    """What waits in the stream, as it was looked at last."""

    def __init__(self, stream: Callable[[], StreamState]) -> None:
        self._stream = stream

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Pending messages of each shard that is held, and the bytes of all."""
        now = self._stream()
        family = GaugeMetricFamily(
            "hanhtrinh_pending_messages", "Messages in the stream, not delivered yet",
            labels=["shard"],
        )  # fmt: skip
        for shard, pending in now.pending.items():
            family.add_metric([str(shard)], float(pending))
        yield family
        for name, about, value in (
            ("stream_bytes", "Bytes that wait in the stream, of all shards", now.stored_bytes),
            ("stream_limit_bytes", "How many may; 0: no limit of its own", now.limit_bytes),
        ):
            yield GaugeMetricFamily(f"hanhtrinh_{name}", about, value=float(value))


class WorkerMetrics:
    """The worker's instruments, on a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.lag = LagHistogram()
        self.registry.register(self.lag)
        self.received = Counter(
            "hanhtrinh_received_messages", "Messages that a batch took, repeated ones each time",
            registry=self.registry,
        )  # fmt: skip
        self.acknowledged = Counter(
            "hanhtrinh_acknowledged_messages", "Messages that the broker may forget",
            registry=self.registry,
        )  # fmt: skip
        self.messages = Counter("hanhtrinh_messages", "Messages committed", registry=self.registry)
        self.fixes = Counter(
            "hanhtrinh_fixes", "Fixes by what became of them: stored, repeated",
            ["outcome"], registry=self.registry,
        )  # fmt: skip
        self.weighings = Counter("hanhtrinh_weighings", "Weighings stored", registry=self.registry)
        self.intervals = Counter(
            "hanhtrinh_intervals", "Intervals that the rules reported, open ones at every report",
            ["kind"], registry=self.registry,
        )  # fmt: skip
        self.quarantined = Counter(
            "hanhtrinh_quarantined", "Messages and parts of messages put into the quarantine",
            ["reason"], registry=self.registry,
        )  # fmt: skip
        # Prometheus sees a rise only from something: the first one must not be missed.
        self.quarantined.labels(Unusable.INTERNAL_ERROR)
        self.quarantined.labels(Unusable.KILLED_WORKER)
        self.late = Gauge(
            "hanhtrinh_late_fixes", "Late fixes that wait to be judged", registry=self.registry
        )
        self.replayed = Counter(
            "hanhtrinh_replayed_vehicles", "Vehicles replayed for late data or a rebuilt state",
            registry=self.registry,
        )  # fmt: skip
        self.drivers_added = Counter(
            "hanhtrinh_drivers_added", "Drivers whom feeds named and the registry did not know",
            registry=self.registry,
        )  # fmt: skip
        self.drivers_doubted = Counter(
            "hanhtrinh_drivers_doubted",
            "Fixes whose driver was not added: the vehicle had named too many new ones that day",
            registry=self.registry,
        )
        self.registry_loads = Counter(
            "hanhtrinh_registry_loads", "Times the registry was loaded because it had changed",
            registry=self.registry,
        )  # fmt: skip
        self.registry_refusals = Counter(
            "hanhtrinh_registry_refusals", "Times the registry could not be used as it is",
            registry=self.registry,
        )  # fmt: skip
        self.failures = Counter(
            "hanhtrinh_batch_failures", "Batches that had to be tried again",
            ["error"], registry=self.registry,
        )  # fmt: skip
        self.batch_s = Histogram(
            "hanhtrinh_batch_seconds", "From a batch's receipt to its commit",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )  # fmt: skip
        self.batch_messages = Histogram(
            "hanhtrinh_batch_messages", "Messages of a batch",
            buckets=BATCH_BOUNDS, registry=self.registry,
        )  # fmt: skip
        self.stage_s = Histogram(
            "hanhtrinh_stage_seconds", "Time that a batch spent in a stage of its way",
            ["stage"], buckets=STAGE_BOUNDS_S, registry=self.registry,
        )  # fmt: skip
        for stage in STAGES:
            self.stage_s.labels(stage)
        self.database_up = Gauge(
            "hanhtrinh_database_up", "1 while the database takes batches", registry=self.registry
        )
        self.shard_held = Gauge(
            "hanhtrinh_shard_held", "1 while this worker holds the lock of its shard",
            ["shard"], registry=self.registry,
        )  # fmt: skip
        self.last_commit = Gauge(
            "hanhtrinh_last_commit_timestamp_seconds", "When a batch was last committed",
            registry=self.registry,
        )  # fmt: skip

    def watch(self, backlog: Callable[[], Mapping[str, Backlog]]) -> None:
        """Show what waits in a source, too; by broker."""
        self.registry.register(BacklogCollector(backlog))

    def watch_stream(self, stream: Callable[[], StreamState]) -> None:
        """Show what waits in a stream, too."""
        self.registry.register(StreamCollector(stream))

    def observe(self, stages: Stages) -> None:
        """Count the time of a batch's stages."""
        for stage, seconds in stages.seconds.items():
            self.stage_s.labels(stage).observe(seconds)
