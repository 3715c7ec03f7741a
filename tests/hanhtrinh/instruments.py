"""The metrics of every part, as it registers them when it runs, and their names and labels."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server

import devices.catalogue  # noqa: F401 - fills the table of codecs
from api.metrics import Metrics, PoolCollector
from hanhtrinh.upkeep_metrics import UpkeepMetrics
from ingest.bridge.metrics import BridgeMetrics
from ingest.gateway.gateway import Gateway
from ingest.gateway.house import House
from ingest.gateway.metrics import GatewayMetrics
from ingest.gateway.options import (
    BrokerLink,
    GatewayOptions,
    Limits,
    Listener,
    RegistryOptions,
)
from ingest.gateway.publisher import Publisher
from ingest.identity.metrics import AuthMetrics
from ingest.metrics import WorkerMetrics
from ingest.source import Backlog, StreamState
from mqtt.options import Server

SUFFIXES = {
    "counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum"),
}  # fmt: skip


def worker(**backlogs: Backlog) -> WorkerMetrics:
    """backlogs: by broker."""
    metrics = WorkerMetrics()
    metrics.watch(lambda: backlogs or {"only": Backlog(True, 0, 0, 0, 65_535)})
    metrics.watch_stream(lambda: StreamState({0: 0}, 0, 0))
    return metrics


def gateway() -> GatewayMetrics:
    metrics, broker, limits = GatewayMetrics(), BrokerLink((Server("127.0.0.1", 1),)), Limits()
    registry = RegistryOptions("postgresql://", registered_only=True, http_secrets=False)
    listeners = (Listener("gt06", "tcp", "127.0.0.1", 0),)
    options = GatewayOptions(listeners, broker, limits, registry=registry)
    publisher = Publisher(broker, limits, lambda: None)
    Gateway(options, metrics, lambda: 0)._measure(House(limits, publisher, metrics, lambda: 0.0))
    return metrics


def api() -> Metrics:
    metrics = Metrics()
    pool: Any = SimpleNamespace(get_stats=dict)
    metrics.registry.register(PoolCollector(pool))
    return metrics


def labels_of_all() -> dict[str, set[str]]:
    """Every name that a query may use, with the labels that it has."""
    parts = worker(), gateway(), BridgeMetrics(), AuthMetrics(), api(), UpkeepMetrics()
    found: dict[str, set[str]] = {}
    for part in parts:
        for collector in part.registry._collector_to_names:
            for family in collector.collect():
                labels = {*getattr(collector, "_labelnames", getattr(family, "_labelnames", ()))}
                for suffix in SUFFIXES[family.type]:
                    more = {"le"} if suffix == "_bucket" else set()
                    found[family.name + suffix] = labels | more
    return found


@contextmanager
def on_a_port(registry: CollectorRegistry) -> Iterator[str]:
    """The registry behind prometheus_client's own HTTP server, as parts serve it."""
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
