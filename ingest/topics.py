"""Which codec a topic names, and whose message it is."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ingest.errors import Unusable

DEFAULT_PATTERNS: Final[Mapping[str, str]] = {
    "gsht/v1/{codec}/{ident}": "",
    "weigh/v1/{codec}/{ident}": "weigh-",
    "owntracks/{ident}/{ident}": "owntracks",
    "{ident}/data": "teltonika-json",
}
"""Topic pattern -> codec. A pattern with {codec} names the codec in the topic itself, and the value
is a prefix for it. Several {ident} levels are joined by a slash."""


def subscriptions(patterns: Iterable[str]) -> tuple[str, ...]:
    """Topic filters that cover the patterns."""
    return tuple(
        "/".join("+" if level.startswith("{") else level for level in pattern.split("/"))
        for pattern in patterns
    )


KNOWN_TOPICS: Final = 200_000
"""Topics that are remembered, about 60 MB: a tracker keeps to one for years."""

KNOWN_LENGTH: Final = 256
"""A longer topic is not remembered: whoever makes up topics of 64 KB must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Address:
    """Codec name and identity that a topic names."""

    codec: str
    ident: str


@dataclass(frozen=True, slots=True)
class _Pattern:
    regex: re.Pattern[str]
    codec: str


class TopicRouter:
    """Topics to addresses, by the first pattern that fits."""

    def __init__(self, patterns: Mapping[str, str] = DEFAULT_PATTERNS) -> None:
        self._patterns = [_compile(pattern, codec) for pattern, codec in patterns.items()]
        self._known: dict[str, Address | Unusable] = {}

    def address(self, topic: str) -> Address | Unusable:
        """Where a topic leads, or Unusable.UNKNOWN_TOPIC."""
        found = self._known.get(topic)
        if found is None:
            found = self._match(topic)
            if len(topic) <= KNOWN_LENGTH:
                if len(self._known) >= KNOWN_TOPICS:
                    self._known.clear()
                self._known[topic] = found
        return found

    def addresses(self, topics: Sequence[str]) -> list[Address | Unusable]:
        """Where each of many topics leads."""
        known, address = self._known, self.address
        return [known.get(topic) or address(topic) for topic in topics]

    def _match(self, topic: str) -> Address | Unusable:
        for pattern in self._patterns:
            match = pattern.regex.fullmatch(topic)
            if match is None:
                continue
            levels = match.groupdict()
            named = levels.pop("codec", None)
            ident = "/".join(levels[name] for name in sorted(levels))
            codec = pattern.codec + named if named is not None else pattern.codec
            return Address(codec, ident)
        return Unusable.UNKNOWN_TOPIC


def _compile(pattern: str, codec: str) -> _Pattern:
    """A pattern of topic levels as a regular expression over whole topics."""
    idents = 0
    parts: list[str] = []
    for level in pattern.split("/"):
        if level == "{codec}":
            parts.append("(?P<codec>[^/+#]+)")
        elif level == "{ident}":
            parts.append(f"(?P<ident{idents}>[^/+#]+)")
            idents += 1
        elif "{" in level or level in {"+", "#", ""}:
            raise ValueError(
                f"topic pattern {pattern!r}: level {level!r}: "
                "expected a name, {codec} or {ident}"
            )
        else:
            parts.append(re.escape(level))
    if not idents or ("{codec}" not in pattern and not codec):
        raise ValueError(f"topic pattern {pattern!r}: expected an {{ident}} and a codec")
    return _Pattern(re.compile("/".join(parts)), codec)
