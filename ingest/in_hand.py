"""InHand: what kills the process is found by what was in hand when it died.

An exception names its batch, and the worker halves that until the message to blame stands alone. A
crash of the interpreter, or the kernel's killing it for want of memory, names nothing. So the
digests of a batch are put down before it is worked on and wiped out by its own commit. What a new
worker finds was in hand at a death: each of those messages is suspected, and taken up alone when
the broker brings it again, in whatever batch; or with a few others, if there are more of them than
MOST_PARTS. The one that is alone in hand at a further death is guilty, and is set aside unread. Two
deaths are needed for it, three if they were many, and one alone costs nobody anything but a second
of small batches (docs/decisions/0020).

Late fixes that are taken up were messages once, and are known by their vehicle: suspected ones' are
taken up apart from the others', and a guilty one's are set aside.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final

import numpy as np
from psycopg import AsyncConnection

from devices.batch import I32
from ingest.source import MessageBatch
from storage import in_hand as table
from storage.in_hand import DIGEST_BYTES

MOST_SUSPECTS: Final = 65_536
"""As many as a worker can hold unacknowledged: all that one death can make suspects of."""

MOST_PARTS: Final = 64
"""In so many transactions at most are the suspects of a death taken up: a second or so, for which
what is new waits, and in which a further death of some other cause could blame the innocent."""


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
        self._together = 1
        # Whether more are put down than are suspected or guilty still.
        self._is_behind = False

    @property
    def suspects(self) -> int:
        """How many messages and late vehicles are taken up apart when they come again."""
        return len(self._suspects)

    @property
    def guilty(self) -> int:
        """How many messages and late vehicles are set aside when they come again."""
        return len(self._guilty)

    async def take_over(self, conn: AsyncConnection, shards: frozenset[int]) -> None:
        """Learn what the last workers of shards died of; to be called with all that are held.

        What this process has put down itself, before it lost a connection, says nothing of deaths.
        """
        new = sorted(shards - self._shards)
        if new or (shards and min(shards) != self._home):
            async with conn.transaction():
                for row in await table.take_over(conn, new):
                    suspects, guilty = _concluded(row)
                    self._suspects |= suspects
                    self._guilty |= guilty
                self._suspects = frozenset(sorted(self._suspects - self._guilty)[:MOST_SUSPECTS])
                await table.judge(conn, min(shards), self._suspects, self._guilty)
            self._together = max(1, -(-len(self._suspects) // MOST_PARTS))
            self._is_behind = False
        self._shards = shards

    def divided(self, batch: MessageBatch) -> Iterator[tuple[MessageBatch, bool]]:
        """The batch in parts to be worked on one by one, and whether each is guilty.

        Usually the whole of it. Each guilty message is a part, then come the suspects, and all
        others are the last part: of what is left from before a death, most are suspects.
        """
        if not self._suspects and not self._guilty:
            yield batch, False
            return
        guilty, suspects, others = self._sorted(digests_of(batch))
        for row in guilty:
            yield batch.take([row]), True
        for start in range(0, len(suspects), self._together):
            yield batch.take(suspects[start : start + self._together]), False
        if others:
            yield batch.take(others), False

    def next_of(self, vehicles: I32) -> tuple[I32, bool]:
        """Of vehicles whose late fixes are due, whose are taken up now, and whether it is guilty.

        Usually all. A guilty one is taken alone, then come the suspects, then the others.
        """
        if not self._suspects and not self._guilty:
            return vehicles, False
        guilty, suspects, others = self._sorted(digests_of_late(vehicles))
        rows = guilty[:1] or suspects[: self._together] or others
        return vehicles[np.array(rows, np.intp)], bool(guilty)

    async def hold(self, conn: AsyncConnection, digests: list[bytes]) -> None:
        """Put down that what is known by these digests is being worked on from now on.

        Whoever was cleared is in the list of suspects until something is held that is not: else a
        list of thousands would be written with each of them.
        """
        if self._is_behind and self._suspects.isdisjoint(digests):
            await table.judge(conn, self._home, self._suspects, self._guilty)
            self._is_behind = False
        await table.hold(conn, self._home, digests)

    async def release(self, conn: AsyncConnection, digests: list[bytes]) -> None:
        """In the transaction that commits them: nothing is in hand, and none of them is suspected.

        Should the transaction fail after all, they are suspected no more: the process lives.
        """
        await table.release(conn, self._home)
        cleared = self._suspects.intersection(digests)
        if cleared:
            self._suspects -= cleared
            self._is_behind = True

    def absolve(self, digests: Sequence[bytes]) -> None:
        """What is set aside and does not come again is guilty no more.

        Not before it is acknowledged: who dies of the rest of its batch is brought it once more.
        """
        cleared = self._guilty.intersection(digests)
        if cleared:
            self._guilty -= cleared
            self._is_behind = True

    def _sorted(self, digests: Sequence[bytes]) -> tuple[list[int], list[int], list[int]]:
        """The rows of the guilty, the suspects and the others, in order."""
        guilty: list[int] = []
        suspects: list[int] = []
        others: list[int] = []
        for row, digest in enumerate(digests):
            if digest in self._guilty:
                guilty.append(row)
            elif digest in self._suspects:
                suspects.append(row)
            else:
                others.append(row)
        return guilty, suspects, others

    @property
    def _home(self) -> int:
        return min(self._shards)


def _concluded(row: table.InHand) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """Who is suspected and who is guilty after the death of a worker.

    If it had suspects in hand: the one of them, or they and nobody else, because the others had no
    part in it.
    """
    if not row.digests or not row.digests <= row.suspects:
        return row.suspects | row.digests, row.guilty
    if len(row.digests) > 1:
        return row.digests, row.guilty
    return row.suspects - row.digests, row.guilty | row.digests
