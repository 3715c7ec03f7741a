"""Meitrack: `$$` flag length `,` IMEI `,` command ... `*` checksum CR LF.

Source: "MEITRACK GPRS Protocol", V1.6, section 1. The length counts from the first comma to the
end of the line, so binary content (CCC, CCE) needs no marks. The server answers no position.
"""

import re
from collections.abc import Iterable
from typing import ClassVar, Final

from devices.streams.stream import Step, Stream, garbage

_MARK: Final = b"$$"
_HEAD: Final = re.compile(rb"\$\$[^,](\d{1,5}),")
_MOST_HEAD: Final = 9
_SENDER: Final = re.compile(rb"\$\$[^,]\d{1,5},(\d{1,20}),")


class MeitrackStream(Stream):
    """A tracker's lines."""

    most_bytes: ClassVar[int] = 8192
    separators: ClassVar[bytes] = b"\r\n"

    def measure(self, data: bytes, at: int) -> int:
        """What the length says."""
        head = data[at : at + _MOST_HEAD]
        if not (head.startswith(_MARK) or _MARK.startswith(head)):
            return garbage(data, at, b"$")
        found = _HEAD.match(head)
        if found is None:
            # Without a comma in time it is no head; before that, wait for it.
            return garbage(data, at, b"$") if len(head) == _MOST_HEAD or b"," in head[3:] else 0
        return found.end() - 1 + int(found[1])

    def read(self, frame: bytes) -> Iterable[Step]:
        """Every line names its sender."""
        sender = _SENDER.match(frame)
        if sender is None or b"*" not in frame[-5:]:
            return (Step(wrong="bad_syntax"),)
        return (Step(ident=sender[1].decode("ascii"), payload=frame),)
