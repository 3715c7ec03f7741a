"""Texts that came from outside, on their way into the database."""

import re
from typing import Final

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def storable_text(value: str) -> str:
    """The text with what PostgreSQL's UTF-8 cannot hold (U+0000, surrogates) shown as U+FFFD."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
