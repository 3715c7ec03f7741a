"""CRC-8 of EGTS headers: polynomial 0x31, start 0xFF, not reflected."""

from typing import Final


def _make_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = (crc << 1 ^ 0x31 if crc & 0x80 else crc << 1) & 0xFF
        table.append(crc)
    return tuple(table)


_TABLE: Final = _make_table()


def crc8(data: bytes) -> int:
    """The CRC of one byte string; headers are short."""
    crc = 0xFF
    for byte in data:
        crc = _TABLE[crc ^ byte]
    return crc
