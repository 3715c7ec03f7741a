"""Every setting there is: name, type, default, unit and help, declared here and in doors.py.

From these rows come the names of environment variables, the keys of the TOML file, the table of
docs/settings.md and what `hanhtrinh doctor --show-settings` prints.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from hanhtrinh.settings.declaring import Names, Port, Section, Timezone, setting
from hanhtrinh.settings.doors import Api, Auth, Bridge, Gateway
from mqtt.options import Server


class Database(Section):
    """PostgreSQL or TimescaleDB."""

    dsn: SecretStr = setting(
        "postgresql://localhost/hanhtrinh",
        "connection string of the database, as libpq takes it",
    )
    pool_connections: int = setting(
        10, "connections that one API process holds at most", unit="connections", ge=1, le=1000
    )


class Broker(Section):
    """The MQTT broker, as the worker sees it."""

    host: str = setting(
        "localhost",
        "name or address of the broker; several that know nothing of each other with commas, such "
        "as a,b or a:1883,b:1884 (docs/brokers.md)",
        min_length=1,
    )
    port: Port = setting(1883, "port of its MQTT listener; of several, of those that name none")
    username: str | None = setting(None, "user that the worker connects as")
    password: SecretStr | None = setting(None, "password of that user")
    client_id: str = setting(
        "hanhtrinh-worker-0",
        "name of the worker's persistent session; every worker needs its own",
        min_length=1,
        max_length=64,
    )
    protocol: Literal["3.1.1", "5"] = setting("3.1.1", "version of MQTT")
    keepalive_s: int = setting(
        60, "silence after which either side asks for a sign of life", unit="s", ge=5, le=65_535
    )
    tls: bool = setting(False, "encrypt the connection and check the broker's certificate")
    tls_ca: Path | None = setting(
        None, "file with the certificates to trust (PEM); none: those of the system"
    )
    tls_cert: Path | None = setting(
        None, "file with the worker's own certificate (PEM), where the broker asks for one"
    )
    tls_key: Path | None = setting(
        None, "file with its private key (PEM, without a passphrase); none: in the same file"
    )

    @property
    def servers(self) -> tuple[Server, ...]:
        """Every broker, in the order in which they are written."""
        return tuple(Server.parse(part, self.port) for part in self.host.split(","))

    @model_validator(mode="after")
    def _has_servers(self) -> Self:
        try:
            servers = self.servers
        except ValueError as error:
            raise ValueError(f"host: {error}") from error
        if len(set(servers)) < len(servers):
            raise ValueError(f"host: expected each broker once, got {self.host!r}")
        return self


class JetStream(Section):
    """The stream that workers share out among them (`ingest.source`), and where it is."""

    url: str = setting(
        "nats://localhost:4222",
        "where the broker speaks NATS; tls:// encrypts; the servers of a cluster with commas",
        pattern=r"^(nats|tls)://\S+$",
    )
    username: str | None = setting(None, "user of NATS that the worker connects as")
    password: SecretStr | None = setting(None, "password of that user")
    tls_ca: Path | None = setting(
        None, "file with the certificates to trust there (PEM); none: those of the system"
    )
    tls_cert: Path | None = setting(None, "file with the worker's certificate there (PEM)")
    tls_key: Path | None = setting(None, "file with its private key (PEM); none: in the same file")
    stream: str = setting("HANHTRINH", "name of the stream", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    partitions: int = setting(
        1, "partitions of the stream: as many workers as that can share it", ge=1, le=1024
    )
    replicas: int = setting(
        1, "copies of each message, on as many servers of a cluster: 3 outlive one", ge=1, le=5
    )
    max_gib: float | None = setting(
        None, "bytes that may wait; a full stream takes nothing in, and drops nothing; none: as "
        "much as the server may store", unit="GiB", gt=0,
    )  # fmt: skip


class Publisher(Section):
    """Who `simulate`, `replay`, `quarantine release` and `gateway` publish as."""

    username: str | None = setting(None, "user; none: the worker's (broker.username)")
    password: SecretStr | None = setting(None, "password of that user")
    tls_cert: Path | None = setting(
        None, "file with its certificate (PEM); none: the worker's (broker.tls_cert)"
    )
    tls_key: Path | None = setting(None, "file with its private key (PEM); none: in the same file")


class Ingest(Section):
    """Batches of the worker."""

    batch_messages: int = setting(
        4096, "a batch is committed at this many messages", unit="messages", ge=1, le=65_535
    )
    batch_age_ms: int = setting(
        200, "or this long after its first message", unit="ms", ge=1, le=60_000
    )
    window_messages: int = setting(
        65_535,
        "messages taken from the broker and not yet committed, at most",
        unit="messages",
        ge=1,
        le=65_535,
    )
    window_mib: int = setting(
        256, "and their payloads and topics together", unit="MiB", ge=16, le=65_536
    )
    new_drivers: int = setting(
        32,
        "drivers whom nobody has registered that one vehicle may name in a day; fixes of further "
        "ones are kept with no driver, and what they named beside them",
        unit="drivers",
        ge=1,
    )
    source: Literal["mqtt", "jetstream"] = setting(
        "mqtt",
        "mqtt: a session of the worker's own, with any broker; jetstream: partitions of a stream "
        "that several workers share (docs/sources.md)",
    )
    shard: int = setting(
        0, "the shard that this worker judges: with jetstream, one of jetstream.partitions",
        ge=0, le=65_535,
    )  # fmt: skip
    shards: str | None = setting(
        None, "with jetstream, several instead, and of how many: 0-3/8; none: ingest.shard"
    )
    standby: bool = setting(
        False, "with jetstream, wait for shards that others judge, instead of ending"
    )
    topics: dict[str, str] = setting(
        {
            "gsht/v1/{codec}/{ident}": "",
            "weigh/v1/{codec}/{ident}": "weigh-",
            "owntracks/{ident}/{ident}": "owntracks",
            "{ident}/data": "teltonika-json",
        },
        "topic patterns and their codecs; where the topic names the codec, a prefix for its name",
        min_length=1,
    )
    share_group: str | None = setting(
        None,
        "group of a shared subscription, so that workers divide topics among them: only with a "
        "broker that gives all messages of a topic to one of them (docs/brokers.md)",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
    )
    metrics_port: Port | None = setting(
        None, "port on which the worker serves Prometheus metrics; none: it serves none"
    )


class Quarantine(Section):
    """What is kept of messages that could not be used."""

    kept_per_hour: int = setting(
        1000,
        "messages of one sender and reason that are kept whole in an hour; all are counted",
        unit="messages",
        ge=1,
        le=10_000_000,
    )
    kept_mendable_per_hour: int = setting(
        20_000,
        "the same for reasons that registering somebody mends (`unknown_*`)",
        unit="messages",
        ge=1,
        le=10_000_000,
    )
    kept_mib_per_hour: int = setting(
        64, "and their bytes together, of one sender and reason", unit="MiB", ge=1, le=65_536
    )
    waiting_days: int = setting(
        90, "what waits is deleted when it was last seen so long ago", unit="days", ge=1, le=3650
    )
    released_days: int = setting(
        7, "what was released is deleted after this time", unit="days", ge=0, le=3650
    )
    counts_days: int = setting(
        730, "counts by hour, sender and reason are deleted after it", unit="days", ge=1, le=36_500
    )


class Upkeep(Section):
    """`hanhtrinh upkeep`: how long what is kept, by age of the data itself."""

    fixes_days: int = setting(
        366, "fixes, with what their formats carried beside; what a violation rests on: with it",
        unit="days", ge=31, le=36_500,
    )  # fmt: skip
    violations_days: int = setting(
        1096, "violations and their versions; under appeal: until decided", unit="days", ge=31,
        le=36_500,
    )  # fmt: skip
    hours_days: int = setting(
        1096, "what vehicles did by hour: distance, driving, silence", unit="days", ge=31,
        le=36_500,
    )  # fmt: skip
    days_days: int = setting(
        1096, "what vehicles did by local day; no shorter than by hour", unit="days", ge=31,
        le=36_500,
    )  # fmt: skip
    weighings_days: int = setting(
        1096, "weighings; what a violation rests on: with it", unit="days", ge=31, le=36_500
    )
    visits_days: int = setting(1096, "stays inside zones", unit="days", ge=31, le=36_500)
    trips_days: int = setting(1096, "trips on fixed routes", unit="days", ge=31, le=36_500)
    spans_days: int = setting(
        1096, "who drove what when; as long as fixes at least", unit="days", ge=31, le=36_500
    )
    repeats_days: int = setting(
        1096, "how many fixes of a vehicle and day came more than once", unit="days", ge=31,
        le=36_500,
    )  # fmt: skip
    sessions_days: int = setting(
        30, "sessions of people that are over, with the addresses they came from; the audit keeps"
        " who came in", unit="days", ge=1, le=36_500,
    )  # fmt: skip
    audit_days: int = setting(
        1826, "rows of the audit that are younger are not taken out by `hanhtrinh audit remove`",
        unit="days", ge=31, le=36_500,
    )  # fmt: skip
    compressed_after_days: int = setting(
        7, "fixes become columns at this age (TimescaleDB)", unit="days", ge=1, le=36_500
    )
    metrics_port: Port | None = setting(
        None, "loopback port for Prometheus metrics, with `--every`; none: no metrics"
    )


class Judge(Section):
    """What fixes are judged by."""

    profiles: Names = setting(
        ("qcvn31",),
        "rule profiles that share out all time: names of those shipped, or paths of TOML files",
    )
    roads: Path | None = setting(
        None, "roads with their limits, a file of `hanhtrinh roads import`; none: no road limits"
    )
    timezone: Timezone = setting("Asia/Ho_Chi_Minh", "timezone of calendar days and weekly hours")
    west: float = setting(102.0, "where vehicles can be: western bound", unit="°", ge=-180, le=180)
    south: float = setting(8.0, "southern bound", unit="°", ge=-90, le=90)
    east: float = setting(110.0, "eastern bound", unit="°", ge=-180, le=180)
    north: float = setting(24.0, "northern bound", unit="°", ge=-90, le=90)

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        if self.west >= self.east or self.south >= self.north:
            raise ValueError(
                "west, south, east, north: expected west < east and south < north, got "
                f"{self.west:g}, {self.south:g}, {self.east:g}, {self.north:g}"
            )
        return self


class Log(Section):
    """What is written to standard error."""

    format: Literal["auto", "pretty", "json"] = setting(
        "auto", "auto: pretty on a terminal, one JSON object a line otherwise"
    )
    level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "the least severe events that are written"
    )


class Settings(BaseSettings):
    """All settings. Make them with `load`, which knows where each value comes from."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, validate_default=True)

    data_folder: Path | None = setting(
        None, "folder of the embedded servers; none: a new one in the system's temp folder"
    )
    database: Database = Database()
    broker: Broker = Broker()
    jetstream: JetStream = JetStream()
    publisher: Publisher = Publisher()
    bridge: Bridge = Bridge()
    ingest: Ingest = Ingest()
    quarantine: Quarantine = Quarantine()
    upkeep: Upkeep = Upkeep()
    auth: Auth = Auth()
    judge: Judge = Judge()
    api: Api = Api()
    gateway: Gateway = Gateway()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` hands over: it asks the sources itself, to know what came from where."""
        assert isinstance(init_settings, InitSettingsSource)
        return (init_settings,)
