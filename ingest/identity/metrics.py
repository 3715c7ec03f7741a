"""What `hanhtrinh auth` counts, for Prometheus."""

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from ingest.identity.checking import Refused

UNANSWERED = ("unreadable", "too_many", "too_late")
"""Verdicts on questions that the broker hears nothing of."""


class AuthMetrics(Collector):
    """The instruments, on a registry of their own.

    answers: questions by verdict. kicked: connections ended. waiting: questions not looked at yet.
    slow: passwords being checked. is_listening: revocations are heard of.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.answers: Counter[str] = Counter(
            dict.fromkeys(("granted", *map(str, Refused), *UNANSWERED), 0)
        )
        self.kicked = 0
        self.waiting: Callable[[], int] = lambda: 0
        self.slow: Callable[[], int] = lambda: 0
        self.is_broker_up: Callable[[], bool] = lambda: False
        self.is_database_up = False
        self.is_listening = False
        self.answer_s = Histogram(
            "hanhtrinh_auth_answer_seconds", "From a question's receipt to its answer",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )  # fmt: skip
        self.batch_questions = Histogram(
            "hanhtrinh_auth_batch_questions", "Questions that were looked up together",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256), registry=self.registry,
        )  # fmt: skip
        self.registry.register(self)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """What is not a histogram, in Prometheus' form."""
        answers = CounterMetricFamily(
            "hanhtrinh_auth_answers", "Questions by what became of them", labels=["verdict"]
        )
        for verdict, count in [*self.answers.items()]:
            answers.add_metric([verdict], count)
        yield answers
        yield CounterMetricFamily(
            "hanhtrinh_auth_kicked", "Connections ended by a revocation", self.kicked
        )
        for name, about, value in (
            ("waiting", "Questions that wait", self.waiting()),
            ("slow", "Passwords being checked", self.slow()),
            ("broker_up", "1 while the broker is connected", self.is_broker_up()),
            ("database_up", "1 while secrets can be looked up", self.is_database_up),
            ("listening", "1 while revocations are heard of", self.is_listening),
        ):
            yield GaugeMetricFamily(f"hanhtrinh_auth_{name}", about, value=float(value))
