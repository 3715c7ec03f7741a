"""How shards are written, and what settings of them are refused with."""

import pytest

from hanhtrinh import sharding
from hanhtrinh.errors import CommandError
from hanhtrinh.settings import load
from ingest.shards import Shards


@pytest.mark.parametrize(
    ("text", "held", "total"),
    [
        ("0/1", (0,), 1), ("0-3/8", (0, 1, 2, 3), 8), ("7/8", (7,), 8),
        ("0, 4-5 /8", (0, 4, 5), 8), ("3,1,1-2/4", (1, 2, 3), 4),
    ],
)  # fmt: skip
def test_shards_are_numbers_and_ranges_of_a_total(text, held, total):
    assert Shards.parse(text) == (held, total)
    assert Shards.parse(str(Shards.parse(text))) == (held, total)


@pytest.mark.parametrize(
    "text", ["", "3", "/8", "0-3", "8/8", "3-1/8", "0--1/8", "a/8", "0/0", "0/9999", "0/-1", "-1/8"]
)
def test_other_words_are_refused_with_what_was_expected(text):
    with pytest.raises(ValueError, match="expected"):
        Shards.parse(text)


def shards_of(**overrides):
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    return sharding.shards(load(environment={}, overrides=named).settings)


def test_a_worker_judges_the_shards_that_it_is_told_of_or_one_of_all_partitions():
    stream = {"ingest__source": "jetstream", "jetstream__partitions": 8}
    assert shards_of() == ((0,), 1)
    assert shards_of(ingest__shard=3) == ((3,), 1)
    assert shards_of(**stream, ingest__shard=3) == ((3,), 8)
    assert shards_of(**stream, ingest__shards="4-5/16") == ((4, 5), 16)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"ingest__shards": "0/2"}, "expected ingest.source"),
        ({"ingest__standby": True}, "expected ingest.source"),
        ({"ingest__source": "jetstream", "ingest__shard": 1}, "less than jetstream.partitions, 1"),
        ({"ingest__source": "jetstream", "ingest__shards": "2/2"}, "shards from 0 to 1"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(overrides, message):
    with pytest.raises(CommandError, match=message):
        shards_of(**overrides)
