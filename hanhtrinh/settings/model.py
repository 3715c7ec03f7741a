"""Every setting there is: name, type, default, unit and help, declared here and nowhere else.

From these rows come the names of environment variables, the keys of the TOML file, the table of
docs/settings.md and what `hanhtrinh doctor --show-settings` prints.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)


def setting(default: Any, about: str, *, unit: str = "", **limits: Any) -> Any:
    """One row: what it is when nobody says otherwise, in which unit, and what it is for."""
    return Field(default, description=about, json_schema_extra={"unit": unit}, **limits)


def _divided(value: object) -> object:
    """A list in an environment variable is written with commas."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _known_timezone(value: object) -> object:
    try:
        ZoneInfo(str(value))
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("expected a name of the tz database, such as Asia/Ho_Chi_Minh") from error
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_divided), Field(min_length=1)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Timezone = Annotated[str, BeforeValidator(_known_timezone)]


class Section(BaseModel):
    """A table of the TOML file."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


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

    host: str = setting("localhost", "name or address of the broker", min_length=1)
    port: Port = setting(1883, "port of its MQTT listener")
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


class Publisher(Section):
    """Who `simulate`, `replay` and `quarantine release` publish as."""

    username: str | None = setting(None, "user; none: the worker's (broker.username)")
    password: SecretStr | None = setting(None, "password of that user")


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
    window_mib: int = setting(256, "and their payloads together", unit="MiB", ge=16, le=65_536)
    shard: int = setting(0, "the shard of vehicles that this worker judges", ge=0, le=65_535)
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


class Auth(Section):
    """`hanhtrinh auth`, which answers a NATS broker who may come in."""

    url: str = setting(
        "nats://localhost:4222", "where the broker speaks NATS; tls:// encrypts", min_length=1
    )
    username: str = setting("auth", "user of NATS' system account that answers", min_length=1)
    password: SecretStr | None = setting(None, "password of that user")
    issuer_seed: SecretStr | None = setting(
        None, "seed of the account key that signs answers; `hanhtrinh auth --new-key` makes one"
    )
    account: str = setting("$G", "NATS' account that devices belong to", min_length=1)
    session_hours: float = setting(
        24.0, "a device logs in again after this time at the latest", unit="h", gt=0, le=720
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
    future_over_s: float = setting(
        180.0, "a fix further ahead of the clock at its arrival is marked future", unit="s", ge=0
    )
    late_over_s: float = setting(
        120.0, "a fix older than this at its arrival is marked late", unit="s", ge=0
    )

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        if self.west >= self.east or self.south >= self.north:
            raise ValueError(
                "west, south, east, north: expected west < east and south < north, got "
                f"{self.west:g}, {self.south:g}, {self.east:g}, {self.north:g}"
            )
        return self


class Api(Section):
    """The HTTP API."""

    host: str = setting("127.0.0.1", "address to listen on", min_length=1)
    port: int = setting(8080, "port to listen on; 0: any free one", ge=0, le=65_535)
    statement_timeout_s: float = setting(
        15.0, "a query that runs longer is cancelled, and the caller told", unit="s", gt=0
    )
    body_kib: int = setting(
        4096, "a larger request body is refused", unit="KiB", ge=1, le=1_048_576
    )
    window_days: int = setting(
        31, "longest stretch of time of one journey request", unit="days", ge=1, le=366
    )


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
    publisher: Publisher = Publisher()
    ingest: Ingest = Ingest()
    quarantine: Quarantine = Quarantine()
    auth: Auth = Auth()
    judge: Judge = Judge()
    api: Api = Api()
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
