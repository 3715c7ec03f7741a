"""CRCs of one frame, by their names in the catalogue of CRCs; those of many at once: devices.crc16.

A stream has one frame at a time, and NumPy would take longer to begin than these take in all.
`binascii.crc_hqx` is the polynomial 0x1021, high bit first. Its mirror images are had by mirroring
the bits of every byte on the way in and those of the sum on the way out, all in C.
"""

from binascii import crc_hqx
from typing import Final

from devices.crc16 import crc16_ibm

_MIRROR: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc_ccitt_false(data: bytes) -> int:
    """CRC-16/IBM-3740 (start 0xFFFF): EGTS."""
    return crc_hqx(data, 0xFFFF)


def crc_x25(data: bytes) -> int:
    """CRC-16/IBM-SDLC, "CRC-ITU" in GT06's document."""
    return _mirrored(crc_hqx(data.translate(_MIRROR), 0xFFFF)) ^ 0xFFFF


def crc_kermit(data: bytes) -> int:
    """CRC-16/KERMIT (start 0): Ruptela."""
    return _mirrored(crc_hqx(data.translate(_MIRROR), 0))


def crc_modbus(data: bytes) -> int:
    """CRC-16/MODBUS of at least two bytes: Galileosky.

    It is CRC-16/ARC with a start of 0xFFFF, which is the same as the first two bytes inverted.
    """
    return crc16_ibm(bytes((data[0] ^ 0xFF, data[1] ^ 0xFF)) + data[2:])


def crc8_egts(data: bytes) -> int:
    """CRC-8/NRSC-5 (polynomial 0x31, start 0xFF): headers of EGTS."""
    crc = 0xFF
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return crc


def _mirrored(crc: int) -> int:
    return _MIRROR[crc & 0xFF] << 8 | _MIRROR[crc >> 8]


def _crc8_of(byte: int) -> int:
    for _ in range(8):
        byte = ((byte << 1) ^ 0x31 if byte & 0x80 else byte << 1) & 0xFF
    return byte


_CRC8: Final = bytes(map(_crc8_of, range(256)))
