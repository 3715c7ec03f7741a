"""Checks who logs in: name, secret and client id, against the registry as it is at that moment.

Secrets of ours are checked at once. A password that a person chose costs a tenth of a second of a
processor to check: such checks are rationed, and what was proven once is remembered by its digest.
"""

import asyncio
import secrets
from collections.abc import Sequence
from enum import StrEnum
from hashlib import blake2b
from hmac import compare_digest
from typing import Final, NamedTuple, TypeVar

from ingest.source import Clock
from storage.credentials import Checkable, Kind
from storage.secret_hash import matches

REMEMBERED: Final = 200_000
"""Proven passwords and recent wrong ones that are remembered, about 100 bytes each."""

SLOW_WAITING: Final = 64
"""Slow checks that wait for the one under way: six seconds of them, less than the broker waits."""

PAUSE_US: Final = 1_000_000
"""After a wrong password, others of that name are not tried for so long."""

LONGEST_SECRET: Final = 1024
"""A longer one is refused unread: digests of megabytes cost time."""


class Attempt(NamedTuple):
    """What a client says of itself."""

    username: str
    password: str
    client_id: str


class Refused(StrEnum):
    """Why somebody may not come in."""

    NO_NAME = "no_name"
    UNKNOWN = "unknown"
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - the name of a reason
    CLIENT_ID = "client_id"
    BUSY = "busy"
    NO_REGISTRY = "no_registry"


class Granted(NamedTuple):
    """Who came in. The session ends at `valid_until` at the latest."""

    ident: str
    kind: Kind
    valid_until: int


Verdict = Granted | Refused
K = TypeVar("K")
V = TypeVar("V")


class Checker:
    """Checks attempts against secrets in force."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._proven: dict[int, bytes] = {}
        self._wrong_at: dict[str, int] = {}
        self._slow = asyncio.Semaphore(1)
        self._slow_waiting = 0

    def quick(self, attempt: Attempt, known: Sequence[Checkable]) -> Verdict | None:
        """The verdict, by what can be checked at once; None: ask `slow`."""
        refused = _refused_unchecked(attempt, known)
        if refused is not None:
            return refused
        proof = self._proof(attempt.password)
        for secret in known:
            if not secret.kept.is_slow:
                proven = matches(secret.kept, attempt.password)
            else:
                proven = compare_digest(self._proven.get(secret.secret_id, b""), proof)
            if proven:
                return _granted(secret)
        has_slow = any(secret.kept.is_slow for secret in known)
        return None if has_slow else Refused.WRONG_SECRET

    async def slow(self, attempt: Attempt, known: Sequence[Checkable]) -> Verdict:
        """The verdict by chosen passwords: one check at a time, and one a second for a name."""
        now = self._clock()
        paused = now - self._wrong_at.get(attempt.username, -PAUSE_US) < PAUSE_US
        if paused or self._slow_waiting >= SLOW_WAITING:
            return Refused.BUSY
        self._slow_waiting += 1
        try:
            async with self._slow:
                for secret in known:
                    if not secret.kept.is_slow:
                        continue
                    if await asyncio.to_thread(matches, secret.kept, attempt.password):
                        _remember(self._proven, secret.secret_id, self._proof(attempt.password))
                        return _granted(secret)
        finally:
            self._slow_waiting -= 1
        _remember(self._wrong_at, attempt.username, now)
        return Refused.WRONG_SECRET

    def _proof(self, password: str) -> bytes:
        encoded = password.encode("utf-8", "surrogatepass")
        return blake2b(encoded, key=self._key, digest_size=32).digest()


def _refused_unchecked(attempt: Attempt, known: Sequence[Checkable]) -> Refused | None:
    if not attempt.username:
        return Refused.NO_NAME
    if not known:
        return Refused.UNKNOWN
    # Whoever takes another's client id ends the other's session.
    if attempt.client_id != known[0].client_id:
        return Refused.CLIENT_ID
    return Refused.WRONG_SECRET if len(attempt.password) > LONGEST_SECRET else None


def _granted(secret: Checkable) -> Granted:
    return Granted(secret.ident, secret.kind, secret.valid_until)


def _remember(memory: dict[K, V], key: K, value: V) -> None:
    if len(memory) >= REMEMBERED:
        memory.clear()
    memory[key] = value
