"""What the gateway counts, for Prometheus.

Counted in plain dictionaries, which cost a message a tenth of what a library's counters do; the
collector reads them when it is asked.
"""

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

Metric = CounterMetricFamily | GaugeMetricFamily


class GatewayMetrics(Collector):
    """The gateway's instruments, on a registry of their own.

    messages: published and acknowledged by the broker, by codec. opened: connections, by codec.
    closed: connections the gateway ended, by codec and reason. refused: frames not taken, by codec
    and reason. skipped: bytes of no frame, by codec. answers: of HTTP, by status. gauges: names and
    what measures them.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.messages: Counter[str] = Counter()
        self.opened: Counter[str] = Counter()
        self.closed: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        self.skipped: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Everything in Prometheus' form."""
        yield _of_one("messages", "Messages that the broker has taken", "codec", self.messages)
        yield _of_one("connections", "Connections that were made", "codec", self.opened)
        yield _of_two("closed", "Connections that the gateway ended", self.closed)
        yield _of_two("refused_frames", "Frames that were not taken", self.refused)
        yield _of_one("skipped_bytes", "Bytes that belonged to no frame", "codec", self.skipped)
        yield _of_one("http_answers", "Answers of HTTP", "status", self.answers)
        for name, (about, measure) in self.gauges.items():
            yield GaugeMetricFamily(f"hanhtrinh_gateway_{name}", about, value=measure())


def _of_one(name: str, about: str, label: str, counts: Counter[str]) -> Metric:
    family = CounterMetricFamily(f"hanhtrinh_gateway_{name}", about, labels=[label])
    for value, count in sorted(counts.items()):
        family.add_metric([value], count)
    return family


def _of_two(name: str, about: str, counts: Counter[tuple[str, str]]) -> Metric:
    family = CounterMetricFamily(f"hanhtrinh_gateway_{name}", about, labels=["codec", "reason"])
    for values, count in sorted(counts.items()):
        family.add_metric(list(values), count)
    return family
