"""Prometheus metrics of one API process, on a registry of its own."""

from collections.abc import Iterable
from time import perf_counter
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from psycopg_pool import AsyncConnectionPool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})

POOL_STATS: Final = {
    "pool_size": ("hanhtrinh_api_pool_connections", "Connections to the database"),
    "pool_available": ("hanhtrinh_api_pool_idle", "Connections that no request uses"),
    "requests_waiting": ("hanhtrinh_api_pool_waiting", "Requests that wait for a connection"),
}


class PoolCollector(Collector):
    """The state of the connection pool at the time of the scrape."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self.pool = pool

    def collect(self) -> Iterable[Metric]:
        stats = self.pool.get_stats()
        for key, (name, text) in POOL_STATS.items():
            yield GaugeMetricFamily(name, text, stats.get(key, 0))


class Metrics:
    """What is counted of every request."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route")
        self.requests = Counter(
            "hanhtrinh_api_requests",
            "Requests answered, by method, route and status",
            (*labels, "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "hanhtrinh_api_request_seconds",
            "Time from a request's arrival to the end of its answer, seconds",
            labels,
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.reviews = Counter(
            "hanhtrinh_api_reviews",
            "Steps in reviews of violations, by step and what came of it",
            ("step", "act"),
            registry=self.registry,
        )
        self.logins = Counter(
            "hanhtrinh_api_logins",
            "People who came in (let_in), or the code of the problem that they met",
            ("outcome",),
            registry=self.registry,
        )
        self.under_way = Gauge(
            "hanhtrinh_api_requests_under_way", "Requests being answered", registry=self.registry
        )


class Measured:
    """ASGI middleware that counts requests. Unknown paths are one route: labels stay bounded."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        started = perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with self.metrics.under_way.track_inprogress():
                await self.app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.metrics.requests.labels(method, route, str(status)).inc()
            self.metrics.seconds.labels(method, route).observe(perf_counter() - started)
