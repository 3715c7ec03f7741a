"""Codec "wialon": packets of Wialon IPS 1.1 to 2.1 (docs/codecs/wialon.md).

A packet is a line `#type#message`, before which UDP puts the identity. From version 2 the message
ends in a CRC-16/IBM of itself, separators included. 2.1 may compress lines: `FF`, length u16
(little-endian), deflated lines.
"""

import re
import zlib
from collections.abc import Sequence
from typing import Final

from devices.batch import I64
from devices.codec import MAX_PAYLOAD_BYTES, Codec, Decoded, register
from devices.crc16 import crc16_ibm
from devices.errors import DecodeError, Reject
from devices.formats.wialon.encoding import encode
from devices.formats.wialon.messages import SIZES, add_message
from devices.formats.wialon.usual import WAYS
from devices.rows import FixRows
from devices.usual import decode_usual

_LINE: Final = re.compile(
    rb"(?:[0-9]\.[0-9];)?([0-9A-Za-z_-]{0,64})(?:;[^#]{0,64})?#([A-Z]{1,3})#(.*)", re.DOTALL
)
_CRC: Final = re.compile(rb"(?:0[xX])?([0-9A-Fa-f]{1,4})")
_BINARY: Final = frozenset({b"I", b"T", b"IT", b"US", b"UC", b"LV", b"PB", b"VF"})
"""Packets behind whose line anything may stand: pictures, files, video."""

_COMPRESSED: Final = 0xFF


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads of one or more packets."""
    return decode_usual(WAYS, payloads, received, read)


def read(payload: bytes, rows: FixRows) -> None:
    """Add the fixes of one payload, line by line."""
    if payload[0] == _COMPRESSED:
        payload = _inflated(payload)
    at = 0
    for line in payload.split(b"\n"):
        packet = line.strip(b"\r\0 ")
        if packet:
            try:
                _read_packet(packet, at, rows)
            except DecodeError as error:
                rows.refuse(error, at)
                if _is_binary(packet):
                    return
        at += len(line) + 1


def _is_binary(packet: bytes) -> bool:
    found = _LINE.fullmatch(packet)
    return found is not None and found[2] in _BINARY


def _inflated(payload: bytes) -> bytes:
    size = int.from_bytes(payload[1:3], "little")
    if len(payload) < size + 3:
        detail = f"length: expected {size + 3} bytes, got {len(payload)}"
        raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)
    if len(payload) > size + 3:
        detail = f"length: expected {size + 3} bytes, got {len(payload)}"
        raise DecodeError(Reject.TRAILING_BYTES, at=size + 3, detail=detail)
    inflater = zlib.decompressobj()
    try:
        lines = inflater.decompress(payload[3:], MAX_PAYLOAD_BYTES)
    except zlib.error as error:
        raise DecodeError(Reject.BAD_SYNTAX, at=3, detail=f"deflated lines: {error}") from None
    if not inflater.eof:
        detail = "deflated lines: cut off, or longer than a payload may be"
        raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)
    return lines


def _read_packet(packet: bytes, at: int, rows: FixRows) -> None:
    found = _LINE.fullmatch(packet)
    if found is None:
        detail = f"expected #type#message, got {packet[:20]!r}"
        raise DecodeError(Reject.BAD_SYNTAX, at=at, detail=detail)
    ident, kind, message = found[1].decode(), found[2].decode(), found[3]
    if kind in {"SD", "D"}:
        columns = message.split(b";")
        if len(columns) == max(SIZES[kind]) + 1:
            _check_crc(message[: len(message) - len(columns[-1])], columns.pop(), at)
        add_message([_text(one) for one in columns], kind, ident, at, rows)
    elif kind == "B":
        _read_box(message, ident, at + found.start(3), rows)
    else:
        detail = f"#{kind}#: a packet without a position"
        raise DecodeError(Reject.UNSUPPORTED, at=at, detail=detail)


def _read_box(message: bytes, ident: str, at: int, rows: FixRows) -> None:
    """A black box: messages with bars between them; in version 2 the CRC behind the last bar."""
    *messages, last = message.split(b"|")
    if messages and b";" not in last:
        if last:
            _check_crc(message[: len(message) - len(last)], last, at)
    else:
        messages.append(last)
    if not any(messages):
        raise DecodeError(Reject.NO_CONTENT, at=at, detail="#B#: no messages")
    for one in messages:
        if one:
            try:
                add_message([_text(part) for part in one.split(b";")], "B", ident, at, rows)
            except DecodeError as error:
                rows.refuse(error, at)
        at += len(one) + 1


def _check_crc(message: bytes, sent: bytes, at: int) -> None:
    found = crc16_ibm(message)
    written = _CRC.fullmatch(sent)
    if written is None or int(written[1], 16) != found:
        detail = f"crc: expected {found:04X}, got {sent[:10]!r}"
        raise DecodeError(Reject.BAD_CHECKSUM, at=at, detail=detail)


def _text(raw: bytes) -> str:
    """A column. Old trackers write in code pages that nobody knows: such bytes are escaped."""
    return raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00")


WIALON: Final = register(Codec(name="wialon", decode=decode, encode=encode))
