"""Frames with any content whose lengths and checksums are right again: what a sender could mean."""

import struct

from devices.crc16 import KERMIT, MODBUS


def ruptela(frame: bytes) -> bytes:
    part = frame[2:-2][:0xFFFF]
    return struct.pack(">H", len(part)) + part + struct.pack(">H", KERMIT.of(part))


def galileo(frame: bytes) -> bytes:
    part = frame[:1] + struct.pack("<H", len(frame) - 5 & 0x7FFF) + frame[3:-2][:0x7FFF]
    return part + struct.pack("<H", MODBUS.of(part))


SEALS = {"galileo": galileo, "ruptela": ruptela}
