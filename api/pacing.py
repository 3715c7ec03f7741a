"""How much one caller may ask: by address before anything is looked at, and by key or session.

Counts are this process's own: several API processes allow as many times as much. What is held is
bounded; callers that were quiet for longest are forgotten first, which can only be kind to them.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from time import monotonic
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.options import ApiOptions
from api.problems import Problem, problem_response

MOST_CALLERS: Final = 50_000
"""Of each kind: about 10 MB."""

LONGEST_LINE: Final = 20
"""Times what may be under way: what a page of a browser asks for at once, and more."""

PASSWORD_CHECKS: Final = 2
"""At once: each holds 64 MiB and one processor for a tenth of a second."""

TABLES_READ: Final = 1
"""At once: a body of 4 MiB that was made for it holds 400 MB while it is read."""


class Buckets:
    """Token buckets: `rate` a second in the long run, `burst` at once."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = monotonic) -> None:
        self.rate, self.burst, self.clock = rate, burst, clock
        self._held: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, who: Hashable) -> float:
        """Take one. Returns 0, or for how many seconds there is none."""
        now = self.clock()
        level, at = self._held.pop(who, (self.burst, now))
        level = min(self.burst, level + (now - at) * self.rate)
        wait_s = 0.0 if level >= 1 else (1 - level) / self.rate
        self._held[who] = (level if wait_s else level - 1, now)
        if len(self._held) > MOST_CALLERS:
            self._held.popitem(last=False)
        return wait_s


def network_of(address: str) -> Hashable:
    """Whom requests of an address are counted as: of IPv6 the network of 64 bits.

    A customer of a provider has all of one, and another address of it for every request.
    """
    try:
        found = ip_address(address)
    except ValueError:  # a name that a test or a proxy gives
        return address
    if found.version == 4:
        return found
    return found.ipv4_mapped or found.packed[:8]


class Turns:
    """Requests of one caller: `most` are under way, the others wait in a line."""

    def __init__(self, most: int) -> None:
        self.most, self.asked = most, 0
        self.free = asyncio.Semaphore(most)


class Pacing:
    """The limits of one API process."""

    def __init__(self, options: ApiOptions, clock: Callable[[], float] = monotonic) -> None:
        self.addresses = Buckets(
            options.address_requests_per_s, options.address_requests_per_s * 5, clock
        )
        self.callers = Buckets(options.requests_per_s, options.requests_per_s * 5, clock)
        self.logins = Buckets(options.logins_per_minute / 60, options.logins_per_minute, clock)
        self.password_checks = asyncio.Semaphore(PASSWORD_CHECKS)
        self.table_reads = asyncio.Semaphore(TABLES_READ)
        self._most_at_once = options.requests_at_once
        self._turns: dict[Hashable, Turns] = {}

    @asynccontextmanager
    async def turn_of(self, caller: Hashable) -> AsyncIterator[None]:
        """One request of a caller, when it is its turn. Raises Problem where there are too many.

        Who asks long questions leaves connections to others; who waits holds none.
        """
        refuse(self.callers.take(caller))
        turns = self._turns.setdefault(caller, Turns(self._most_at_once))
        if turns.asked >= turns.most * LONGEST_LINE:
            raise too_many(1.0)
        turns.asked += 1
        try:
            async with turns.free:
                yield
        finally:
            turns.asked -= 1
            if not turns.asked:
                del self._turns[caller]


def refuse(wait_s: float) -> None:
    """Raises Problem unless there is nothing to wait for."""
    if wait_s > 0:
        raise too_many(wait_s)


def too_many(wait_s: float) -> Problem:
    """The answer to who asks too often."""
    after = max(1, round(wait_s + 0.5))
    return Problem(
        "too_many_requests", f"try again in {after} s", headers={"Retry-After": str(after)}
    )


class PacedByAddress:
    """ASGI middleware that answers an address that asks too often, before anything else is done."""

    def __init__(self, app: ASGIApp, pacing: Pacing) -> None:
        self.app, self.pacing = app, pacing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope.get("client"):
            wait_s = self.pacing.addresses.take(network_of(scope["client"][0]))
            if wait_s > 0:
                answer = problem_response(too_many(wait_s), scope["path"])
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)
