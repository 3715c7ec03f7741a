"""Errors of the command line, and which errors of the other packages a person can act on."""

import sys
from collections.abc import Iterator


class CommandError(Exception):
    """A command that cannot do what was asked; the message says what to do."""


class UsageError(CommandError):
    """Arguments that do not fit together: exit code 2."""


def expected_errors() -> Iterator[type[BaseException]]:
    """Errors whose message is all that a person needs; anything else is shown with its traceback.

    Packages that were not imported cannot have raised.
    """
    yield from (CommandError, OSError)
    for module, name in (
        ("hanhtrinh.embedded.errors", "EmbeddedError"),
        ("hanhtrinh.settings.errors", "SettingsError"),
        ("devices.errors", "DevicesError"),
        ("geofence.errors", "GeofenceError"),
        ("ingest.errors", "IngestError"),
        ("mqtt.errors", "MqttError"),
        ("simulators.errors", "SimulatorError"),
        ("storage.errors", "StorageError"),
        ("psycopg", "Error"),
        ("psycopg_pool", "PoolTimeout"),
    ):
        if module in sys.modules:
            yield getattr(sys.modules[module], name)
