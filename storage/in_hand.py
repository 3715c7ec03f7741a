"""The messages that a worker has in hand, by digest: table batches_in_hand."""

from typing import Final, NamedTuple

from psycopg import AsyncConnection

from storage.queries import queries

SQL = queries("in_hand")

DIGEST_BYTES: Final = 8


class InHand(NamedTuple):
    """What is put down of a shard. Digests are DIGEST_BYTES long."""

    digests: frozenset[bytes]
    suspects: frozenset[bytes]
    guilty: frozenset[bytes]


async def take_over(conn: AsyncConnection, shards: list[int]) -> list[InHand]:
    """What the last workers of some shards left, which is put down no more."""
    cursor = await conn.execute(SQL["take_over"], {"shards": shards})
    return [InHand(*(_apart(column) for column in row)) for row in await cursor.fetchall()]


async def judge(
    conn: AsyncConnection, shard: int, suspects: frozenset[bytes], guilty: frozenset[bytes]
) -> None:
    """Put down who is suspected and who is guilty, and that nothing is in hand."""
    await conn.execute(
        SQL["judge"],
        {"shard": shard, "suspects": b"".join(suspects), "guilty": b"".join(guilty)},
    )


async def hold(conn: AsyncConnection, shard: int, digests: list[bytes]) -> None:
    """Put down what is taken in hand, to be called outside of a transaction.

    It outlives a process that dies, which is all that is asked of it, not a server that does.
    """
    await conn.execute(SQL["hold"], {"shard": shard, "digests": b"".join(digests)})


async def release(conn: AsyncConnection, shard: int) -> None:
    """Put down that nothing is in hand, in the transaction that commits what was."""
    await conn.execute(SQL["release"], {"shard": shard})


def _apart(joined: bytes) -> frozenset[bytes]:
    return frozenset(joined[at : at + DIGEST_BYTES] for at in range(0, len(joined), DIGEST_BYTES))
