"""InHand: what kills the process is found by what was in hand when it died.

An exception names its batch, and the worker halves that until the message to blame stands alone. A
crash of the interpreter, or the kernel's killing it for want of memory, names nothing. So the
digests of a batch are put down before it is worked on and wiped out by its own commit. What a new
worker finds was in hand at a death: each of those messages is suspected, and taken up alone when
the broker brings it again, in whatever batch. The one that is alone in hand at the next death is
guilty, and is set aside unread. Two deaths are needed for it, and one alone costs nobody anything
but a few seconds of single messages (docs/decisions/0020).

Late fixes that are taken up were messages once, and are known by their vehicle: a suspected one's
are taken up alone, and a guilty one's are set aside.
"""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import groupby

from psycopg import AsyncConnection

from devices.batch import I32
from ingest.source import MessageBatch
from storage import in_hand as table
from storage.in_hand import DIGEST_BYTES

MOST_SUSPECTS = 65_536
"""As many as a worker can hold unacknowledged: all that one death can make suspects of."""


def digests_of(batch: MessageBatch) -> list[bytes]:
    """What messages are known by, whatever batch the broker brings them in."""
    return [
        blake2b(b"%b\0%b" % (topic.encode(), payload), digest_size=DIGEST_BYTES).digest()
        for topic, payload in zip(batch.topics, batch.payloads, strict=True)
    ]


def digests_of_late(vehicles: I32) -> list[bytes]:
    """What vehicles' late fixes are known by; no topic is empty, so no message is taken for it."""
    return [
        blake2b(b"\0late\0%d" % vehicle, digest_size=DIGEST_BYTES).digest()
        for vehicle in vehicles.tolist()
    ]


class InHand:
    """What the worker of some shards has in hand, and whom it suspects.

    It is put down with the first of the shards, whatever it came from; whoever takes that one over
    learns of it.
    """

    def __init__(self) -> None:
        self._shards: frozenset[int] = frozenset()
        self._suspects: frozenset[bytes] = frozenset()
        self._guilty: frozenset[bytes] = frozenset()

    @property
    def suspects(self) -> int:
        """How many messages are taken up alone when they come again."""
        return len(self._suspects)

    async def take_over(self, conn: AsyncConnection, shards: frozenset[int]) -> None:
        """Learn what the last workers of shards died of; to be called with all that are held.

        What this process has put down itself, before it lost a connection, says nothing of deaths.
        """
        new = sorted(shards - self._shards)
        if new or (shards and min(shards) != self._home):
            async with conn.transaction():
                for row in await table.take_over(conn, new):
                    self._guilty |= row.guilty | (row.digests & row.suspects)
                    self._suspects |= row.suspects | row.digests
                self._suspects = frozenset(sorted(self._suspects - self._guilty)[:MOST_SUSPECTS])
                await table.judge(conn, min(shards), self._suspects, self._guilty)
        self._shards = shards

    def divided(self, batch: MessageBatch) -> Iterator[tuple[MessageBatch, bool]]:
        """The batch in parts to be worked on one by one, and whether each is guilty.

        Usually the whole of it. Each suspect is a part; the others are parts as they lie between.
        """
        if not self._suspects and not self._guilty:
            yield batch, False
            return
        digests = digests_of(batch)
        alone = [digest in self._suspects or digest in self._guilty for digest in digests]
        start = 0
        for is_alone, run in groupby(alone):
            stop = start + sum(1 for _ in run)
            step = 1 if is_alone else stop - start
            for row in range(start, stop, step):
                yield batch.slice(row, row + step), digests[row] in self._guilty
            start = stop

    def next_of(self, vehicles: I32) -> tuple[I32, bool]:
        """Of vehicles whose late fixes are due, whose are taken up now, and whether it is guilty.

        Usually all. A suspected or guilty one is taken alone, before the others.
        """
        if self._suspects or self._guilty:
            for row, digest in enumerate(digests_of_late(vehicles)):
                if digest in self._suspects or digest in self._guilty:
                    return vehicles[row : row + 1], digest in self._guilty
        return vehicles, False

    async def hold(self, conn: AsyncConnection, digests: list[bytes]) -> None:
        """Put down that what is known by these digests is being worked on from now on."""
        await table.hold(conn, self._home, digests)

    async def release(self, conn: AsyncConnection, digests: list[bytes]) -> None:
        """In the transaction that commits them: nothing is in hand, and none of them is suspected.

        Should the transaction fail after all, they are suspected no more: the process lives.
        """
        if not self._suspects and not self._guilty:
            await table.release(conn, self._home)
            return
        cleared = frozenset(digests)
        self._suspects -= cleared
        self._guilty -= cleared
        await table.judge(conn, self._home, self._suspects, self._guilty)

    @property
    def _home(self) -> int:
        return min(self._shards)
