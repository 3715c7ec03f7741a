"""XOR of all bytes: the checksum of NMEA sentences and of many binary frames."""


def xor8(data: bytes) -> int:
    """The XOR of all bytes, by folding one long integer in halves; 0 of none."""
    size = 64
    while size < len(data):
        size *= 2
    value = int.from_bytes(data, "big")
    bits = size * 8
    while bits > 8:
        bits //= 2
        value ^= value >> bits
    return value & 0xFF
