"""The identity that a conversation learns is the one that its codec finds in the same frame."""

import json
from pathlib import Path

import numpy as np
import pytest

from devices.batch import FixBatch
from devices.catalogue import CODECS
from devices.errors import EncodeError
from devices.streams.catalogue import DATAGRAMS, STREAMS
from tests.devices.streams.dialogues import (
    EGTS_AUTH,
    IMEI,
    NOW_US,
    clock,
    egts,
    egts_record,
    jt808,
)

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


VECTORS = Path(__file__).parents[1] / "vectors"
NOT_SPOKEN = {
    "cellocator": {"no unit", "an unknown message"},  # nobody's; of a length that nobody knows
    "galileo": {  # the modem's network brings these, not a connection
        "over iridium, tags", "over iridium, compressed", "over iridium, tags without a place",
    },
    "h02": {"binary with an IMEI"},  # shorter than any tracker's: nothing says how long it is
    "nmea": {  # wait for the sentence that has the date
        "GGA alone takes the date of arrival", "GGA before midnight that arrives after it",
        "GLL alone",
    },
    "queclink": {  # both binary forms are told by nothing that a text has
        "HEX: a compressed track", "HEX: two positions, the second without a fix",
        "HEX: buffered ignition event", "HEX: columns of an unknown mask are kept",
        "TLV: a record with a position and other data", "TLV: no position",
        "HEX: an event of unknown columns", "HEX: a heartbeat", "no report at all",
        "no tail character: taken as it ends in time and count",
    },
    "ruptela": {"no imei"},
    "t800x": {"no imei"},
}  # fmt: skip
"""Vectors that no connection carries."""


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_what_a_codec_reads_comes_through_its_stream_under_the_same_identity(name):
    known = set()
    for line in (VECTORS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        vector = json.loads(line)
        known.add(vector["name"])
        is_sound = vector.get("fixes") or vector["reject"] == ["unsupported"]
        if not is_sound or vector["name"] in NOT_SPOKEN.get(name, ()):
            continue
        payload = bytes.fromhex(vector["hex"]) if "hex" in vector else vector["text"].encode()
        stream = STREAMS[name](clock)
        steps = stream.take(payload)
        if stream.held:  # a payload may lack the end of the line that its frame has
            steps += stream.take(b"\r\n")
        named = {step.ident for step in steps if step.ident}
        published = [step.payload for step in steps if step.payload]
        decoded = CODECS[name].decode(published, np.full(len(published), NOW_US))
        if not vector.get("fixes"):  # what has no place is told from what is none
            assert stream.skipped == 0, vector["name"]
            assert {step.wrong for step in steps} <= {""}, vector["name"]
        assert len(decoded.fixes) == len(vector.get("fixes", ())), vector["name"]
        assert not (named and decoded.idents) or named == set(decoded.idents), vector["name"]
        if vector.get("ident"):
            assert named <= {vector["ident"]}, vector["name"]
    assert NOT_SPOKEN.get(name, set()) <= known


def test_an_imei_of_a_terminal_of_jt808_is_not_read_as_its_hexadecimal():
    message = jt808(0x0200, bytes(28), number=int(IMEI[:-1]).to_bytes(6, "big"))
    (step,) = STREAMS["jt808"](clock).take(message)
    assert step.ident == IMEI
    (nobody,) = STREAMS["jt808"](clock).take(jt808(0x0200, bytes(28), number=bytes(6)))
    assert (nobody.wrong, nobody.payload) == ("bad_identity", b"")


def of_egts(ident):
    encode = CODECS["egts"].encode
    assert encode is not None
    (sent,) = encode(one_fix(), [ident], [])
    return sent


def test_the_number_of_a_terminal_that_logged_in_by_its_imei_does_not_contradict_it():
    """AUTH of the dialogue names the IMEI, and 9 as the number that records then give."""
    stream = STREAMS["egts"](clock)
    stream.take(EGTS_AUTH)
    for own, expected in (("9", ()), ("10", ("10",))):
        sent = of_egts(own)
        (step,) = stream.take(sent)
        decoded = CODECS["egts"].decode([step.payload], np.array([NOW_US]))
        assert (len(decoded.fixes), decoded.idents, step.ident) == (1, expected, "")
        assert decoded.refusals == ()


def test_the_number_of_a_terminal_that_has_no_imei_stays_in_its_records():
    stream = STREAMS["egts"](clock)
    login = b"\x01\x05\x00" + (9).to_bytes(4, "little") + b"\x00"
    (step,) = stream.take(egts(1, egts_record(3, 1, login), 20))
    assert step.ident == "9"
    sent = of_egts("9")
    assert [step.payload for step in stream.take(sent)] == [sent]
