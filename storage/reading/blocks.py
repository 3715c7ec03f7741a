"""Named blocks of SQL: `-- name: what_it_is`, a line of purpose, and one statement."""

import re
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
HEADING: Final = re.compile(r"^-- name: ([a-z_]+)\n-- \S.*$", re.MULTILINE)


def load_blocks(file: str) -> dict[str, bytes]:
    """The blocks of one file of this folder, by name.

    Statements are bytes, which psycopg takes as they are: nothing can be formatted into them.
    """
    text = (FOLDER / file).read_text(encoding="utf-8")
    headings = list(HEADING.finditer(text))
    if len(headings) != text.count("-- name:"):
        raise ValueError(f"{file}: expected each `-- name:` to be followed by a line of purpose")
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    blocks: dict[str, bytes] = {}
    for heading, end in zip(headings, ends, strict=True):
        if heading[1] in blocks:
            raise ValueError(f"{file}: block {heading[1]!r} stands there twice")
        blocks[heading[1]] = text[heading.end() : end].strip().encode()
    return blocks
