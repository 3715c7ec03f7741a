"""The identity that a conversation learns is the one that its codec finds in the same frame."""

import numpy as np
import pytest

from devices.batch import FixBatch
from devices.catalogue import CODECS
from devices.errors import EncodeError
from devices.streams.catalogue import DATAGRAMS, STREAMS
from tests.devices.streams.dialogues import NOW_US, clock

IDENTS = ["352093081429150", "13912345678", "4106012736"]
SELF_NAMED = sorted(name for name in DATAGRAMS if name in CODECS and CODECS[name].encode)


def one_fix():
    return FixBatch.blank(
        1, time=np.array([NOW_US]), received=np.array([NOW_US]), lon=np.array([105.8]),
        lat=np.array([21.0]), speed_kmh=np.array([36.0]), heading=np.array([90.0]),
    )  # fmt: skip


def test_the_formats_are_named_as_their_codecs_are():
    assert {"nmea", "teltonika"} <= STREAMS.keys() & CODECS.keys()


@pytest.mark.parametrize("name", SELF_NAMED)
def test_a_stream_and_a_codec_agree_on_who_speaks(name):
    codec = CODECS[name]
    assert codec.encode is not None
    for ident in IDENTS:
        try:
            (frame,) = codec.encode(one_fix(), [ident], [])
        except EncodeError:  # an identity that the format has no room for
            continue
        decoded = codec.decode([frame], np.array([NOW_US]))
        stream = STREAMS[name](clock)
        steps = stream.take(frame)
        if stream.held:  # a payload may lack the end of the line that its frame has
            steps += stream.take(b"\r\n")
        assert {step.ident for step in steps if step.ident} == set(decoded.idents)
        # Without room for an identity some formats write zeros, which are nobody's.
        assert {step.wrong for step in steps} <= {"", *([] if decoded.idents else ["bad_identity"])}
        assert stream.skipped == 0
