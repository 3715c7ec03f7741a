"""Servers that hanhtrinh brings along: PostgreSQL and NATS from wheels, run in a data folder.

Each server is a real process on a free loopback port with passwords of its own. It ends with the
process that started it, however that one ends.

    with DataFolder.open(path) as folder:
        with EmbeddedPostgres(folder) as database, EmbeddedNats(folder) as broker:
            database.dsn, broker.mqtt_port, broker.worker.password
"""

from hanhtrinh.embedded.credentials import Credentials
from hanhtrinh.embedded.errors import (
    EmbeddedError,
    FolderInUseError,
    FolderNotUsableError,
    ServerNotStartedError,
)
from hanhtrinh.embedded.folder import DataFolder
from hanhtrinh.embedded.nats import EmbeddedNats
from hanhtrinh.embedded.postgres import EmbeddedPostgres

__all__ = [
    "Credentials",
    "DataFolder",
    "EmbeddedError",
    "EmbeddedNats",
    "EmbeddedPostgres",
    "FolderInUseError",
    "FolderNotUsableError",
    "ServerNotStartedError",
]
