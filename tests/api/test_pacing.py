"""How much one caller may ask: by a clock of the test's own."""

import asyncio

import pytest

from api.options import ApiOptions
from api.pacing import LONGEST_LINE, MOST_CALLERS, Buckets, PacedByAddress, Pacing
from api.problems import Problem


async def settle() -> None:
    """Let every task go on until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate():
    clock = Clock()
    bucket = Buckets(2.0, 5.0, clock)
    assert [bucket.take("a") for _ in range(5)] == [0.0] * 5
    assert bucket.take("a") == pytest.approx(0.5)
    assert bucket.take("b") == 0.0
    clock.now = 0.5
    assert bucket.take("a") == 0.0
    assert bucket.take("a") > 0
    clock.now = 1e6
    assert [bucket.take("a") > 0 for _ in range(6)] == [False] * 5 + [True]


def test_asking_in_vain_does_not_make_the_wait_longer():
    clock = Clock()
    bucket = Buckets(1.0, 1.0, clock)
    bucket.take("a")
    assert {bucket.take("a") for _ in range(100)} == {1.0}
    clock.now = 1.0
    assert bucket.take("a") == 0.0


def test_what_is_remembered_of_callers_is_bounded():
    bucket = Buckets(1.0, 1.0, Clock())
    for caller in range(MOST_CALLERS + 10):
        bucket.take(caller)
    assert len(bucket._held) == MOST_CALLERS
    assert bucket.take(MOST_CALLERS + 9) > 0


@pytest.mark.parametrize(
    ("address", "other", "is_one"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),  # as a socket of both kinds names it
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("a proxy's nonsense", "a proxy's nonsense", True),
        ("a proxy's nonsense", "another's", False),
    ],
)
def test_an_address_is_counted_with_those_that_the_same_customer_has(address, other, is_one):
    served: list[str] = []

    async def app(scope, receive, send):
        served.append(scope["client"][0])

    async def ask(client):
        scope = {"type": "http", "client": (client, 1), "path": "/", "headers": []}
        await paced(scope, receive, send)

    async def receive():
        raise AssertionError("no body is read")

    async def send(message):
        if message["type"] == "http.response.start":
            assert message["status"] == 429

    pacing = Pacing(ApiOptions(address_requests_per_s=1e-6))
    pacing.addresses = Buckets(1e-6, 1.0, Clock())
    paced = PacedByAddress(app, pacing)
    for client in (address, other):
        asyncio.run(ask(client))
    assert served == ([address] if is_one else [address, other])


def test_of_one_caller_so_many_are_under_way_and_the_others_wait_their_turn():
    async def main():
        pacing = Pacing(ApiOptions(requests_at_once=2, requests_per_s=1e6))
        under_way, most, done = 0, 0, asyncio.Event()

        async def ask(caller):
            nonlocal under_way, most
            async with pacing.turn_of(caller):
                under_way += 1
                most = max(most, under_way)
                await done.wait()
                under_way -= 1

        line = 2 * LONGEST_LINE
        asking = [asyncio.create_task(ask("a")) for _ in range(line)]
        await settle()
        assert under_way == 2
        with pytest.raises(Problem, match="too_many_requests"):
            await ask("a")
        other = asyncio.create_task(ask("b"))
        await settle()
        assert under_way == 3
        done.set()
        await asyncio.gather(*asking, other)
        assert pacing._turns == {}
        return most

    assert asyncio.run(main()) == 3
