"""The gateway, made from the settings: the wiring that only `hanhtrinh gateway` needs."""

import asyncio
import resource
import signal

import structlog

import devices.catalogue  # noqa: F401 - fills the table of codecs
from hanhtrinh import connections
from hanhtrinh.errors import CommandError
from hanhtrinh.serving import relax_collector, served, stopped_by_signals
from hanhtrinh.settings import Settings
from hanhtrinh.wiring import clock, dsn
from ingest.gateway import http
from ingest.gateway.encryption import tls_files
from ingest.gateway.gateway import Gateway
from ingest.gateway.metrics import GatewayMetrics
from ingest.gateway.options import BrokerLink, GatewayOptions, Limits, Listener, RegistryOptions

SPARE_FILES = 256
"""Open files that are no connections of trackers."""

log = structlog.get_logger(__name__)


def gateway_options(settings: Settings) -> GatewayOptions:
    """Where the gateway listens, and how it reaches the broker."""
    gateway, broker = settings.gateway, settings.broker
    access = connections.publisher_access(settings)
    return GatewayOptions(
        listeners=tuple(
            Listener(one.codec, one.transport, one.host, one.port) for one in gateway.listeners
        ),
        broker=BrokerLink(
            broker.servers,
            access.username,
            access.password,
            access.tls,
            links=gateway.broker_connections,
            silence_s=float(broker.keepalive_s),
        ),
        limits=Limits(
            connections=allowed_connections(gateway.connections),
            per_address=gateway.connections_per_address,
            login_s=gateway.login_s,
            idle_s=gateway.idle_s,
            frames_per_s=gateway.frames_per_s,
            burst_frames=gateway.burst_frames,
            window_messages=gateway.window_messages,
            window_bytes=gateway.window_mib << 20,
            stop_s=gateway.stop_s,
            body_bytes=gateway.body_kib << 10,
        ),
        secret=gateway.secret.get_secret_value() if gateway.secret else None,
        tls=tls_files(gateway.tls_cert, gateway.tls_key, gateway.tls_client_ca),
        registry=(
            RegistryOptions(dsn(settings), gateway.registered_only, gateway.http_secrets)
            if gateway.registered_only or gateway.http_secrets
            else None
        ),
    )


def device_token(settings: Settings, ident: str) -> str:
    """What a device shows over HTTP, made from the gateway's secret."""
    if settings.gateway.secret is None:
        raise CommandError("gateway.secret: expected one, tokens are made from it")
    return http.device_token(settings.gateway.secret.get_secret_value(), ident)


async def run_gateway(settings: Settings, stop: asyncio.Event) -> None:
    """Take trackers in and hand what they send to the broker until `stop` is set."""
    metrics = GatewayMetrics()
    gateway = Gateway(gateway_options(settings), metrics, clock)
    relax_collector()
    loop = asyncio.get_running_loop()
    with served(metrics.registry, settings.gateway.metrics_port), stopped_by_signals(stop):
        loop.add_signal_handler(signal.SIGHUP, gateway.reload)
        try:
            await gateway.run(stop)
        finally:
            loop.remove_signal_handler(signal.SIGHUP)


def allowed_connections(wanted: int) -> int:
    """Ask the system for as many open files as that needs; returns how many it comes to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = wanted + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < files:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        except (ValueError, OSError):
            files = hard
            log.warning(
                "gateway.few_files", connections=files - SPARE_FILES, wanted=wanted,
                hint="ulimit -n, or LimitNOFILE of its systemd unit",
            )  # fmt: skip
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, max(hard, files)))
    return files - SPARE_FILES
