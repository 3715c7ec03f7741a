"""What stands around sentences in the texts of trackers: where they begin, whose they are, when.

Belongs here: finding. What a sentence says stands in sentences.py.
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from devices.formats.nmea.sentences import DAY_US
from devices.texts import is_ident

MAX_TEXT_CHARACTERS: Final = 1000
"""Longer texts beside a sentence are cut: the longest known are of 300."""

ADDRESS: Final = re.compile(
    rb"(?:\$(?=[^P\r\n])|(?<![0-9A-Za-z$])(?=G[ABILNPQ]|BD))(?=[^\r\n]{2}(?:RMC|GGA|GLL|VTG),)"
)
"""Where a sentence that is read begins: "$" and any talker, or a receiver's talker behind anything
but a letter or digit."""

_LINE: Final = re.compile(rb"[^$\r\n]*")

_ENCODED: Final = re.compile(rb"(?:RMC|GGA|GLL)%2C", re.IGNORECASE)
_OTHERS: Final = re.compile(rb"(?m)^[ \t]*[$!][^\n]*")
"""Lines of sentences that are not read."""

_NAMED: Final = re.compile(rb"(?i)imei\s{0,2}[:=]\s{0,2}(\d{14,16})(?!\d)")
_QUERY: Final = re.compile(rb"(?i)[?&](?:id|deviceid|unitid|acct_dev)=([\w.:-]{1,64})(?=[&\s]|$)")
_TOTEM: Final = re.compile(rb"\$\$[0-9A-Z]{2}(\d{15})\|")
_SERIAL: Final = re.compile(rb"(?<!\d)(\d{15})(?!\d)")
_BEFORE_BYTES: Final = 400


def line_at(payload: bytes, start: int, limit: int) -> bytes:
    """The rest of a line, up to the next sentence."""
    found = _LINE.match(payload, start, limit)
    return found[0] if found else b""


def unquoted(payload: bytes) -> bytes:
    """A payload whose sentences came in a query with percent signs, without these."""
    return unquote_to_bytes(payload) if _ENCODED.search(payload) else payload


def identity(payload: bytes, first: int) -> str:
    """The IMEI or id that a text with a sentence at `first` names; "" if it names none.

    What is called by its name, else 15 digits before the sentence: only an IMEI has so many.
    """
    before = payload[max(0, first - _BEFORE_BYTES) : first]
    for pattern, text in (
        (_NAMED, payload),
        (_QUERY, payload),
        (_TOTEM, before),
        (_SERIAL, before),
    ):
        found = pattern.search(text)
        if found:
            return known_serial(found[1].decode())
    return ""


def known_serial(text: str) -> str:
    """An identity; "" for nothing, and for zeros, which stand for a serial that was never set."""
    return text if is_ident(text) and text.strip("0") else ""


def shown(text: bytes) -> str:
    """Text beside a sentence for people; "" if nothing of it can be seen."""
    text = _OTHERS.sub(b"", text[:MAX_TEXT_CHARACTERS]).strip()
    if not text:
        return ""
    said = text.decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in said)


def nearest(time_of_day: int, near: int) -> int:
    """The instant with that time of day that is nearest to `near` (all microseconds)."""
    midnight = near // DAY_US * DAY_US
    return min(
        (midnight + day * DAY_US + time_of_day for day in (-1, 0, 1)), key=lambda t: abs(t - near)
    )
