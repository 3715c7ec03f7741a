"""Strings that come from outside: identities, plates, licences, and text for people.

Belongs here: what makes a received string fit to be compared, stored and shown. Everything below
gives text without control characters and lone surrogates, which PostgreSQL would refuse.
"""

import re
from collections.abc import Iterable
from itertools import count
from typing import Final

from devices.batch import UNKNOWN

MAX_IDENT_CHARACTERS: Final = 64
MAX_DETAIL_CHARACTERS: Final = 200

_NOT_PLATE: Final = re.compile(r"[^A-Z0-9]+")
_PLAIN: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]*")
_PLACEHOLDER_LICENCES: Final = frozenset(
    {"", "-", "0", "NULL", "NONE", "UNKNOWN", "123451234512345"}  # docs/codecs/ufms.md
)


def normal_plate(raw: str) -> str:
    """A plate as it is compared: upper case, letters and digits only; "" if nothing is left.

    The Vietnamese letter Đ of plates such as "59LĐ-123.45" is written D, as the registers do.
    """
    return _NOT_PLATE.sub("", raw.upper().replace("Đ", "D"))


def known_licence(raw: str) -> str:
    """A driving licence number as sent, without blanks around it; "" for a placeholder."""
    licence = raw.strip()
    if licence.upper() in _PLACEHOLDER_LICENCES or not is_ident(licence):
        return ""
    return licence


def is_ident(text: str) -> bool:
    """Whether a string can be an identity: 1 to 64 characters, none of them a control character."""
    return 0 < len(text) <= MAX_IDENT_CHARACTERS and _PLAIN.fullmatch(text) is not None


def is_plain(text: str) -> bool:
    """Whether a string has neither control characters nor lone surrogates."""
    return _PLAIN.fullmatch(text) is not None


def printable(text: str) -> str:
    """Text that can be stored and shown: other characters escaped, 200 characters at most."""
    if len(text) > MAX_DETAIL_CHARACTERS:
        text = text[: MAX_DETAIL_CHARACTERS - 3] + "..."
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class Names:
    """Strings numbered in the order of their first appearance; "" is nobody's: -1."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {"": UNKNOWN}

    def number(self, name: str) -> int:
        """The number of a name, a new one if it was not seen before."""
        return self._numbers.setdefault(name, len(self._numbers) - 1)

    def numbers(self, names: Iterable[str]) -> list[int]:
        """The numbers of several names."""
        texts = list(names)
        new = [name for name in dict.fromkeys(texts) if name not in self._numbers]
        self._numbers.update(zip(new, count(len(self._numbers) - 1), strict=False))
        return [self._numbers[name] for name in texts]

    def known(self) -> tuple[str, ...]:
        """The names by their numbers."""
        return tuple(self._numbers)[1:]
