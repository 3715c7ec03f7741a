"""Delays before something is tried again."""

import pytest

from ingest.jetstream.partition import Partition
from ingest.retrying import STEADY_S, Retrying


def test_delays_grow_to_the_longest_and_are_random_by_half():
    retrying = Retrying(0.2, 10.0)
    for longest in (0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0):
        assert longest / 2 <= retrying.failed() <= longest
    assert retrying.failures == 7
    for _ in range(2000):  # a week without a database is no overflow
        assert retrying.failed() <= 10.0


@pytest.mark.parametrize(
    ("held_s", "failures"), [(0.0, 4), (STEADY_S, 4), (STEADY_S + 0.1, 1), (float("-inf"), 4)]
)
def test_only_what_held_for_a_while_begins_to_count_anew(held_s, failures):
    retrying = Retrying(0.2, 10.0, failures=3)
    retrying.failed(held_s)
    assert retrying.failures == failures


def test_a_partition_that_is_interrupted_at_once_begins_later_and_later():
    partition, now, waits = Partition.of(0), 100.0, []
    for _ in range(5):
        partition.begin(now)
        partition.fail(now)
        assert not partition.is_begun
        waits.append(partition.retry_at - now)
        now = partition.retry_at
    assert waits[0] <= 0.2
    assert waits[4] >= 1.6
    partition.begin(now)
    partition.fail(now + 60.0)  # it held for a minute
    assert partition.retry_at - (now + 60.0) <= 0.2
