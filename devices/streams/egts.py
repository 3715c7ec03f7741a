"""EGTS (GOST 33465): transport packets of service records, each answered by a response packet.

Source: GOST R 54619-2011 / 33465-2015, sections on the transport layer (tables 3-5), the service
layer (tables 14-15) and the authentication service. Numbers are low byte first. A packet is

    01 | key u8, flags u8, header length u8, encoding u8, data length u16, packet id u16, type u8,
    [route 5 bytes,] CRC-8 | records | CRC-16

A record is length u16, number u16, flags u8, [object u32,] [event u32,] [time u32,] its service
twice, and subrecords of type u8, length u16 and content. The identity is the IMEI of TERM_IDENTITY,
else its terminal id, else the object id of the first record. Where it is the IMEI, object ids that
are the terminal id are left out of what is published: they say the same in another number, and only
the login says so.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from devices.streams.checksums import crc8_egts, crc_ccitt_false
from devices.streams.stream import Clock, Step, Stream, garbage

_VERSION: Final = b"\x01"
_HEADER_BYTES: Final = 11
_ROUTED_BYTES: Final = 16

_RESPONSE: Final = 0
_APPDATA: Final = 1
_SIGNED: Final = 2

_HAS_OBJECT: Final = 0x01
_AUTHENTICATION: Final = 1
_RECORD_RESPONSE: Final = 0
_TERM_IDENTITY: Final = 1
_RESULT_CODE: Final = 9
_DATA_CRC_ERROR: Final = 137
_AUTH_DENIED: Final = 151
_MOST_RECORDS: Final = 1024


@dataclass(frozen=True, slots=True)
class _Record:
    number: bytes
    service: int
    object_id: int | None
    data: bytes
    whole: bytes


class EgtsStream(Stream):
    """A terminal's packets."""

    most_bytes: ClassVar[int] = 65_535 + 18

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._packet_id = 0
        self._is_named = False
        self._own_object = 0  # the terminal id of whom the login gives an IMEI, too

    def measure(self, data: bytes, at: int) -> int:
        """A header whose CRC is right says how long the packet is."""
        if data[at] != _VERSION[0]:
            return garbage(data, at, _VERSION)
        if len(data) - at < _HEADER_BYTES:
            return 0
        header = data[at + 3]
        if header not in {_HEADER_BYTES, _ROUTED_BYTES}:
            return -1
        if len(data) - at < header:
            return 0
        if crc8_egts(data[at : at + header - 1]) != data[at + header - 1]:
            return -1
        size = int.from_bytes(data[at + 5 : at + 7], "little")
        return header + size + 2 if size else header

    def read(self, frame: bytes) -> Iterable[Step]:
        """Responses want nothing, authentications an answer at once, all else when it is safe."""
        header, kind = frame[3], frame[9]
        if kind not in {_APPDATA, _SIGNED}:
            return ()
        data = frame[header:-2]
        if not data or crc_ccitt_false(data) != int.from_bytes(frame[-2:], "little"):
            return (Step(wrong="bad_checksum", reply=self._response(frame, [], _DATA_CRC_ERROR)),)
        if kind == _SIGNED:
            data = data[2 + int.from_bytes(data[:2], "little") :]
        records = list(_records(data))
        ident = self._ident(records)
        reply = self._response(frame, records, 0)
        refusal = b""
        logins = [record for record in records if record.service == _AUTHENTICATION]
        if any(next(_subrecords(record.data), (0, b""))[0] == _TERM_IDENTITY for record in logins):
            before = self._packet_id
            refusal = reply + self._result(_AUTH_DENIED)
            self._packet_id = before  # one of the two is said
            reply += self._result(0)
        if records and len(logins) == len(records):
            return (Step(ident=ident, reply=reply, refusal=refusal),)
        if self._own_object and any(record.object_id == self._own_object for record in records):
            frame = self._without_own_object(frame, records)
        return (Step(ident=ident, payload=frame, reply=reply),)

    def _ident(self, records: list[_Record]) -> str:
        """Who says so; "" when it was said before: object ids change where one login serves all."""
        for record in records:
            for kind, content in _subrecords(record.data):
                if record.service == _AUTHENTICATION and kind == _TERM_IDENTITY:
                    self._is_named = True
                    ident, number = _terminal(content)
                    self._own_object = number if ident != str(number) else 0
                    return ident
        objects = [record.object_id for record in records if record.object_id]
        return str(objects[0]) if objects and not self._is_named else ""

    def _without_own_object(self, frame: bytes, records: list[_Record]) -> bytes:
        """The packet with the terminal's own number left out of its records, unsigned."""
        own = self._own_object
        data = b"".join(
            record.whole if record.object_id != own
            else record.whole[:4] + bytes((record.whole[4] & ~_HAS_OBJECT,)) + record.whole[9:]
            for record in records
        )  # fmt: skip
        head = b"".join((
            frame[:5], len(data).to_bytes(2, "little"), frame[7:9], bytes((_APPDATA,)),
            frame[10 : frame[3] - 1],
        ))  # fmt: skip
        crc = crc_ccitt_false(data).to_bytes(2, "little")
        return head + bytes((crc8_egts(head),)) + data + crc

    def _response(self, frame: bytes, records: list[_Record], result: int) -> bytes:
        confirmed = (
            self._record(record.service, bytes((_RECORD_RESPONSE, 3, 0)) + record.number + b"\x00")
            for record in records
        )
        return self._packet(_RESPONSE, frame[7:9] + bytes((result,)) + b"".join(confirmed))

    def _result(self, code: int) -> bytes:
        """A packet that says what became of a login."""
        result = bytes((_RESULT_CODE, 1, 0, code))
        return self._packet(_APPDATA, self._record(_AUTHENTICATION, result))

    def _record(self, service: int, data: bytes) -> bytes:
        self._packet_id = (self._packet_id + 1) & 0xFFFF
        number = self._packet_id.to_bytes(2, "little")
        return len(data).to_bytes(2, "little") + number + bytes((0, service, service)) + data

    def _packet(self, kind: int, data: bytes) -> bytes:
        self._packet_id = (self._packet_id + 1) & 0xFFFF
        header = b"".join((
            _VERSION, b"\x00\x00", bytes((_HEADER_BYTES, 0)), len(data).to_bytes(2, "little"),
            self._packet_id.to_bytes(2, "little"), bytes((kind,)),
        ))  # fmt: skip
        crc = crc_ccitt_false(data).to_bytes(2, "little")
        return header + bytes((crc8_egts(header),)) + data + crc


def _records(data: bytes) -> Iterator[_Record]:
    """Service records; what ends too early is left out."""
    at = 0
    for _ in range(_MOST_RECORDS):
        if len(data) - at < 7:
            return
        size, flags = int.from_bytes(data[at : at + 2], "little"), data[at + 4]
        body = at + 5
        object_id = None
        if flags & _HAS_OBJECT:
            object_id = int.from_bytes(data[body : body + 4], "little")
        body += 4 * (flags & 0x07).bit_count()
        end = body + 2 + size
        if end > len(data):
            return
        service, content = data[body], data[body + 2 : end]
        yield _Record(data[at + 2 : at + 4], service, object_id, content, data[at:end])
        at = end


def _subrecords(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while len(data) - at >= 3:
        size = int.from_bytes(data[at + 1 : at + 3], "little")
        yield data[at], data[at + 3 : at + 3 + size]
        at += 3 + size


def _terminal(content: bytes) -> tuple[str, int]:
    """The IMEI where the flags say that there is one, else the terminal id; and the latter."""
    number, flags = int.from_bytes(content[:4], "little"), content[4] if len(content) > 4 else 0
    at = 5 + (2 if flags & 0x01 else 0)
    imei = content[at : at + 15]
    if flags & 0x02 and imei.isdigit():
        return imei.decode("ascii"), number
    return str(number), number
