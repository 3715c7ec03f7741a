"""What becomes of a flood: everything is counted, little is kept, others are not crowded out."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import quarantine
from storage.access import audit
from storage.quarantine import HOUR_US, Quarantined, Retention
from storage.quarantine_limits import SAMPLE_BYTES, Before, Limits, choose, is_sampled
from tests.storage.connected import connected, rows

T0 = 1_700_000_000_000_000 - 1_700_000_000_000_000 % HOUR_US
DAY_US = 24 * HOUR_US
FEW = Limits(messages=5, mendable=20, payload_bytes=10_000)


def entry(number, sender="a", reason="bad_syntax", received=T0, size=0):
    payload = b"%d" % number
    return Quarantined(
        f"gsht/v1/json/{sender}", payload.ljust(size or len(payload)), received, reason,
        ident=sender, sender=sender,
    )  # fmt: skip


def take_in(dsn, *batches, limits=FEW):
    """Groups by reason and sender, after these batches."""

    async def work(conn):
        for batch in batches:
            async with conn.transaction():
                await quarantine.insert(conn, batch, limits)
        return {(g.reason, g.sender): g for g in await quarantine.groups(conn)}

    return connected(dsn, work)


@pytest.mark.integration
def test_of_a_flood_the_first_are_kept_and_ever_fewer_after_them(database):
    batches = [[entry(i) for i in range(n, n + 500)] for n in range(0, 20_000, 500)]
    group = take_in(database, *batches)["bad_syntax", "a"]
    assert (group.messages, group.repeats) == (20_000, 0)
    assert group.payload_bytes == sum(len(e.payload) for batch in batches for e in batch)
    # Twelve doublings lie between five and twenty thousand.
    assert 100 < group.kept == group.waiting < 130


@pytest.mark.integration
def test_one_senders_flood_crowds_nobody_else_out_nor_another_hour_or_reason(database):
    flood = [entry(i) for i in range(1000)]
    others = [
        entry(1, sender="b"),
        entry(2000, reason="truncated"),
        entry(2001, received=T0 + HOUR_US),
        *[entry(i, reason="unknown_device") for i in range(3000, 3020)],
    ]
    groups = take_in(database, flood, others, flood)
    assert groups["bad_syntax", "b"].kept == 1
    assert groups["truncated", "a"].kept == 1
    assert groups["unknown_device", "a"].kept == 20
    assert groups["bad_syntax", "a"].messages == 2001
    in_later_hour = connected(
        database, lambda conn: rows(conn, "SELECT kept FROM quarantine_counts ORDER BY hour DESC")
    )
    assert in_later_hour[0] == (1,)


@pytest.mark.integration
def test_a_kept_message_that_comes_again_is_counted_with_it_however_full_its_group_is(database):
    flood = [entry(i) for i in range(1000)]
    first = replace(flood[0], received=T0 + 7)
    groups = take_in(database, flood, [first, first], [first])
    group = groups["bad_syntax", "a"]
    assert (group.messages, group.repeats) == (1003, 3)

    async def seen(conn):
        [waiting] = await quarantine.page(conn, limit=1)
        return waiting.seen, waiting.last_seen

    assert connected(database, seen) == (4, T0 + 7)


@pytest.mark.integration
def test_bytes_are_limited_too_and_what_is_beyond_is_cut(database):
    group = take_in(database, [entry(i, size=6000) for i in range(1, 9)])["bad_syntax", "a"]
    assert (group.messages, group.payload_bytes) == (8, 48_000)
    kept = connected(
        database, lambda conn: rows(conn, "SELECT length(payload) FROM quarantine ORDER BY id")
    )
    assert max(kept) == (6000,)
    assert {size for (size,) in kept} == {6000, SAMPLE_BYTES}


@pytest.mark.integration
def test_senders_beyond_all_measure_are_counted_together(database, monkeypatch):
    monkeypatch.setattr(quarantine, "MOST_GROUPS", 10)
    first = [entry(i, sender=f"s{i}") for i in range(10)]
    more = [entry(i, sender=f"s{i}") for i in range(5, 60)]
    groups = take_in(database, first, more)
    assert len(groups) == 11
    assert groups["bad_syntax", "*"].messages == 50
    assert sum(group.messages for group in groups.values()) == 65
    assert groups["bad_syntax", "*"].kept < 50


@pytest.mark.integration
def test_a_batch_that_is_rolled_back_counts_nothing(database):
    async def work(conn):
        async with conn.transaction(force_rollback=True):
            await quarantine.insert(conn, [entry(1)], FEW)
        return await quarantine.groups(conn)

    assert connected(database, work) == []


@pytest.mark.integration
def test_what_is_old_is_deleted_and_still_counted(database):
    keep = Retention(released_days=1, waiting_days=10, counts_days=100)

    async def work(conn):
        await quarantine.insert(conn, [entry(1), entry(2), entry(3, received=T0 + 9 * DAY_US)])
        await conn.execute(
            "UPDATE quarantine SET released_at = to_timestamp(%s) WHERE payload = '2'", [T0 / 1e6]
        )
        early = await quarantine.clean(conn, keep, T0 + HOUR_US)
        later = await quarantine.clean(conn, keep, T0 + 11 * DAY_US)
        left = [waiting.received for waiting in await quarantine.page(conn)]
        counted = sum(group.messages for group in await quarantine.groups(conn))
        last = await quarantine.clean(conn, keep, T0 + 105 * DAY_US)
        acts = [(row.action, json.loads(row.detail)) async for row in audit.rows(conn)]
        return early, later, left, counted, last, acts

    early, later, left, counted, last, acts = connected(database, work)
    assert {action for action, _ in acts} == {"clean_quarantine"}
    assert [(said["statement"], said["rows"]) for _, said in acts] == [
        ("drop_released", 1), ("drop_waiting", 1), ("drop_waiting", 1), ("drop_counts", 1),
    ]  # fmt: skip
    assert (early, later) == ((0, 0, 0), (1, 1, 0))
    assert (left, counted) == ([T0 + 9 * DAY_US], 3)
    assert last == (0, 1, 1)


@pytest.mark.integration
def test_nothing_is_deleted_that_the_audit_cannot_tell_of(database, monkeypatch):
    async def refused(*_):
        raise RuntimeError("no audit")

    async def work(conn):
        await quarantine.insert(conn, [entry(1)])
        monkeypatch.setattr(audit, "record", refused)
        with pytest.raises(RuntimeError, match="no audit"):
            await quarantine.clean(conn, Retention(), T0 + 1000 * DAY_US)
        return await quarantine.page(conn)

    assert len(connected(database, work)) == 1


@pytest.mark.integration
def test_a_group_is_released_by_itself(database):
    from ingest.release import release

    async def work(conn):
        await quarantine.insert(
            conn, [entry(1), entry(2, sender="b"), entry(3, reason="truncated"), entry(4)]
        )
        sent = []

        async def publish(messages):
            sent.extend(messages)

        done = await release(conn, publish, reason="bad_syntax", sender="a")
        return done.released, sent, [w.reason for w in await quarantine.page(conn)]

    released, sent, left = connected(database, work)
    assert released == 2
    assert sent == [("gsht/v1/json/a", b"1"), ("gsht/v1/json/a", b"4")]
    assert left == ["bad_syntax", "truncated"]


@given(
    sizes=st.lists(st.integers(0, 20_000), max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=4),
    most=st.integers(0, 20),
    most_bytes=st.integers(0, 100_000),
)
def test_the_choice_does_not_depend_on_how_the_flood_is_cut_into_batches(
    sizes, cuts, most, most_bytes
):
    at_once = choose(sizes, Before(0, 0, 0), most, most_bytes)
    bounds = [0, *sorted(min(cut, len(sizes)) for cut in cuts), len(sizes)]
    index, length, before = [], [], Before(0, 0, 0)
    for start, stop in pairwise(bounds):
        choice = choose(sizes[start:stop], before, most, most_bytes)
        index += [start + i for i in choice.rows]
        length += choice.lengths
        before = Before(stop, len(index), sum(length))
    assert (index, length) == (at_once.rows, at_once.lengths)


def test_ten_of_each_doubling_are_sampled():
    for exponent in range(10, 16):
        assert sum(is_sampled(n) for n in range(2**exponent, 2 ** (exponent + 1))) == 10
