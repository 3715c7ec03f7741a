r"""Frames of Meitrack: `$$`, a letter, a length, `,identity,command,...*`, a checksum, CR LF.

The length is that of everything from the comma behind it to the line end, the checksum the sum of
all bytes from `$$` to `*`, two hexadecimal digits.
"""

import re
from dataclasses import dataclass
from typing import Final

from devices.batch import Input, inputs_word
from devices.errors import DecodeError, Reject

_START: Final = re.compile(rb"\$\$[\x21-\x7e]([0-9]{1,5}),([0-9A-Za-z]{1,20}),([0-9A-Z]{3})([,*])")
_LINE_END: Final = b"\r\n"
_SUM_BYTES: Final = 3

_EVENT_INPUTS: Final = {
    1: inputs_word({Input.SOS: True}),
    22: inputs_word({Input.POWER_CUT: False}),
    23: inputs_word({Input.POWER_CUT: True}),
}
_WIRED: Final = (Input.DIN_1, Input.DIN_2, Input.DIN_3, Input.DIN_4)
_WIRED_WORDS: Final = tuple(
    inputs_word({one: bool(bits >> at & 1) for at, one in enumerate(_WIRED)}) for bits in range(16)
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that is whole: its command and data, where these begin, and where it ends."""

    ident: str
    command: str
    data: bytes
    data_at: int
    end: int


def read_frame(payload: bytes, start: int) -> Frame:
    """The frame that begins there. Raises DecodeError."""
    head = _START.match(payload, start)
    if head is None:
        detail = f"expected $$, length, identity, command, got {payload[start : start + 20]!r}"
        raise DecodeError(Reject.BAD_SYNTAX, at=start, detail=detail)
    end = head.end(1) + int(head[1]) - len(_LINE_END)
    star = end - _SUM_BYTES
    if len(payload) < end:
        detail = f"length: expected {end - start} bytes, got {len(payload) - start}"
        raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)
    if star < head.end() - 1 or payload[star : star + 1] != b"*":
        detail = f"length: expected * at {star}, got {payload[max(star, 0) : star + 1]!r}"
        raise DecodeError(Reject.BAD_SYNTAX, at=max(star, start), detail=detail)
    found = sum(payload[start : star + 1]) & 0xFF
    sent = payload[star + 1 : star + _SUM_BYTES]
    if sent.upper() != b"%02X" % found:
        detail = f"checksum: expected {found:02X}, got {sent!r}"
        raise DecodeError(Reject.BAD_CHECKSUM, at=star + 1, detail=detail)
    at = min(head.end(), star)
    # Gateways that work by lines take the line end away, or half of it.
    while payload[end : end + 1] in {b"\r", b"\n"}:
        end += 1
    return Frame(head[2].decode(), head[3].decode(), payload[at:star], at, end)


def event_inputs(event: int, wired: int) -> int:
    """Inputs by the bits of the wired ones (input 1 is bit 0), and what an event says."""
    return _WIRED_WORDS[wired & 0xF] | _EVENT_INPUTS.get(event, 0)
