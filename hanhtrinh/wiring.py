"""The one place where settings meet the parts: every part's options, made from the settings.

The packages below take small frozen dataclasses and know nothing of settings, files and the
environment. This module makes those, and runs the two services with them.
"""

import asyncio
import getpass
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hanhtrinh import connections, schema, sharding
from hanhtrinh.errors import CommandError
from hanhtrinh.serving import relax_collector, served, stopped_by_signals
from hanhtrinh.settings import Settings

if TYPE_CHECKING:  # the parts are heavy, and no process needs them all
    from geofence.profile import Profile
    from geofence.quality import Region
    from geofence.roads.matcher import RoadIndex
    from hanhtrinh.embedded import EmbeddedNats
    from ingest.bridge.options import BridgeOptions
    from ingest.mqtt.source import MqttOptions
    from ingest.rejudge import Rejudged
    from ingest.release import Release
    from ingest.replay import ReplayOptions
    from ingest.replay_columns import ColumnMap
    from ingest.rules import JudgingOptions
    from mqtt.options import BrokerOptions
    from storage.access.audit import Act
    from storage.quarantine import Cleaned, Retention
    from storage.quarantine_limits import Limits


def clock() -> int:
    """Now, in microseconds since 1970-01-01 UTC: the clock that all parts are given."""
    return time.time_ns() // 1000


def dsn(settings: Settings) -> str:
    """The database's connection string, with its password. Raises CommandError if it is none."""
    return schema.checked_dsn("database.dsn", settings.database.dsn.get_secret_value())


def act_of_command(command: str, subject: str) -> "Act":
    """What the audit says of a command such as users_create: who ran it on which machine."""
    from storage.access.audit import Act  # noqa: PLC0415

    return Act(f"command {getpass.getuser()}", socket.gethostname(), command, subject)


def mqtt_options(settings: Settings) -> "MqttOptions":
    """How the worker receives."""
    from ingest.mqtt.source import MqttOptions  # noqa: PLC0415
    from ingest.topics import subscriptions  # noqa: PLC0415

    broker, ingest = settings.broker, settings.ingest
    access = connections.worker_access(settings)
    if ingest.share_group and access.protocol != 5:
        raise CommandError(
            'ingest.share_group: expected broker.protocol "5" with it, got "3.1.1": only there a '
            "broker says whether it has shared subscriptions"
        )
    return MqttOptions(
        servers=broker.servers,
        client_id=broker.client_id,
        username=access.username,
        password=access.password,
        protocol=access.protocol,
        tls=access.tls,
        keepalive_s=broker.keepalive_s,
        subscriptions=subscriptions(ingest.topics),
        share_group=ingest.share_group,
        batch_messages=ingest.batch_messages,
        batch_age_s=ingest.batch_age_ms / 1e3,
        window_messages=ingest.window_messages,
        window_bytes=ingest.window_mib << 20,
    )


def profiles(settings: Settings) -> tuple["Profile", ...]:
    """The rule profiles that the settings name: shipped ones, and files."""
    from geofence.errors import ProfileError  # noqa: PLC0415
    from geofence.profile import SHIPPED, parse_profile, shipped_profile  # noqa: PLC0415

    found = []
    for name in settings.judge.profiles:
        if name in SHIPPED:
            found.append(shipped_profile(name))
            continue
        file = Path(name)
        if not file.is_file():
            raise CommandError(
                f"judge.profiles: {name!r}: expected one of {', '.join(SHIPPED)} or a TOML file"
            )
        try:
            found.append(parse_profile(file.read_text("utf-8")))
        except (ProfileError, UnicodeDecodeError) as error:
            raise CommandError(f"{file}: {error}") from error
    return tuple(found)


def vehicle_classes(settings: Settings) -> frozenset[str]:
    """The classes of vehicles that the rule profiles name; zones may name others."""
    from geofence.road_limits import ANY_CLASS  # noqa: PLC0415

    found = profiles(settings)
    named = {name for profile in found for name in profile.class_limits_kmh}
    tables = (table for profile in found for table in profile.road_limits)
    return frozenset(named | {name for table in tables for _, name in table.limits} - {ANY_CLASS})


def region(settings: Settings) -> "Region":
    """Where vehicles can be."""
    from geofence.quality import Region  # noqa: PLC0415

    judge = settings.judge
    return Region(
        west=judge.west,
        south=judge.south,
        east=judge.east,
        north=judge.north,
    )


def roads(settings: Settings) -> "RoadIndex | None":
    """The roads whose limits count; None: no file of roads is set."""
    if settings.judge.roads is None:
        return None
    from hanhtrinh.road_import.files import read_roads  # noqa: PLC0415

    return read_roads(settings.judge.roads)


def judging_options(settings: Settings) -> "JudgingOptions":
    """What the worker judges by."""
    from ingest.rules import JudgingOptions  # noqa: PLC0415

    return JudgingOptions(
        profiles=profiles(settings),
        timezone=settings.judge.timezone,
        region=region(settings),
        roads=roads(settings),
    )


def limits(settings: Settings) -> "Limits":
    """What the quarantine keeps of a flood."""
    from storage.quarantine_limits import Limits  # noqa: PLC0415

    kept = settings.quarantine
    return Limits(kept.kept_per_hour, kept.kept_mendable_per_hour, kept.kept_mib_per_hour << 20)


def retention(settings: Settings) -> "Retention":
    """For how long the quarantine keeps what it has."""
    from storage.quarantine import Retention  # noqa: PLC0415

    kept = settings.quarantine
    return Retention(kept.released_days, kept.waiting_days, kept.counts_days)


async def clean_quarantine(settings: Settings) -> "Cleaned":
    """Delete what the quarantine has kept for long enough."""
    from storage import database, quarantine  # noqa: PLC0415

    async with await database.connect(dsn(settings), name="hanhtrinh quarantine") as connection:
        return await quarantine.clean(connection, retention(settings), clock())


def require_schema(settings: Settings, as_user: str | None = None) -> None:
    """Refuse a database that is not migrated to what this code needs.

    as_user: the connection string of the API's user, to look with it; None: the owner's.
    """
    from storage.migrations import HEAD  # noqa: PLC0415

    if as_user is None:
        found = schema.schema_of("database.dsn", dsn(settings))
    else:
        found = schema.schema_of("api.dsn", as_user)
    if found != HEAD:
        advice = schema.schema_advice(found)
        raise CommandError(
            f"the database is at schema {found or 'none'}, expected {HEAD}: {advice}"
        )


async def run_worker(settings: Settings, stop: asyncio.Event) -> None:
    """Receive, judge and store until `stop` is set."""
    from ingest.clock import SteadyClock  # noqa: PLC0415
    from ingest.jetstream.source import JetStreamSource  # noqa: PLC0415
    from ingest.late import LateRoom  # noqa: PLC0415
    from ingest.metrics import WorkerMetrics  # noqa: PLC0415
    from ingest.mqtt.source import MqttSource  # noqa: PLC0415
    from ingest.pipeline import Pipeline  # noqa: PLC0415
    from ingest.topics import TopicRouter  # noqa: PLC0415
    from ingest.worker import Worker, WorkerOptions  # noqa: PLC0415

    relax_collector()
    metrics, now = WorkerMetrics(), SteadyClock(clock)
    own = sharding.shards(settings)
    options = WorkerOptions(dsn(settings), own.held, settings.ingest.standby, retention(settings))
    pipeline = Pipeline(
        judging_options(settings),
        TopicRouter(settings.ingest.topics),
        limits(settings),
        LateRoom(),
        settings.ingest.new_drivers,
    )
    source: MqttSource | JetStreamSource
    if settings.ingest.source == "mqtt":
        source = MqttSource(mqtt_options(settings), now)
        worker = Worker(options, source, pipeline, metrics, now)
    else:
        source = JetStreamSource(sharding.options(settings, own))
        metrics.watch_stream(source.stream)
        worker = Worker(options, source, pipeline, metrics, now, hold=source.hold)
    metrics.watch(source.backlog)
    with served(metrics.registry, settings.ingest.metrics_port), stopped_by_signals(stop):
        await worker.run(stop)


async def run_bridge(settings: Settings, stop: asyncio.Event) -> None:
    """Pass the feed's messages on to the MQTT broker until `stop` is set."""
    from ingest.bridge.bridge import Bridge  # noqa: PLC0415
    from ingest.bridge.metrics import BridgeMetrics  # noqa: PLC0415

    metrics = BridgeMetrics()
    bridge = Bridge(bridge_options(settings), metrics)
    with served(metrics.registry, settings.bridge.metrics_port), stopped_by_signals(stop):
        await bridge.run(stop)


def bridge_options(settings: Settings) -> "BridgeOptions":
    """Where the feed is, how it names providers, and where its messages go."""
    from ingest.bridge.options import BridgeOptions, FeedOptions  # noqa: PLC0415

    bridge = settings.bridge
    if not bridge.providers:
        raise CommandError("bridge.providers: expected the names of the providers, got none")
    access = connections.bridge_access(settings)
    return BridgeOptions(
        FeedOptions(
            url=bridge.amqp_url.get_secret_value(),
            providers=bridge.providers,
            tls=connections.amqp_tls(settings),
            exchange=bridge.exchange,
            exchange_type=bridge.exchange_type,
            queue=bridge.queue,
            routing_keys=bridge.routing_keys,
            declare=bridge.declare,
            aliases=bridge.aliases,
            check_body=bridge.check_body,
            aside_queue=bridge.aside_queue,
        ),
        tuple(
            connections.broker_options(settings, access, client_id=bridge.client_id, server=server)
            for server in settings.broker.servers
        ),
        window_messages=bridge.window_messages,
        window_bytes=bridge.window_mib << 20,
        body_bytes=bridge.body_mib << 20,
    )


async def run_auth(settings: Settings, stop: asyncio.Event) -> None:
    """Answer the broker who may come in until `stop` is set."""
    from ingest.identity.callout import Callout, CalloutOptions  # noqa: PLC0415
    from ingest.identity.metrics import AuthMetrics  # noqa: PLC0415
    from ingest.identity.tokens import Issuer  # noqa: PLC0415

    auth = settings.auth
    if auth.issuer_seed is None or auth.password is None:
        raise CommandError("auth: expected auth.issuer_seed and auth.password to be set")
    options = CalloutOptions(
        url=auth.url,
        username=auth.username,
        password=auth.password.get_secret_value(),
        dsn=dsn(settings),
        patterns=settings.ingest.topics,
        account=auth.account,
        session_s=auth.session_hours * 3600,
    )
    metrics, issuer = AuthMetrics(), Issuer(auth.issuer_seed.get_secret_value())
    with served(metrics.registry, auth.metrics_port), stopped_by_signals(stop):
        await Callout(options, issuer, clock, metrics).run(stop)


def simulator_broker(settings: Settings) -> "BrokerOptions":
    """How simulated trackers reach the broker."""
    return connections.broker_options(settings, connections.publisher_access(settings))


def replay_options(
    settings: Settings, file: Path, columns: "ColumnMap", speedup: float | None
) -> "ReplayOptions":
    """What is replayed, how fast, and to which broker."""
    from ingest.replay import ReplayOptions  # noqa: PLC0415

    return ReplayOptions(
        file=file,
        columns=columns,
        broker=connections.broker_options(settings, connections.publisher_access(settings)),
        speedup=speedup,
    )


async def release_quarantine(
    settings: Settings,
    reason: str | None,
    sender: str | None,
    ids: frozenset[int] | None,
    progress: Callable[[int], None],
) -> "Release":
    """Send what waits in the quarantine through the broker again."""
    from ingest.release import release  # noqa: PLC0415
    from mqtt.publisher import Publisher  # noqa: PLC0415
    from storage import database  # noqa: PLC0415

    options = connections.broker_options(settings, connections.publisher_access(settings))
    async with (
        await database.connect(dsn(settings), name="hanhtrinh release") as connection,
        # What nobody has subscribed to would be gone from the quarantine and from everywhere.
        Publisher(options, needs_subscribers=True) as publisher,
    ):
        return await release(
            connection, publisher.send, reason=reason, sender=sender, ids=ids, progress=progress
        )


async def rejudge(
    settings: Settings,
    since_us: int,
    plates: frozenset[str],
    reason: str,
    progress: Callable[[int, int], None],
) -> "Rejudged":
    """Judge what is stored again, of all vehicles or those with some plates."""
    import numpy as np  # noqa: PLC0415

    from ingest.pipeline import Pipeline  # noqa: PLC0415
    from ingest.rejudge import rejudge as judge_again  # noqa: PLC0415
    from ingest.topics import TopicRouter  # noqa: PLC0415
    from storage import database  # noqa: PLC0415

    require_schema(settings)
    pipeline = Pipeline(judging_options(settings), TopicRouter(settings.ingest.topics))
    async with await database.connect(dsn(settings), name="hanhtrinh rejudge") as connection:
        await connection.set_autocommit(True)
        await pipeline.refresh(connection)
        vehicles = None
        if plates:
            known = pipeline.rules.vehicles_of(plates)
            if missing := sorted(plates - known.keys()):
                raise CommandError(f"plate: expected registered ones, got {', '.join(missing)}")
            vehicles = np.array(sorted(known.values()), np.int32)
        return await judge_again(
            connection, pipeline, since_us, reason, vehicles=vehicles, progress=progress
        )


def embedded_environment(dsn: str, broker: "EmbeddedNats") -> dict[str, str]:
    """Variables with which `hanhtrinh worker`, `api` and the rest use this database and broker."""
    answering = {}
    if broker.callout is not None:
        answering = {
            "HANHTRINH_AUTH__URL": broker.callout.url,
            "HANHTRINH_AUTH__USERNAME": broker.callout.user.username,
            "HANHTRINH_AUTH__PASSWORD": broker.callout.user.password,
            "HANHTRINH_AUTH__ISSUER_SEED": broker.callout.seed,
        }
    return answering | {
        "HANHTRINH_DATABASE__DSN": dsn,
        "HANHTRINH_BROKER__HOST": broker.host,
        "HANHTRINH_BROKER__PORT": str(broker.mqtt_port),
        "HANHTRINH_BROKER__USERNAME": broker.worker.username,
        "HANHTRINH_BROKER__PASSWORD": broker.worker.password,
        "HANHTRINH_JETSTREAM__URL": broker.nats_url,
        "HANHTRINH_JETSTREAM__USERNAME": broker.shards.username,
        "HANHTRINH_JETSTREAM__PASSWORD": broker.shards.password,
        "HANHTRINH_PUBLISHER__USERNAME": broker.device.username,
        "HANHTRINH_PUBLISHER__PASSWORD": broker.device.password,
    }
