"""What the bridge counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class BridgeMetrics:
    """The bridge's instruments, on a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.forwarded = Counter(
            "hanhtrinh_bridge_forwarded", "Messages that the MQTT broker has acknowledged",
            ["provider"], registry=self.registry,
        )  # fmt: skip
        self.redelivered = Counter(
            "hanhtrinh_bridge_redelivered", "Deliveries that RabbitMQ had made before",
            ["queue"], registry=self.registry,
        )  # fmt: skip
        self.aside = Counter(
            "hanhtrinh_bridge_aside", "Messages set aside in the queue for them",
            ["queue", "reason"], registry=self.registry,
        )  # fmt: skip
        self.refused = Counter(
            "hanhtrinh_bridge_refused", "Times the MQTT broker did not take a message, by its code",
            ["provider", "code"], registry=self.registry,
        )  # fmt: skip
        self.open = Gauge(
            "hanhtrinh_bridge_open", "Messages taken from RabbitMQ and not settled",
            registry=self.registry,
        )  # fmt: skip
        self.open_bytes = Gauge(
            "hanhtrinh_bridge_open_bytes", "And the bytes of their bodies", registry=self.registry
        )
        self.missing = Gauge(
            "hanhtrinh_bridge_missing_exchanges", "Providers whose exchange is not there",
            registry=self.registry,
        )  # fmt: skip
        self.up = Gauge(
            "hanhtrinh_bridge_up", "1 while both brokers are connected", registry=self.registry
        )
        self.failures = Counter(
            "hanhtrinh_bridge_failures", "Times the connection to a broker was lost or not made",
            ["broker"], registry=self.registry,
        )  # fmt: skip
