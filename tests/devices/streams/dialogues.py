"""What trackers say and what they are to hear, one dialogue a format.

Frames are made here, by the formats' documents, not by our encoders.
"""

# ruff: noqa: E501 - frames are shown as they are sent

import zlib
from dataclasses import dataclass

from devices.crc16 import crc16_ibm
from devices.streams.checksums import (
    crc8_egts,
    crc_ccitt_false,
    crc_kermit,
    crc_modbus,
    crc_x25,
)
from devices.streams.stream import Step
from devices.xor8 import xor8

IMEI = "352093081429150"
NOW_US = 1_795_000_000_000_000  # 2026-11-18T11:06:40Z


def clock() -> int:
    return NOW_US


@dataclass(frozen=True)
class Dialogue:
    """said: frames in order, heard: the steps of each."""

    said: list[bytes]
    heard: list[list[Step]]


def login(ident: str, reply: bytes, refusal: bytes = b"") -> list[Step]:
    return [Step(ident=ident, reply=reply, refusal=refusal)]


def teltonika_packet(records: int = 2, codec: int = 0x08) -> bytes:
    body = bytes((codec, records)) + b"\x00" * 30 * records + bytes((records,))
    return bytes(4) + len(body).to_bytes(4, "big") + body + crc16_ibm(body).to_bytes(4, "big")


def jt808(
    message: int, body: bytes, serial: int = 1, part: tuple[int, int] | None = None,
    number: bytes = bytes.fromhex("013912345678"),
) -> bytes:  # fmt: skip
    properties = len(body) | (0x2000 if part else 0)
    whole = message.to_bytes(2, "big") + properties.to_bytes(2, "big") + number
    whole += serial.to_bytes(2, "big")
    if part:
        whole += part[0].to_bytes(2, "big") + part[1].to_bytes(2, "big")
    whole += body
    whole += bytes((xor8(whole),))
    return b"~" + whole.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + b"~"


def jt808_answer(message: int, body: bytes, serial: int) -> bytes:
    return jt808(message, body, serial)


def gt06(number: int, content: bytes, serial: int = 1) -> bytes:
    checked = bytes((len(content) + 5, number)) + content + serial.to_bytes(2, "big")
    return b"xx" + checked + crc_x25(checked).to_bytes(2, "big") + b"\r\n"


def ruptela(command: int, content: bytes = b"\x00\x01") -> bytes:
    body = int(IMEI).to_bytes(8, "big") + bytes((command,)) + content
    return len(body).to_bytes(2, "big") + body + crc_kermit(body).to_bytes(2, "big")


def galileo(tags: bytes) -> bytes:
    whole = b"\x01" + len(tags).to_bytes(2, "little") + tags
    return whole + crc_modbus(whole).to_bytes(2, "little")


def egts(kind: int, data: bytes, packet: int) -> bytes:
    header = bytes((1, 0, 0, 11, 0)) + len(data).to_bytes(2, "little")
    header += packet.to_bytes(2, "little") + bytes((kind,))
    crc = crc_ccitt_false(data).to_bytes(2, "little")
    return header + bytes((crc8_egts(header),)) + data + crc


def egts_record(number: int, service: int, data: bytes) -> bytes:
    head = len(data).to_bytes(2, "little") + number.to_bytes(2, "little")
    return head + bytes((0, service, service)) + data


def eelink(kind: int, content: bytes, sequence: int = 7) -> bytes:
    size = len(content) + 2
    return b"gg" + bytes((kind,)) + size.to_bytes(2, "big") + sequence.to_bytes(2, "big") + content


def t800x(kind: int, content: bytes) -> bytes:
    size = 15 + len(content)
    head = b"##" + bytes((kind,)) + size.to_bytes(2, "big") + b"\x00\x09"
    return head + bytes.fromhex("0" + IMEI) + content


def cellocator(kind: int = 0, content: bytes = bytes(60)) -> bytes:
    body = bytes((kind,)) + (77).to_bytes(4, "little") + b"\x00\x00\x05" + content[:57]
    return b"MCGP" + body + bytes((sum(body) & 0xFF,))


def cellocator_answer(count: int) -> bytes:
    body = b"\x04" + (77).to_bytes(4, "little") + bytes((count,)) + bytes(5) + b"\x05" + bytes(11)
    return b"MCGP" + body + bytes((sum(body) & 0xFF,))


def meitrack(content: bytes) -> bytes:
    return b"$$A%d%b" % (len(content), content)


TROUBLE_CODES = b"\x00\x0b" + ruptela(0x09, b"\x02" + bytes(38))[2:]
PHONE = "13912345678"
PACKET = teltonika_packet()
POSITION = b"\x00" * 20 + b"\x7e\x7d" + b"\x00" * 6
GT06_POSITION = gt06(0x12, bytes(26), 2)
GT06_ALARM = gt06(0x16, bytes(32), 3)
H02_TEXT = b"*HQ,4106012736,V1,224434,A,1827.3855,N,06705.7577,W,000.00,000,100217,FFFFFBFF#"
H02_BINARY = bytes.fromhex("24410600082621532131081504419390060740418306") + bytes(10)
GPS103 = b"imei:352093081429150,tracker,1210210936,,F,123644.000,A,2220.6322,N,11407.5313,E,0.00,;"
MEITRACK = meitrack(b",352093081429150,AAA,35,21.0,105.8,261118000000,A*3F\r\n")
MEITRACK_BINARY = meitrack(b",352093081429150,CCE,\x00$$\r\n*A7\r\n")

FRI = b"+RESP:GTFRI,060100,352093081429150,,0,0,1,1,4.3,92,70.0,105.8,21.0,20261118000000,11F0$"
AUTH = b"\x01\x14\x00" + (9).to_bytes(4, "little") + b"\x02" + IMEI.encode()
EGTS_AUTH = egts(1, egts_record(3, 1, AUTH), 20)
EGTS_DATA = egts(1, egts_record(4, 2, b"\x10\x15\x00" + bytes(21)), 21)
FIRST_TAGS = galileo(b"\x01\x11\x02\xdf\x03" + IMEI.encode() + b"\x04\x32\x00")
MORE_TAGS = galileo(b"\x04\x32\x00\x10\x00\x01")
RMC = b"$GPRMC,224434,A,1827.3855,N,06705.7577,W,000.00,000,100217,,*1B"
GGA = b"$GPGGA,224434,1827.3855,N,06705.7577,W,1,09,1.1,120.5,M,46.9,M,,*47"
IN_PARTS = [jt808(0x0704, bytes(30), 5, (3, 1)), jt808(0x0704, bytes(30), 6, (3, 2))]
LAST_PART = jt808(0x0704, bytes(5), 7, (3, 3))
SERIAL = bytes(4) + b"\x03" + bytes(4)
"""Behind the head of a cellocator's message: a length of three at 16, and three bytes."""
SHORT = bytes(1) + b"\x01" + bytes(1)
"""A length of one at 13, and one byte."""
UEX = b"ST300UEX;100850000;01;010;20261118;05:00:00;2f10;+21.028500;+105.854200;000.033;000.00;12;1;41564973;13.17;000000;9;t=1\r\n;2\r\n;76;1"
BOX = zlib.compress(b"#B#c|d|1A2B\r\n#P#\r\n")
PICTURE = b"#I#5;0;0;181126;050000;a.jpg;1A2B"
DEFLATED = b"\xff" + len(BOX).to_bytes(2, "little") + BOX


def _generic(serial: int, message: int, count: int, result: bytes = b"\x00") -> bytes:
    body = serial.to_bytes(2, "big") + message.to_bytes(2, "big") + result
    return jt808_answer(0x8001, body, count)


DIALOGUES: dict[str, Dialogue] = {
    "cellocator": Dialogue(
        [cellocator(), cellocator(7), cellocator(8, SERIAL), cellocator(9, SHORT), cellocator()],
        [
            [Step("77", cellocator(), cellocator_answer(1))],
            [Step("77", cellocator(7), cellocator_answer(2))],
            [Step("77", cellocator(8, SERIAL), cellocator_answer(3))],
            [Step("77", cellocator(9, SHORT), cellocator_answer(4))],
            [Step("77", cellocator(), cellocator_answer(5))],
        ],
    ),
    "eelink": Dialogue(
        [eelink(1, bytes.fromhex("0" + IMEI) + b"\x00\x20"), eelink(3, b"\x00"), eelink(0x12, bytes(38)), eelink(0x14, bytes(38))],
        [
            login(IMEI, eelink(1, (NOW_US // 1_000_000).to_bytes(4, "big") + b"\x00\x01\x00")),
            [Step(reply=eelink(3, b""))],
            [Step(payload=eelink(0x12, bytes(38)))],
            [Step(payload=eelink(0x14, bytes(38)), reply=eelink(0x14, b""))],
        ],
    ),
    "egts": Dialogue(
        [EGTS_AUTH, EGTS_DATA, egts(0, b"\x01\x00\x00", 22)],
        [
            login(
                IMEI,
                egts(0, b"\x14\x00\x00" + egts_record(1, 1, b"\x00\x03\x00\x03\x00\x00"), 2)
                + egts(1, egts_record(3, 1, b"\x09\x01\x00\x00"), 4),
                egts(0, b"\x14\x00\x00" + egts_record(1, 1, b"\x00\x03\x00\x03\x00\x00"), 2)
                + egts(1, egts_record(3, 1, b"\x09\x01\x00\x97"), 4),
            ),
            [
                Step(
                    payload=EGTS_DATA,
                    reply=egts(0, b"\x15\x00\x00" + egts_record(5, 2, b"\x00\x03\x00\x04\x00\x00"), 6),
                )
            ],
            [],
        ],
    ),
    "galileo": Dialogue(
        [FIRST_TAGS, MORE_TAGS],
        [
            [Step(IMEI, FIRST_TAGS, b"\x02" + FIRST_TAGS[-2:])],
            [Step("", MORE_TAGS, b"\x02" + MORE_TAGS[-2:])],
        ],
    ),
    "gps103": Dialogue(
        [b"##,imei:352093081429150,A;", b"352093081429150;", GPS103, GPS103.replace(b"tracker", b"help me")],
        [
            login(IMEI, b"LOAD"),
            login(IMEI, b"ON"),
            [Step(IMEI, GPS103)],
            [Step(IMEI, GPS103.replace(b"tracker", b"help me"), b"**,imei:352093081429150,E;")],
        ],
    ),
    "gt06": Dialogue(
        [gt06(1, bytes.fromhex("0" + IMEI), 1), GT06_POSITION, GT06_ALARM, gt06(0x13, bytes(5), 4), gt06(0x8A, b"", 5)],
        [
            login(IMEI, gt06(1, b"", 1)),
            [Step(payload=GT06_POSITION)],
            [Step(payload=GT06_ALARM, reply=gt06(0x16, b"", 3))],
            [Step(reply=gt06(0x13, b"", 4))],
            [Step(reply=gt06(0x8A, bytes((26, 11, 18, 11, 6, 40)), 5))],
        ],
    ),
    "h02": Dialogue(
        [H02_TEXT, H02_BINARY, b"*HQ,4106012736,HTBT,100#"],
        [
            [Step("4106012736", H02_TEXT, b"*HQ,4106012736,V4,V1,20261118110640#")],
            [Step("4106000826", H02_BINARY)],
            login("4106012736", b"*HQ,4106012736,HTBT#"),
        ],
    ),
    "jt808": Dialogue(
        [jt808(0x0100, bytes(40), 1), jt808(0x0102, b"token", 2), jt808(0x0002, b"", 3), jt808(0x0200, POSITION, 4), *IN_PARTS, LAST_PART, jt808(0x0001, bytes(5), 8)],
        [
            login(PHONE, jt808_answer(0x8100, b"\x00\x01\x00" + PHONE.encode(), 1), jt808_answer(0x8100, b"\x00\x01\x04", 1)),
            login(PHONE, _generic(2, 0x0102, 2), _generic(2, 0x0102, 2, b"\x01")),
            login(PHONE, _generic(3, 0x0002, 3), _generic(3, 0x0002, 3, b"\x01")),
            [Step(PHONE, jt808(0x0200, POSITION, 4), _generic(4, 0x0200, 4))],
            [Step(PHONE)],
            [Step(PHONE)],
            [Step(PHONE, b"".join(IN_PARTS) + LAST_PART, _generic(5, 0x0704, 5) + _generic(6, 0x0704, 6) + _generic(7, 0x0704, 7))],
            [Step(PHONE, jt808(0x0001, bytes(5), 8))],
        ],
    ),
    "meitrack": Dialogue([MEITRACK, MEITRACK_BINARY], [[Step(IMEI, MEITRACK)], [Step(IMEI, MEITRACK_BINARY)]]),
    "nmea": Dialogue(
        [b"imei:352093081429150\r\n", GGA + b"\r\n", RMC + b"\r\n", RMC + b"\r\n"],
        [login(IMEI, b""), [], [Step("", GGA + b"\r\n" + RMC)], [Step("", RMC)]],
    ),
    "queclink": Dialogue(
        [b"+ACK:GTHBD,060100,352093081429150,,20261118000000,11EF$", FRI, b"+ACK:GTDOG,060100,352093081429150,,0000,20261118000000,11F1$"],
        [
            login(IMEI, b"+SACK:GTHBD,060100,11EF$"),
            [Step(IMEI, FRI, b"+SACK:11F0$")],
            [Step(IMEI, b"+ACK:GTDOG,060100,352093081429150,,0000,20261118000000,11F1$")],
        ],
    ),
    "ruptela": Dialogue(
        [ruptela(0x0F), ruptela(0x01), ruptela(0x44), TROUBLE_CODES, ruptela(0x10)],
        [
            login(IMEI, *(b"\x00\x02\x73" + yes + crc_kermit(b"\x73" + yes).to_bytes(2, "big") for yes in (b"\x01", b"\x00"))),
            [Step(IMEI, ruptela(0x01), bytes.fromhex("0002640113bc"))],
            [Step(IMEI, ruptela(0x44), bytes.fromhex("0002640113bc"))],
            [Step(IMEI, TROUBLE_CODES, bytes.fromhex("00026d01c4a4"))],
            login(IMEI, *(b"\x00\x02\x74" + yes + crc_kermit(b"\x74" + yes).to_bytes(2, "big") for yes in (b"\x01", b"\x00"))),
        ],
    ),
    "suntech": Dialogue(
        [b"ST300STT;100850000;01;010;20261118;05:00:00;2f100\r", b"ST910;Location;205576803;500;20261118\r", b"\x81\x00\x08\x10\x51\x13\x40\x87\x70\x28\x81", b"\x02\x00\x07\x13\x51\x13\x30\x01\x70\x02\x03", b"ST910;Emergency;205283272;500;20150716\r", UEX + b"\r"],
        [
            [Step("100850000", b"ST300STT;100850000;01;010;20261118;05:00:00;2f100")],
            [Step("205576803", b"ST910;Location;205576803;500;20261118")],
            [Step("1051134087", b"\x81\x00\x08\x10\x51\x13\x40\x87\x70\x28\x81")],
            [Step("511330017", b"\x02\x00\x07\x13\x51\x13\x30\x01\x70\x02\x03")],
            [Step("205283272", b"ST910;Emergency;205283272;500;20150716")],
            [Step("100850000", UEX)],
        ],
    ),
    "t800x": Dialogue(
        [t800x(1, bytes(10)), t800x(3, b""), t800x(2, bytes(30)), t800x(4, bytes(22) + b"\x05" + bytes(9))],
        [
            login(IMEI, t800x(1, b"")),
            login(IMEI, t800x(3, b"")),
            [Step(IMEI, t800x(2, bytes(30)), t800x(2, b""))],
            [Step(IMEI, t800x(4, bytes(22) + b"\x05" + bytes(9)), t800x(4, b"\x05"))],
        ],
    ),
    "teltonika": Dialogue(
        [b"\x00\x0f" + IMEI.encode(), PACKET, b"\xff", teltonika_packet(3, 0x07), teltonika_packet(1, 0x0C)],
        [
            login(IMEI, b"\x01", b"\x00"),
            [Step(payload=PACKET, reply=b"\x00\x00\x00\x02")],
            [],
            [Step(payload=teltonika_packet(3, 0x07), reply=b"\x00\x00\x00\x03")],
            [Step(payload=teltonika_packet(1, 0x0C))],
        ],
    ),
    "tk103": Dialogue(
        [b"(013612345678BP00000013612345678HSO)", b"(013612345678BP05352093081429150080524A2232.9806N11404.9355E000.1101241323.8700000000L000450AC)", b"(013612345678BO012061830A2934.0133N10627.2544E040.0080331309.6200000000L000770AD)"],
        [
            login("013612345678", b"(013612345678AP01HSO)"),
            [Step("013612345678", b"(013612345678BP05352093081429150080524A2232.9806N11404.9355E000.1101241323.8700000000L000450AC)", b"(013612345678AP05)")],
            [Step("013612345678", b"(013612345678BO012061830A2934.0133N10627.2544E040.0080331309.6200000000L000770AD)", b"(013612345678AS012)")],
        ],
    ),
    "wialon": Dialogue(
        [b"#L#2.1;352093081429150;NA;BB2B\r\n", b"#P#\r\n", b"#D#181126;050000;2100.0;N;10548.0;E;1;2;3;4;0.0;0;0;;NA;;1A2B\r\n", b"#B#a|b|1A2B\r\n", DEFLATED, PICTURE + b"\r\n\xff\xd8#\n\r"],
        [
            login(IMEI, b"#AL#1\r\n", b"#AL#0\r\n"),
            [Step(reply=b"#AP#\r\n")],
            [Step(payload=b"#D#181126;050000;2100.0;N;10548.0;E;1;2;3;4;0.0;0;0;;NA;;1A2B", reply=b"#AD#1\r\n")],
            [Step(payload=b"#B#a|b|1A2B", reply=b"#AB#2\r\n")],
            [Step(payload=b"#B#c|d|1A2B", reply=b"#AB#2\r\n"), Step(reply=b"#AP#\r\n")],
            [Step(payload=PICTURE)],
        ],
    ),
}  # fmt: skip
