"""What a login may publish and read: its own topics and no others (docs/topics.md)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ingest.topics import DEFAULT_PATTERNS
from storage.credentials import Kind

COMMANDS: Final = "cmd/v1/{ident}"
"""Where a device may listen: nobody but the product's own parts publishes there."""

LIVE: Final = "gsht/v1/live/#"
"""What the worker publishes for screens. It has the shape of a device's topic and is none."""

STATIONS: Final = "weigh/"
"""Topics that begin so are weigh stations'; all others are devices' and providers'."""


@dataclass(frozen=True, slots=True)
class Access:
    """MQTT topic filters of one login. What is not named is refused."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    publish_never: tuple[str, ...] = (LIVE,)


def access_of(ident: str, kind: Kind, patterns: Mapping[str, str] = DEFAULT_PATTERNS) -> Access:
    """What a login may do. `ident` has as many levels as the topics that carry it.

    patterns: of topics, as the worker reads them.
    """
    levels = ident.split("/")
    publish = tuple(
        _filled(pattern, levels)
        for pattern in patterns
        if pattern.count("{ident}") == len(levels)
        and pattern.startswith(STATIONS) == (kind == "station")
    )
    commands = COMMANDS.replace("{ident}", ident)
    return Access(publish, (commands,) if kind == "device" else ())


def _filled(pattern: str, levels: list[str]) -> str:
    """The pattern with the identity's levels in it, and any codec."""
    for level in levels:
        pattern = pattern.replace("{ident}", level, 1)
    return pattern.replace("{codec}", "+")


_WILD: Final = {"+": "*", "#": ">"}


def subject_of(topic: str) -> str:
    """A topic filter as NATS' MQTT listener writes it: a slash is a dot, and a dot two slashes."""
    return ".".join(_WILD.get(level, level.replace(".", "//")) for level in topic.split("/"))
