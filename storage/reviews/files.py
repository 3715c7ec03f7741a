"""Which format a file has, by its bytes and not by its name. Pure.

Four formats are taken, and each is looked through as far as it tells itself: a program or a web
page with a picture's first bytes is none of them. What is inside a picture or a PDF is not judged.
"""

import re
import zlib
from typing import Final

from storage.errors import ReviewError

EXTENSIONS: Final = {
    "image/jpeg": (".jpg", ".jpeg"),
    "image/png": (".png",),
    "application/pdf": (".pdf",),
    "text/plain": (".txt",),
}
"""Formats, with how names of their files end; the first is added where a name ends otherwise."""

LONGEST_NAME: Final = 120
PNG: Final = b"\x89PNG\r\n\x1a\n"
PDF: Final = re.compile(rb"%PDF-[12]\.\d[\r\n]")
PDF_END_BYTES: Final = 1_024
"""How far from its end a PDF may say that it ends: what readers look through."""
CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
NO_TEXT: Final = re.compile(r"\s*(<(!|\?|[a-z])|%PDF|%!PS)", re.IGNORECASE)
"""How HTML, XML, SVG, PDF and PostScript begin, which may be written in letters alone."""

START_OF_SCAN: Final = 0xDA
STANDALONE: Final = {0x01, *range(0xD0, 0xD8)}
"""Markers of JPEG (ITU-T T.81, table B.1): where the compressed picture begins; those without a
length."""


def format_of(content: bytes) -> str:
    """The media type of a file. Raises ReviewError for what is none of the four."""
    if _is_jpeg(content):
        return "image/jpeg"
    if _is_png(content):
        return "image/png"
    if PDF.match(content) and b"%%EOF" in content[-PDF_END_BYTES:]:
        return "application/pdf"
    if _is_text(content):
        return "text/plain"
    raise ReviewError("file_refused", "expected a whole JPEG, PNG or PDF, or plain text in UTF-8")


def name_for(name: str, media_type: str) -> str:
    """The name under which a file is kept: its own, with the ending of what it is."""
    endings = EXTENSIONS[media_type]
    if name.lower().endswith(endings):
        return name
    return name[: LONGEST_NAME - len(endings[0])] + endings[0]


def _is_jpeg(content: bytes) -> bool:
    """Segments from the start of the image to the start of its scan, and an end after it."""
    if content[:2] != b"\xff\xd8":
        return False
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # a byte that fills
            at += 1
            continue
        if marker == START_OF_SCAN:
            return content.find(b"\xff\xd9", at) > 0
        if marker in STANDALONE:
            at += 2
            continue
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return False


def _is_png(content: bytes) -> bool:
    """Chunks with right checksums, from IHDR to IEND, and nothing behind."""
    if not content.startswith(PNG):
        return False
    at, kinds = len(PNG), []
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if at + 12 + size > len(content):
            return False
        checked = content[at + 4 : at + 8 + size]
        if zlib.crc32(checked) != int.from_bytes(content[at + 8 + size : at + 12 + size], "big"):
            return False
        kinds.append(checked[:4])
        at += 12 + size
        if kinds[-1] == b"IEND":
            break
    return at == len(content) and kinds[:1] == [b"IHDR"] and kinds[-1:] == [b"IEND"]


def _is_text(content: bytes) -> bool:
    """UTF-8 without control characters that does not begin as a format of its own does."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return bool(text.strip()) and not CONTROL.search(text) and not NO_TEXT.match(text)
