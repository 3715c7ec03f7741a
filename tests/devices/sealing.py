"""Frames with any content whose lengths and checksums are right again: what a sender could mean."""

import struct

from devices.crc8 import crc8_each
from devices.crc16 import CCITT_FALSE, KERMIT, MODBUS
from devices.formats.eelink.packet import rotating_sums


def ruptela(frame: bytes) -> bytes:
    part = frame[2:-2][:0xFFFF]
    return struct.pack(">H", len(part)) + part + struct.pack(">H", KERMIT.of(part))


def galileo(frame: bytes) -> bytes:
    part = frame[:1] + struct.pack("<H", len(frame) - 5 & 0x7FFF) + frame[3:-2][:0x7FFF]
    return part + struct.pack("<H", MODBUS.of(part))


def egts(frame: bytes) -> bytes:
    content = frame[11:-2]
    head = b"\1" + frame[1:2] + b"\0\x0b\0" + struct.pack("<H", len(content)) + frame[7:9] + b"\1"
    checked = bytes(crc8_each([head])) + content
    return head + checked + (struct.pack("<H", CCITT_FALSE.of(content)) if content else b"")


def eelink(frame: bytes) -> bytes:
    if frame[:2] != b"EL":
        return frame
    frame = frame[:2] + struct.pack(">H", len(frame) - 4 & 0xFFFF) + frame[4:]
    return frame[:4] + struct.pack(">H", *rotating_sums([frame])) + frame[6:]


def t800x(frame: bytes) -> bytes:
    return b"%%" + frame[2:3] + struct.pack(">H", len(frame)) + frame[5:]


def cellocator(frame: bytes) -> bytes:
    return frame[:-1] + bytes([sum(frame[4:-1]) & 0xFF])


def iotm(frame: bytes) -> bytes:
    return b"\2" + frame[1:-1] + bytes([sum(frame[1:-1]) + 2 & 0xFF])


SEALS = {
    "cellocator": cellocator, "eelink": eelink, "egts": egts, "galileo": galileo, "iotm": iotm,
    "ruptela": ruptela, "t800x": t800x,
}  # fmt: skip
