"""The check that `make fuzz` repeats holds for what it begins with."""

import pytest

from devices.batch import FixBatch
from devices.catalogue import CODECS
from devices.codec import Codec, Decoded
from tests.fuzz.invariants import check
from tests.fuzz.seeds import seeds


@pytest.mark.parametrize("name", sorted(CODECS))
def test_every_seed_holds(name):
    payloads = list(seeds(name))
    assert payloads
    for payload in payloads:
        check(CODECS[name], payload)


def test_a_codec_that_says_nothing_is_found_out():
    silent = Codec("silent", lambda *_: Decoded(FixBatch.empty(), FixBatch.empty().vehicle))
    with pytest.raises(AssertionError, match="left no trace"):
        check(silent, b"x")
