"""Codec "queclink": reports of Queclink's @Track, as text or binary (docs/codecs/queclink.md)."""

import re
from collections.abc import Sequence
from typing import Final

from devices.batch import I64
from devices.codec import Codec, Decoded, register
from devices.errors import DecodeError, Reject
from devices.formats.queclink.binary import HEX_OTHERS, HEX_REPORTS, read_hex, read_tlv
from devices.formats.queclink.encoding import encode
from devices.formats.queclink.text import read_text
from devices.formats.queclink.usual import WAYS
from devices.rows import FixRows
from devices.usual import decode_usual

_BETWEEN: Final = re.compile(r"\$[\r\n\0]*(?=\+[A-Z]{3,4}:GT)", re.ASCII)
_BEHIND: Final = "$\r\n\0 "


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads of one or more reports."""
    return decode_usual(WAYS, payloads, received, read)


def read(payload: bytes, rows: FixRows) -> None:
    """Add the fixes of one payload: text, HEX or TLV."""
    if payload[:2] == b"+\0":
        read_tlv(payload, rows)
        return
    if payload[4:5] != b":" and payload[:4] in HEX_OTHERS | HEX_REPORTS.keys():
        read_hex(payload, rows)
        return
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        detail = f"expected UTF-8, got {payload[error.start : error.start + 8]!r}"
        raise DecodeError(Reject.BAD_ENCODING, at=error.start, detail=detail) from None
    position = 0
    for part in _BETWEEN.finditer(text):
        _read_part(text[position : part.start()], position, rows)
        position = part.end()
    if position:
        _read_part(text[position:].rstrip(_BEHIND), position, rows)
    else:
        read_text(text.rstrip(_BEHIND), 0, rows)


def _read_part(text: str, at: int, rows: FixRows) -> None:
    """One of several reports: what is wrong with it costs the others nothing."""
    try:
        read_text(text, at, rows)
    except DecodeError as error:
        rows.refuse(error, at)


QUECLINK: Final = register(Codec(name="queclink", decode=decode, encode=encode))
