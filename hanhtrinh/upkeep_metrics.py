"""What `hanhtrinh upkeep` counts, for Prometheus."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from storage.reading.violations import Review
from storage.reviews.moves import STATES
from storage.upkeep import Round

OUTCOMES: Final = ("done", "left_out", "failed")
"""left_out: another process was at a round."""


class UpkeepMetrics(Collector):
    """The instruments, on a registry of their own.

    rounds: by outcome. work: by the names of Round. last_done_s: when this process last did a
    round, seconds since 1970; 0: not yet. flagged: violations whose facts were revised under a
    review, by how it stands. waiting_hours: of vehicles, which changed and were not rolled up again
    when a round had ended. unregistered: drivers whom feeds have named and nobody has registered.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.rounds: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        self.work: Counter[str] = Counter(dict.fromkeys(Round._fields, 0))
        self.last_done_s = 0.0
        self.flagged: Mapping[Review, int] = {state: 0 for state in STATES if state != "new"}
        self.waiting_hours = 0
        self.unregistered = 0
        self.round_s = Histogram(
            "hanhtrinh_upkeep_round_seconds", "A round, from its beginning to its end",
            buckets=(0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600), registry=self.registry,
        )  # fmt: skip
        self.registry.register(self)

    def take(self, done: Round | None, now_s: float, took_s: float) -> None:
        """Count a round that ended; done: None where another process was at one."""
        self.rounds["left_out" if done is None else "done"] += 1
        if done is not None:
            self.work.update(done._asdict())
            self.last_done_s = now_s
            self.round_s.observe(took_s)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """What is not a histogram, in Prometheus' form."""
        rounds = CounterMetricFamily(
            "hanhtrinh_upkeep_rounds", "Rounds by what became of them", labels=["outcome"]
        )
        for outcome, count in self.rounds.items():
            rounds.add_metric([outcome], count)
        yield rounds
        work = CounterMetricFamily(
            "hanhtrinh_upkeep_work", "Chunks and rows compressed, kept, deleted", labels=["what"]
        )
        for what, count in self.work.items():
            work.add_metric([what], count)
        yield work
        flagged = GaugeMetricFamily(
            "hanhtrinh_flagged_reviews",
            "Violations whose facts were revised under a review, by how it stands",
            labels=["review"],
        )
        for review, count in self.flagged.items():
            flagged.add_metric([review], count)
        yield flagged
        yield GaugeMetricFamily(
            "hanhtrinh_upkeep_waiting_hours",
            "Vehicles' hours that changed and were not rolled up again when the last round ended",
            self.waiting_hours,
        )
        yield GaugeMetricFamily(
            "hanhtrinh_unregistered_drivers",
            "Drivers whom feeds have named and nobody has registered",
            self.unregistered,
        )
        yield GaugeMetricFamily(
            "hanhtrinh_upkeep_last_done_timestamp_seconds",
            "When a round was last done, seconds since 1970",
            self.last_done_s,
        )
