"""Teltonika: login by IMEI, then AVL packets answered with their number of records.

Source: Teltonika's wiki, "Codec", sections on communication with the server over TCP and UDP.
Over TCP a login is 000F and the IMEI, answered 01 (00: not wanted); a packet is answered with four
bytes of how many records were taken. Over UDP every datagram names the IMEI:

    length u16, packet id u16, 01, AVL packet id u8, length of IMEI u16, IMEI, codec, records, ...

The AVL data of a datagram is published as the packet that the same tracker would send over TCP.
"""

from collections.abc import Iterable
from struct import Struct
from typing import ClassVar, Final

from devices.crc16 import crc16_ibm
from devices.formats.teltonika.framing import CODECS
from devices.streams.stream import Step, Stream, garbage

_PREAMBLE: Final = bytes(4)
_LOGIN: Final = b"\x00\x0f"
_LOGIN_BYTES: Final = 17
_PING: Final = b"\xff"
_AROUND: Final = 12
"""Preamble, length and CRC."""

_LENGTH: Final = Struct(">I")
_DATAGRAM: Final = Struct(">HHBBH")


class TeltonikaStream(Stream):
    """The TCP channel."""

    most_bytes: ClassVar[int] = 8192

    def measure(self, data: bytes, at: int) -> int:
        """Pings are a byte, logins 17 bytes, packets say their length behind four zeros."""
        head = data[at : at + 4]
        if head[:1] == _PING:
            return 1
        if head[:2] == _LOGIN:
            return _LOGIN_BYTES
        if head == _PREAMBLE:
            if len(data) - at < 8:
                return 0
            return _AROUND + int(_LENGTH.unpack_from(data, at + 4)[0])
        if _PREAMBLE.startswith(head) or _LOGIN.startswith(head):
            return 0
        return garbage(data, at, b"\x00\xff")

    def read(self, frame: bytes) -> Iterable[Step]:
        """A ping wants nothing, a login 01, a packet its count once it is safe."""
        if frame == _PING:
            return ()
        if frame[:2] == _LOGIN:
            imei = frame[2:]
            if not imei.isdigit():
                return (Step(wrong="bad_login", reply=b"\x00"),)
            return (Step(ident=imei.decode("ascii"), reply=b"\x01", refusal=b"\x00"),)
        body, crc = frame[8:-4], int.from_bytes(frame[-4:], "big")
        if len(body) < 3 or crc16_ibm(body) != crc:
            return (Step(wrong="bad_checksum", reply=bytes(4)),)
        if body[0] not in CODECS:  # a command or its answer wants no acknowledgement
            return (Step(payload=frame),)
        return (Step(payload=frame, reply=_LENGTH.pack(body[1])),)


class TeltonikaDatagrams(Stream):
    """The UDP channel: one datagram, one packet."""

    most_bytes: ClassVar[int] = 8192

    def measure(self, data: bytes, at: int) -> int:
        """The length does not count itself."""
        if len(data) - at < _DATAGRAM.size:
            return 0
        return 2 + int.from_bytes(data[at : at + 2], "big")

    def read(self, frame: bytes) -> Iterable[Step]:
        """Answered with 0005, the packet's id, 01, the AVL packet's id and the count."""
        if len(frame) < _DATAGRAM.size + 17:
            return (Step(wrong="bad_syntax"),)
        _, packet_id, _, avl_id, letters = _DATAGRAM.unpack_from(frame)
        imei = frame[_DATAGRAM.size : _DATAGRAM.size + letters]
        body = frame[_DATAGRAM.size + letters :]
        if not imei.isdigit() or len(body) < 3 or body[0] not in CODECS:
            return (Step(wrong="bad_syntax"),)
        packet = b"".join((_PREAMBLE, _LENGTH.pack(len(body)), body, _LENGTH.pack(crc16_ibm(body))))
        reply = b"".join(
            (b"\x00\x05", packet_id.to_bytes(2, "big"), b"\x01", bytes((avl_id, body[1])))
        )
        return (Step(ident=imei.decode("ascii"), payload=packet, reply=reply),)
