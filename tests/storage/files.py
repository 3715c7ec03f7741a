"""Small whole files of each format that is taken, made by hand as their standards say."""

import struct
import zlib


def chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(size: int = 4) -> bytes:
    """A grey square (PNG, third edition, section 11)."""
    head = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\x80" * size for _ in range(size)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg(scan: bytes = b"\x12\x34\xff\x00\x56") -> bytes:
    """Segments in the order of ITU-T T.81, annex B; the scan decodes to nothing sensible."""

    def segment(marker: int, data: bytes) -> bytes:
        return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data

    return b"".join((
        b"\xff\xd8",
        segment(0xE0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"),
        b"\xff",  # a byte that fills
        segment(0xDB, bytes(65)),
        segment(0xC0, b"\x08\0\x08\0\x08\x01\x01\x11\0"),
        segment(0xC4, bytes(29)),
        segment(0xDA, b"\x01\x01\0\0\x3f\0"),
        scan,
        b"\xff\xd9",
    ))  # fmt: skip


PDF = b"%PDF-1.7\n1 0 obj <</Type /Catalog>> endobj\ntrailer <</Root 1 0 R>>\n%%EOF\n"
TEXT = "L\u1ec7nh v\u1eadn chuy\u1ec3n s\u1ed1 17\r\n\tHà Nội - Vinh\n".encode()
WHOLE = {
    "image/png": png(), "image/jpeg": jpeg(), "application/pdf": PDF, "text/plain": TEXT,
}  # fmt: skip
