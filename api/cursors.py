"""Opaque cursors: the key of the last row of a page, for the caller to send back."""

import base64
import binascii
from typing import Final, NoReturn

import msgspec

from api.problems import Flaw, Problem
from storage.reading.paging import TimeKey

MOST_CHARACTERS: Final = 400
MOST_INTEGER: Final = (1 << 63) - 1
MOST_INSTANT_US: Final = 253_402_300_799_999_999
"""The end of the year 9999, microseconds since 1970: no key is later, and none before 1970."""


def encode_cursor(of: str, *key: int | str) -> str:
    """A cursor of the list `of`."""
    return base64.urlsafe_b64encode(msgspec.json.encode([of, *key])).decode().rstrip("=")


def id_cursor(of: str, cursor: str | None) -> int | None:
    """The number that a cursor of the list `of` holds; None stays None. Raises Problem."""
    if cursor is None:
        return None
    key = _key(of, cursor)
    if len(key) != 1 or not _is_number(key[0]):
        _refuse()
    return int(key[0])


def time_cursor(of: str, cursor: str | None) -> TimeKey | None:
    """The same for lists in order of time and id."""
    if cursor is None:
        return None
    key = _key(of, cursor)
    if len(key) != 2 or not all(map(_is_number, key)):
        _refuse()
    if not 0 <= int(key[0]) <= MOST_INSTANT_US:
        _refuse()
    return TimeKey(int(key[0]), int(key[1]))


def instant_cursor(of: str, cursor: str | None) -> int | None:
    """The same for lists in order of time alone: microseconds since 1970-01-01 UTC."""
    at_us = id_cursor(of, cursor)
    if at_us is not None and not 0 <= at_us <= MOST_INSTANT_US:
        _refuse()
    return at_us


def code_cursor(of: str, cursor: str | None) -> str | None:
    """The same for lists in order of code."""
    if cursor is None:
        return None
    key = _key(of, cursor)
    if len(key) != 1 or not isinstance(key[0], str) or "\0" in key[0]:
        _refuse()
    return key[0]


def _key(of: str, cursor: str) -> list[int | str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        found = msgspec.json.decode(text, type=list[int | str])
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        _refuse()
    if not found or found[0] != of:
        _refuse()
    return found[1:]


def _is_number(value: object) -> bool:
    return isinstance(value, int) and abs(value) <= MOST_INTEGER


def _refuse() -> NoReturn:
    expected = "next_cursor of an earlier page of this list, unchanged"
    raise Problem("cursor_invalid", f"expected {expected}", flaws=[Flaw("query.cursor", expected)])
