"""Ruptela: length, IMEI, command, content, CRC; records are answered with command 100.

Source: "Ruptela Communication Protocol", sections on packet structure and acknowledgements. A
packet is a length u16 (of all but itself and the CRC), the IMEI as u64, a command u8, its content,
and CRC-16/KERMIT. Packets of trouble codes (9) give a length of 11 whatever there is: of them the
count behind the command tells. An answer is 0002, a command, 01 (taken) or 00 (not taken), and a
CRC; the server's command is the device's plus 100, 100 alone for both commands that carry records.
"""

from collections.abc import Iterable
from typing import ClassVar, Final

from devices.streams.checksums import crc_kermit
from devices.streams.stream import Step, Stream

_RECORDS: Final = frozenset((0x01, 0x44))
_RECORDS_ANSWER: Final = 100
_TROUBLE_CODES: Final = 0x09
_TROUBLE_BYTES: Final = 19
_COUNT_AT: Final = 11
_IDENTIFICATION: Final = 0x0F
_HEARTBEAT: Final = 0x10
_DYNAMIC_IDENTIFICATION: Final = 0x12
_MOST_IMEI: Final = 10**16


class RuptelaStream(Stream):
    """A device's packets."""

    most_bytes: ClassVar[int] = 2048

    def measure(self, data: bytes, at: int) -> int:
        """A length that can be, before an IMEI that can be."""
        if len(data) - at <= _COUNT_AT:
            return 0
        length = int.from_bytes(data[at : at + 2], "big")
        imei = int.from_bytes(data[at + 2 : at + 10], "big")
        if length < 9 or not 0 < imei < _MOST_IMEI:
            return -1
        if data[at + _COUNT_AT - 1] == _TROUBLE_CODES:
            return _COUNT_AT + 3 + _TROUBLE_BYTES * data[at + _COUNT_AT]
        return length + 4

    def read(self, frame: bytes) -> Iterable[Step]:
        """Identifications and heartbeats at once, records and trouble codes when they are safe."""
        ident, command = str(int.from_bytes(frame[2:10], "big")).zfill(15), frame[10]
        if crc_kermit(frame[2:-2]) != int.from_bytes(frame[-2:], "big"):
            refusal = _answer(_RECORDS_ANSWER, 0) if command in _RECORDS else b""
            return (Step(wrong="bad_checksum", reply=refusal),)
        if command in {_IDENTIFICATION, _HEARTBEAT, _DYNAMIC_IDENTIFICATION}:
            answer = command + 100
            return (Step(ident=ident, reply=_answer(answer, 1), refusal=_answer(answer, 0)),)
        reply = b""
        if command in _RECORDS:
            reply = _answer(_RECORDS_ANSWER, 1)
        elif command == _TROUBLE_CODES:
            reply = _answer(command + 100, 1)
        return (Step(ident=ident, payload=frame, reply=reply),)


def _answer(command: int, taken: int) -> bytes:
    body = bytes((command, taken))
    return b"\x00\x02" + body + crc_kermit(body).to_bytes(2, "big")
