"""Which shards a worker judges, as it is written: `0-3/8`, `5/8`, `0,4-5/8`."""

import re
from typing import Final, NamedTuple

MOST: Final = 1024
"""More shards than any site has workers for; each costs the broker a consumer."""

_PART: Final = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")


class Shards(NamedTuple):
    """Some of `total` shards, ascending."""

    held: tuple[int, ...]
    total: int

    @classmethod
    def parse(cls, text: str) -> "Shards":
        """Raises ValueError, which says what was expected."""
        parts, slash, total_text = text.replace(" ", "").partition("/")
        if not slash or not total_text.isdecimal() or not 1 <= int(total_text) <= MOST:
            raise ValueError(f"{text!r}: expected such as 0-3/8, of at most {MOST}")
        total, held = int(total_text), set[int]()
        for part in parts.split(","):
            found = _PART.fullmatch(part)
            if found is None:
                raise ValueError(f"{text!r}: {part!r}: expected a shard or a range such as 0-3")
            first, last = int(found[1]), int(found[2] or found[1])
            if first > last or last >= total:
                raise ValueError(f"{text!r}: {part!r}: expected shards from 0 to {total - 1}")
            held.update(range(first, last + 1))
        return cls(tuple(sorted(held)), total)

    def __str__(self) -> str:
        return f"{','.join(map(str, self.held))}/{self.total}"
