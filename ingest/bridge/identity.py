"""Whose message a delivery is: what it says of its provider, all of which must agree.

Belongs here: claims and their comparison, without any connection. The feed says who sent a message
by where it was sent (exchange, routing key, queue), by the user whose connection it came through
(RabbitMQ checks the property), and at times inside the body. A message proves its provider by one
of the first four; the body can only contradict.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from ingest.bridge.options import PROVIDER, FeedOptions

KNOWN: Final = 10_000
"""Combinations of claims whose outcome is remembered: a feed has some dozens."""


class Aside(StrEnum):
    """Why a message is set aside instead of published."""

    IDENTITY_MISMATCH = "identity_mismatch"
    NO_PROVIDER = "no_provider"
    UNKNOWN_PROVIDER = "unknown_provider"
    TOO_LARGE = "too_large"


class Claims(NamedTuple):
    """What a delivery says. None or empty: nothing."""

    queue: str
    exchange: str
    routing_key: str
    user_id: str | None
    body: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The provider; or, if there is none, why the message is set aside."""

    provider: str = ""
    aside: Aside | None = None
    detail: str = ""


class Identifier:
    """Claims to providers, by the names that the options give."""

    def __init__(self, options: FeedOptions) -> None:
        self._names = {name.casefold(): name for name in options.providers}
        aliases: Mapping[str, str] = options.aliases
        self._aliases = {alias.casefold(): name.casefold() for alias, name in aliases.items()}
        self._queue = _reader(options.queue)
        self._exchange = _reader(options.exchange)
        self._keys = [_reader(key) for key in options.routing_keys if PROVIDER in key]
        self._known: dict[Claims, Verdict] = {}

    def identify(self, claims: Claims) -> Verdict:
        """The provider that all claims agree on."""
        found = self._known.get(claims)
        if found is None:
            if len(self._known) >= KNOWN:
                self._known.clear()
            found = self._known[claims] = self._judge(claims)
        return found

    def _judge(self, claims: Claims) -> Verdict:
        proofs = {
            "queue": _read(self._queue, claims.queue),
            "exchange": _read(self._exchange, claims.exchange),
            "routing key": next(
                (name for key in self._keys if (name := _read(key, claims.routing_key))), None
            ),
            "user": claims.user_id,
        }
        said = {what: name for what, name in proofs.items() if name}
        if not said:
            return Verdict(aside=Aside.NO_PROVIDER, detail="nothing names the provider")
        if claims.body:
            said["body"] = claims.body
        names = {self._plain(name) for name in said.values()}
        detail = ", ".join(f"{what} {name!r}" for what, name in said.items())
        if len(names) > 1:
            return Verdict(aside=Aside.IDENTITY_MISMATCH, detail=detail)
        provider = self._names.get(names.pop())
        if provider is None:
            return Verdict(aside=Aside.UNKNOWN_PROVIDER, detail=detail)
        return Verdict(provider)

    def _plain(self, name: str) -> str:
        plain = name.casefold()
        return self._aliases.get(plain, plain)


def _reader(pattern: str) -> re.Pattern[str] | None:
    """Reads the provider off a name; None: such names name none."""
    before, found, after = pattern.partition(PROVIDER)
    return re.compile(f"{re.escape(before)}(.+){re.escape(after)}") if found else None


def _read(reader: re.Pattern[str] | None, name: str) -> str | None:
    match = reader.fullmatch(name) if reader is not None else None
    return match[1] if match else None
