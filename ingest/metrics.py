"""What the worker counts, for Prometheus: messages, fixes, refusals by reason, lag, commit time."""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from devices.batch import I64

LAG_BOUNDS_S: Final = np.geomspace(0.001, 7200.0, 200)
"""Upper bounds of the lag buckets: each 8 % above the one before, so that a percentile read from
them is within 8 % of the true one, from a millisecond to two hours."""


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


class WorkerMetrics:
    """The worker's instruments, on a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.lag = LagHistogram()
        self.registry.register(self.lag)
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
            "hanhtrinh_quarantined", "Messages put into the quarantine",
            ["reason"], registry=self.registry,
        )  # fmt: skip
        self.replayed = Counter(
            "hanhtrinh_replayed_vehicles", "Vehicles replayed for late data or a rebuilt state",
            registry=self.registry,
        )  # fmt: skip
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
        self.database_up = Gauge(
            "hanhtrinh_database_up", "1 while the database takes batches", registry=self.registry
        )
