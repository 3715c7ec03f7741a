"""JT/T 808 (2011, 2013 and 2019): frames between 7E, general replies, sub-packets joined.

Source: JT/T 808-2013 and -2019, sections 4.4 (structure), 8.1-8.6 (replies). A frame is

    7E | id u16, properties u16, [version u8,] phone BCD[6 or 10], serial u16, [total u16,
    part u16,] body | XOR u8 | 7E

with 7E written 7D 02 and 7D written 7D 01 between the marks. Every message of a terminal but its
own general reply is answered: registrations (0100) by 8100, pictures (0801) by 8800, all others by
the general reply 8001.

The parts of a message are published together, back to back, when the last has come, and only then
acknowledged. A part that comes twice is acknowledged at once: its sender waits for that.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Final

from devices.formats.jt808.framing import ident as ident_of
from devices.streams.stream import Clock, Step, Stream, garbage, until
from devices.xor8 import xor8

_MARK: Final = b"\x7e"
_IN_PARTS: Final = 0x2000
_VERSION_2019: Final = 0x4000

_TERMINAL_REPLY: Final = 0x0001
_HEARTBEAT: Final = 0x0002
_REGISTER: Final = 0x0100
_AUTHENTICATE: Final = 0x0102
_MULTIMEDIA: Final = 0x0801

_GENERAL_REPLY: Final = 0x8001
_REGISTER_REPLY: Final = 0x8100
_MULTIMEDIA_REPLY: Final = 0x8800
_FAILURE: Final = b"\x01"
_NO_SUCH_TERMINAL: Final = b"\x04"

MOST_PARTS: Final = 256
MOST_JOINED_BYTES: Final = 64 << 10
"""Of one message in parts. A bigger one, or one more at a time than `MOST_JOINS`, is given up."""

MOST_JOINS: Final = 2


@dataclass(slots=True)
class _Join:
    """A message of which some parts have come: their frames and replies by number, from 1."""

    total: int
    frames: dict[int, bytes] = field(default_factory=dict)
    replies: dict[int, bytes] = field(default_factory=dict)
    size: int = 0


@dataclass(frozen=True, slots=True)
class _Header:
    """What a message says before its body. part: its number of `total`, from 1; 0: not in parts."""

    message: int
    is_2019: bool
    phone: bytes
    serial: int
    total: int
    part: int


class Jt808Stream(Stream):
    """A terminal's messages."""

    most_bytes: ClassVar[int] = 2300  # 1,023 of body and 30 around it, all of it escaped

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._serial = 0
        self._joins: dict[tuple[int, int], _Join] = {}

    def measure(self, data: bytes, at: int) -> int:
        """From mark to mark; two marks in a row are the end of one frame and the start of one."""
        if data[at] != _MARK[0]:
            return garbage(data, at, _MARK)
        length = until(data, at, _MARK, self.most_bytes)
        return -1 if length == 2 else length

    def read(self, frame: bytes) -> Iterable[Step]:
        """Registration and heartbeat are answered, everything else is published and answered."""
        whole = frame[1:-1].replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")
        if len(whole) < 13 or xor8(whole) != 0:
            return (Step(wrong="bad_checksum"),)
        header, body = _header(whole)
        if header is None:
            return (Step(wrong="bad_syntax"),)
        ident = ident_of(header.phone)
        if not ident:
            return (Step(wrong="bad_identity"),)
        reply = self._reply(header, ident, body)
        if header.message in {_HEARTBEAT, _REGISTER, _AUTHENTICATE}:
            return (Step(ident=ident, reply=reply, refusal=self._refusal(header)),)
        if header.part == 0:
            return (Step(ident=ident, payload=frame, reply=reply),)
        return (self._joined(header, ident, frame, reply),)

    def _reply(self, header: _Header, ident: str, body: bytes) -> bytes:
        serial = header.serial.to_bytes(2, "big")
        if header.message == _TERMINAL_REPLY:
            return b""
        if header.message == _REGISTER:
            # The token is the identity: whoever can send this frame could send the next one too.
            return self._packet(header, _REGISTER_REPLY, serial + b"\x00" + ident.encode("ascii"))
        if header.message == _MULTIMEDIA and header.part in {0, 1}:
            return self._packet(header, _MULTIMEDIA_REPLY, body[:4])
        message = header.message.to_bytes(2, "big")
        return self._packet(header, _GENERAL_REPLY, serial + message + b"\x00")

    def _refusal(self, header: _Header) -> bytes:
        """Said in place of the reply that was just made: no such terminal, or a failure."""
        serial = header.serial.to_bytes(2, "big")
        self._serial = (self._serial - 1) & 0xFFFF
        if header.message == _REGISTER:
            return self._packet(header, _REGISTER_REPLY, serial + _NO_SUCH_TERMINAL)
        message = header.message.to_bytes(2, "big")
        return self._packet(header, _GENERAL_REPLY, serial + message + _FAILURE)

    def _packet(self, to: _Header, message: int, body: bytes) -> bytes:
        self._serial = (self._serial + 1) & 0xFFFF
        properties = len(body) | (_VERSION_2019 if to.is_2019 else 0)
        whole = b"".join((
            message.to_bytes(2, "big"), properties.to_bytes(2, "big"),
            b"\x01" if to.is_2019 else b"", to.phone, self._serial.to_bytes(2, "big"), body,
        ))  # fmt: skip
        whole += bytes((xor8(whole),))
        return _MARK + whole.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + _MARK

    def _joined(self, header: _Header, ident: str, frame: bytes, reply: bytes) -> Step:
        """Keep a part; with the last one, publish all of them."""
        if not 1 <= header.part <= header.total <= MOST_PARTS:
            return Step(ident=ident, wrong="bad_part")
        key = (header.message, (header.serial - header.part) & 0xFFFF)
        join = self._joins.get(key)
        if join is None:
            if len(self._joins) >= MOST_JOINS:  # the oldest one will not be completed any more
                del self._joins[next(iter(self._joins))]
            join = self._joins[key] = _Join(header.total)
        if header.part in join.frames:
            return Step(ident=ident, reply=join.replies.pop(header.part, b"") or reply)
        join.frames[header.part], join.replies[header.part] = frame, reply
        join.size += len(frame)
        if join.total != header.total or join.size > MOST_JOINED_BYTES:
            del self._joins[key]
            return Step(ident=ident, wrong="bad_part")
        if len(join.frames) < join.total:
            return Step(ident=ident)
        del self._joins[key]
        order = sorted(join.frames)
        return Step(
            ident=ident,
            payload=b"".join(join.frames[part] for part in order),
            reply=b"".join(join.replies.get(part, b"") for part in order),
        )


def _header(whole: bytes) -> tuple[_Header | None, bytes]:
    """Header and body of an unescaped message (with its XOR); None: it ends too early."""
    message, properties = int.from_bytes(whole[:2], "big"), int.from_bytes(whole[2:4], "big")
    is_2019 = bool(properties & _VERSION_2019)
    begin, end = (5, 15) if is_2019 else (4, 10)
    body = end + (6 if properties & _IN_PARTS else 2)
    if len(whole) < body + 1:
        return None, b""
    total = part = 0
    if properties & _IN_PARTS:
        total = int.from_bytes(whole[end + 2 : end + 4], "big")
        part = int.from_bytes(whole[end + 4 : end + 6], "big")
    serial = int.from_bytes(whole[end : end + 2], "big")
    header = _Header(message, is_2019, whole[begin:end], serial, total, part)
    return header, whole[body:-1]
