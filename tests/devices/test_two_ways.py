"""What a fast path reads as columns, the reader of single frames says too; and the other way."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.catalogue import CODECS
from devices.describe import describe
from devices.formats.meitrack import codec as meitrack
from devices.formats.meitrack import usual as meitrack_usual
from devices.formats.queclink import codec as queclink
from devices.formats.queclink import usual as queclink_usual
from devices.formats.suntech import codec as suntech
from devices.formats.suntech import usual as suntech_usual
from devices.formats.wialon import codec as wialon
from devices.formats.wialon import usual as wialon_usual
from devices.rows import decode_each
from devices.usual import read_usual
from tests.devices.made_up import NO_EXTRA, PLATES, arrived, encoded, fix_batches
from tests.devices.plausible import assert_plausible
from tests.devices.test_bad_input import mutations

SINGLE = {
    "meitrack": meitrack.read,
    "queclink": queclink.read,
    "suntech": suntech.read,
    "wialon": wialon.read,
}
"""By codec, the reader of single frames."""

WAYS = {
    "meitrack": meitrack_usual.WAYS,
    "queclink": queclink_usual.WAYS,
    "suntech": suntech_usual.WAYS,
    "wialon": wialon_usual.WAYS,
}

moderate = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("name", sorted(SINGLE))
@moderate
@given(data=st.data())
def test_both_ways_say_the_same(name, data):
    good = data.draw(encoded(name))
    payloads = [*good, *(data.draw(mutations(one)) for one in good), *good]
    same_decoded(name, payloads)


@pytest.mark.parametrize("name", sorted(SINGLE))
@moderate
@given(data=st.data())
def test_both_ways_say_the_same_where_one_character_is_another(name, data):
    frame = bytearray(data.draw(encoded(name))[0])
    at = data.draw(st.integers(0, len(frame) - 1))
    frame[at] = data.draw(st.sampled_from(b'0123456789ABNSEWV.,;:-+ $*#|\r\n"\\\x00\xff'))
    same_decoded(name, [bytes(frame)])


def same_decoded(name, payloads):
    received = arrived(len(payloads))
    one = CODECS[name].decode(payloads, received)
    other = decode_each(payloads, received, SINGLE[name])
    assert_plausible(one, len(payloads))
    assert one.fix_payload.tolist() == other.fix_payload.tolist()
    for index, payload in enumerate(payloads):
        assert describe(one, index) == describe(other, index), payload
    for row, extra in one.fixes.extra.items():
        assert extra == other.fixes.extra[row]


@pytest.mark.parametrize("name", sorted(WAYS))
@moderate
@given(fixes=fix_batches(extra=NO_EXTRA))
def test_the_fast_path_takes_every_frame_of_the_encoder(name, fixes):
    encode = CODECS[name].encode
    assert encode
    payloads = encode(fixes, PLATES[:1] * len(fixes), ())
    _, rest = read_usual(WAYS[name], payloads, arrived(len(payloads)))
    assert rest == []


@pytest.mark.parametrize("name", sorted(WAYS))
def test_the_fast_path_of_nothing_is_nothing(name):
    assert read_usual(WAYS[name], [], np.empty(0, np.int64)) == ([], [])
    assert_plausible(CODECS[name].decode([], np.empty(0, np.int64)), 0)
