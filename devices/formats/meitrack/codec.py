"""Codec "meitrack": frames of Meitrack's trackers (docs/codecs/meitrack.md)."""

from collections.abc import Sequence
from typing import Final

from devices.batch import I64
from devices.codec import Codec, Decoded, register
from devices.errors import DecodeError
from devices.formats.meitrack.batches import read_ccc, read_cce
from devices.formats.meitrack.encoding import encode
from devices.formats.meitrack.frame import read_frame
from devices.formats.meitrack.text import read_text
from devices.formats.meitrack.usual import WAYS
from devices.rows import FixRows
from devices.usual import decode_usual


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads of one or more frames."""
    return decode_usual(WAYS, payloads, received, read)


def read(payload: bytes, rows: FixRows) -> None:
    """Add the fixes of one payload; behind a frame that is not whole nothing can be found."""
    at = 0
    while at < len(payload):
        frame = read_frame(payload, at)
        try:
            if frame.command == "CCC":
                read_ccc(frame, rows)
            elif frame.command == "CCE":
                read_cce(frame, rows)
            else:
                read_text(frame, at, rows)
        except DecodeError as error:
            rows.refuse(error, error.at)
        at = frame.end


MEITRACK: Final = register(Codec(name="meitrack", decode=decode, encode=encode))
