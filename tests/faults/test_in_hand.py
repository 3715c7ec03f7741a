"""What kills a worker is found in a few deaths, and nobody who is innocent is blamed for it."""

import asyncio
from math import ceil, log

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import in_hand
from ingest.in_hand import InHand, digests_of, digests_of_late
from ingest.source import MessageBatch
from storage.database import connect

pytestmark = pytest.mark.integration

SHARD = frozenset({0})


def batch_of(numbers):
    return MessageBatch(
        ["gsht/v1/json/x"] * len(numbers),
        [b"%d" % number for number in numbers],
        np.arange(len(numbers), dtype=np.int64),
    )


def numbers_in(batch):
    return [int(payload) for payload in batch.payloads]


class Scene:
    """A broker that delivers again what was not acknowledged, and workers that die of some of it.

    deaths: what was in hand at each. parts: how many each life was occupied with.
    """

    def __init__(self, conn, messages, deadly):
        self.conn = conn
        self.unacknowledged = list(range(messages))
        self.deadly = frozenset(deadly)
        self.committed, self.set_aside = set(), set()
        self.deaths, self.parts = [], []

    async def live(self, size):
        """One worker, to which messages come in batches of a size, until it dies or has all."""
        hand = InHand()
        await hand.take_over(self.conn, SHARD)
        self.parts.append(0)
        while self.unacknowledged:
            batch = self.unacknowledged[:size]
            for part, is_guilty in hand.divided(batch_of(batch)):
                self.parts[-1] += 1
                if not await self._survives(hand, part, is_guilty):
                    return False
            del self.unacknowledged[:size]
            hand.absolve(digests_of(batch_of(batch)))
        return True

    async def _survives(self, hand, part, is_guilty):
        numbers, digests = numbers_in(part), digests_of(part)
        if not is_guilty:
            await hand.hold(self.conn, digests)
            if not self.deadly.isdisjoint(numbers):
                self.deaths.append(numbers)
                return False
        async with self.conn.transaction():
            await hand.release(self.conn, digests)
        if is_guilty:
            self.set_aside |= set(numbers)
        else:
            self.committed |= set(numbers)
        return True


async def played(dsn, messages, deadly, sizes):
    """The scene when everything is acknowledged; a life's batches have the next of the sizes."""
    async with await connect(dsn, name="test") as conn:
        await conn.execute("DELETE FROM batches_in_hand")
        scene = Scene(conn, messages, deadly)
        lives = 0
        while not await scene.live(sizes[lives % len(sizes)]):
            lives += 1
            assert lives <= 50 * len(deadly), "it goes on for ever"
        assert scene.set_aside == set(deadly)
        assert scene.committed == set(range(messages)) - set(deadly)
        return scene


def connected(dsn, go):
    async def connect_and_go():
        async with await connect(dsn, name="test") as conn:
            await go(conn)

    asyncio.run(connect_and_go())


SCENES = st.integers(1, 80).flatmap(
    lambda messages: st.tuples(
        st.just(messages),
        st.sets(st.integers(0, messages - 1), max_size=4),
        st.lists(st.integers(1, 40), min_size=1, max_size=5),
    )
)
PATIENT = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@PATIENT
@given(scene=SCENES)
def test_each_deadly_message_takes_two_deaths_at_most_and_no_other_is_set_aside(database, scene):
    found = asyncio.run(played(database, *scene))
    _, deadly, _ = scene
    assert len(found.deaths) <= 2 * len(deadly)
    if len(deadly) == 1:
        assert len(found.deaths) == 2


@PATIENT
@given(scene=SCENES)
def test_of_more_than_there_may_be_parts_it_is_found_by_narrowing(database, scene):
    messages, deadly, sizes = scene
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_hand, "MOST_PARTS", 4)
        found = asyncio.run(played(database, messages, deadly, sizes))
    # One in a whole batch, one in a part at each level, the last part being the message alone.
    levels = ceil(log(max(messages, 4), 4))
    assert len(found.deaths) <= (1 + levels) * len(deadly)
    for parts, size in zip(found.parts, sizes * len(found.parts), strict=False):
        # Each batch ends with a smaller part of suspects and one of the others.
        assert parts <= 4 + len(deadly) + 2 * ceil(messages / size)


def test_a_message_that_was_cleared_is_suspected_anew_and_not_guilty(database):
    async def go(conn):
        first = InHand()
        await first.take_over(conn, SHARD)
        await first.hold(conn, digests_of(batch_of([1, 2])))
        second = InHand()
        await second.take_over(conn, SHARD)
        assert second.suspects == 2
        for part, is_guilty in second.divided(batch_of([1, 2])):
            assert (len(part), is_guilty) == (1, False)
            await second.hold(conn, digests_of(part))
            await second.release(conn, digests_of(part))
        assert second.suspects == 0
        await second.hold(conn, digests_of(batch_of([1])))
        third = InHand()
        await third.take_over(conn, SHARD)
        assert third.suspects == 1
        assert not any(is_guilty for _, is_guilty in third.divided(batch_of([1])))

    connected(database, go)


def test_late_fixes_of_suspected_vehicles_are_taken_up_before_the_others(database, monkeypatch):
    monkeypatch.setattr(in_hand, "MOST_PARTS", 2)
    vehicles = np.array([3, 5, 7, 8], np.int32)

    async def go(conn):
        first = InHand()
        await first.take_over(conn, SHARD)
        await first.hold(conn, digests_of_late(vehicles[1:]))
        second = InHand()
        await second.take_over(conn, SHARD)
        taken, is_guilty = second.next_of(vehicles)
        assert (taken.tolist(), is_guilty) == ([5, 7], False)
        await second.hold(conn, digests_of_late(taken))
        third = InHand()
        await third.take_over(conn, SHARD)
        taken, is_guilty = third.next_of(vehicles)
        assert (taken.tolist(), is_guilty) == ([5], False)
        await third.hold(conn, digests_of_late(taken))
        fourth = InHand()
        await fourth.take_over(conn, SHARD)
        assert fourth.next_of(vehicles)[0].tolist() == [5]
        assert fourth.next_of(vehicles)[1]
        await fourth.release(conn, digests_of_late(taken))
        fourth.absolve(digests_of_late(taken))
        taken, is_guilty = fourth.next_of(vehicles[[0, 2, 3]])
        assert (taken.tolist(), is_guilty) == ([7], False)

    connected(database, go)
