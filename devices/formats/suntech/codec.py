"""Codec "suntech": reports of Suntech's trackers, text or zipped (docs/codecs/suntech.md)."""

import re
from collections.abc import Sequence
from typing import Final

from devices.batch import I64
from devices.codec import Codec, Decoded, register
from devices.errors import DecodeError, Reject
from devices.formats.suntech.encoding import encode
from devices.formats.suntech.families import HEADER, read_family
from devices.formats.suntech.universal import ZIPPED, read_universal, read_zipped_universal
from devices.formats.suntech.usual import WAYS
from devices.formats.suntech.zipped import read_zipped
from devices.rows import FixRows
from devices.usual import decode_usual

_BETWEEN: Final = re.compile(r"[\r\n]+(?=S[AT][0-9]{3}[A-Z]*;|[A-Z]{3};)", re.ASCII)
_UNIVERSAL: Final = re.compile(r"[A-Z]{3};", re.ASCII)
_STX: Final = 0x02


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads of one report, or of several lines of text."""
    return decode_usual(WAYS, payloads, received, read)


def read(payload: bytes, rows: FixRows) -> None:
    """Add the fixes of one payload."""
    if payload[0] == _STX:
        read_zipped(payload, rows)
        return
    if payload[0] in ZIPPED:
        read_zipped_universal(payload, rows)
        return
    # Data of a serial port may be any bytes, and they are counted: one character a byte.
    text = payload.decode("latin-1")
    position = 0
    for part in _BETWEEN.finditer(text):
        _read_part(text[position : part.start()], position, rows)
        position = part.end()
    if position:
        _read_part(text[position:].rstrip("\r\n\0 "), position, rows)
    else:
        _read_line(text.rstrip("\r\n\0 "), 0, rows)


def _read_part(text: str, at: int, rows: FixRows) -> None:
    """One of several lines: what is wrong with it costs the others nothing."""
    try:
        _read_line(text, at, rows)
    except DecodeError as error:
        rows.refuse(error, at)


def _read_line(text: str, at: int, rows: FixRows) -> None:
    if _UNIVERSAL.match(text):
        read_universal(text, at, rows)
    elif HEADER.match(text):
        read_family(text, at, rows)
    else:
        detail = f"expected a report of ST, SA or universal, got {text[:20]!r}"
        raise DecodeError(Reject.BAD_SYNTAX, detail=detail)


SUNTECH: Final = register(Codec(name="suntech", decode=decode, encode=encode))
