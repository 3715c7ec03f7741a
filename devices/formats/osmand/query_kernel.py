"""The kernel that writes query strings as JSON, for the compiled reader of JSON messages.

Belongs here: name=value&... as clients write it, byte by byte, without objects: a value is a
number, true or false where it is written as JSON writes it, else a text; %XX and + are read. What
is no query of printable ASCII alone (a request, an address in front, letters beyond) is odd: it is
left to the reader of single payloads, which says the same of what is written here.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from devices.batch import I64, U8, Bool
from devices.compile import inlined_kernel, kernel
from devices.json_columns import Written
from devices.scanning import PLAIN, past_digits, sign_at, word_at

MAX_PARAMETERS: Final = 200
MOST_WHOLE_DIGITS, MOST_DECIMALS = 15, 20
"""Of a value that is a number; one with more digits is a text."""

_TEXTS: Final = np.frombuffer(b"iddriverUniqueId", np.uint8)
_ENDS: Final = np.array([0, 2, len(_TEXTS)])
"""Names k (`_TEXTS[_ENDS[k]:_ENDS[k + 1]]`) whose values are texts, however they are written."""

_QUOTE, _COMMA, _COLON, _MINUS, _DOT, _ZERO = (ord(sign) for sign in '",:-.0')
_OPEN, _CLOSE, _LIST, _SLASH = (ord(sign) for sign in "{}[/")
_QUESTION, _AND, _EQUALS, _PLUS, _PERCENT, _SPACE = (ord(sign) for sign in "?&=+% ")
_A, _F, _LOWER = ord("a"), ord("f"), 0x20
_TRUE, _FALSE = tuple(b"true"), tuple(b"false")
_ODD: Final = -1

_COPIED: Final = PLAIN.copy()
"""Characters that stand for themselves in a query."""
_COPIED[[_QUESTION, _AND, _EQUALS, _PLUS, _PERCENT, _SPACE]] = False

_TIMES, _MORE = 3, 8
"""JSON is at most so many times as long, and so many bytes: "=a&" becomes "":"a", (seven bytes)."""


def as_json(queries: Sequence[bytes]) -> Written:
    """Each query as one object."""
    sizes = np.fromiter(map(len, queries), np.int64, len(queries))
    ends = np.cumsum(sizes)
    out = np.empty(_MORE * len(queries) + _TIMES * int(sizes.sum()), np.uint8)
    begin, end = np.empty(len(queries), np.int64), np.empty(len(queries), np.int64)
    odd = np.zeros(len(queries), np.bool_)
    raw = np.frombuffer(b"".join(queries), np.uint8)
    size = _write_all(raw, ends - sizes, ends, out, begin, end, odd)
    return Written.of_buffer(out[:size], begin, end, odd)


@inlined_kernel
def _hex_digit(sign: int) -> int:
    """The value of a hexadecimal digit, or -1."""
    if _ZERO <= sign <= _ZERO + 9:
        return sign - _ZERO
    sign |= _LOWER
    return sign - _A + 10 if _A <= sign <= _F else _ODD


@inlined_kernel
def _put_part(data: U8, at: int, end: int, out: U8, to: int, stop: int) -> tuple[int, int]:
    """Write up to the next & (or other sign) what is meant: where it ends in both, -1 if odd."""
    while at < end:
        if _COPIED[data[at]]:
            out[to] = data[at]
            at, to = at + 1, to + 1
            continue
        sign = sign_at(data, at)
        if sign in (_AND, stop):
            return at, to
        at += 1
        if sign == _PERCENT and at + 1 < end:
            high, low = _hex_digit(sign_at(data, at)), _hex_digit(sign_at(data, at + 1))
            sign = high << 4 | low if high >= 0 and low >= 0 else 0
            at += 2
        elif sign == _PLUS:
            sign = _SPACE
        elif sign != _EQUALS:
            return _ODD, to
        if not PLAIN[sign]:
            return _ODD, to
        out[to] = sign
        to += 1
    return at, to


@inlined_kernel
def _is_always_text(out: U8, begin: int, end: int) -> bool:
    """Whether a name is one of those whose values are texts."""
    for name in range(len(_ENDS) - 1):
        first, k = _ENDS[name], 0
        if end - begin == _ENDS[name + 1] - first:
            while begin + k < end and out[begin + k] == _TEXTS[first + k]:
                k += 1
            if begin + k == end:
                return True
    return False


@inlined_kernel
def _scalar_end(out: U8, begin: int, end: int) -> int:
    """Where a number (without zeros behind), true or false ends; -1 if it is none of them.

    At `end` stands what is part of no value.
    """
    if word_at(out, begin, _TRUE) or word_at(out, begin, _FALSE):
        size = len(_TRUE) if out[begin] == _TRUE[0] else len(_FALSE)
        return end if begin + size == end else _ODD
    first = begin + (out[begin] == _MINUS)
    dot = past_digits(out, first)
    if not 0 < dot - first <= MOST_WHOLE_DIGITS or (dot > first + 1 and out[first] == _ZERO):
        return _ODD
    if dot == end:
        return end
    if out[dot] != _DOT or past_digits(out, dot + 1) != end:
        return _ODD
    if not 1 < end - dot <= MOST_DECIMALS + 1:
        return _ODD
    while out[end - 1] == _ZERO and end > dot + 2:
        end -= 1
    return end


@inlined_kernel
def _put_value(data: U8, at: int, end: int, out: U8, name: int, to: int) -> tuple[int, int]:
    """Write the value of the name in front of it (from `name` on, with its quote and a colon).

    Where it ends in both, -1 if odd.
    """
    begin = to + 1
    at, close = _put_part(data, at, end, out, begin, _AND)
    out[to] = out[close] = _QUOTE
    last = _scalar_end(out, begin, close)
    if last < 0 or _is_always_text(out, name, to - 2):
        return at, close + 1
    for k in range(begin, last):
        out[k - 1] = out[k]
    return at, last - 1


@inlined_kernel
def _put_query(data: U8, at: int, end: int, out: U8, to: int) -> int:
    """Write a query as an object: where it ends in `out`, -1 if it is odd."""
    if at < end and (data[at] == _OPEN or data[at] == _LIST):
        return _ODD
    at += at + 1 < end and data[at] == _SLASH and data[at + 1] == _QUESTION
    at += at < end and data[at] == _QUESTION
    out[to] = _OPEN
    for _ in range(MAX_PARAMETERS):
        begin = to + 2
        at, close = _put_part(data, at, end, out, begin, _EQUALS)
        if at >= 0 and at < end and data[at] == _EQUALS:
            at += 1
            if at < end and data[at] != _AND:
                out[begin - 1] = out[close] = _QUOTE
                out[close + 1] = _COLON
                at, to = _put_value(data, at, end, out, begin, close + 2)
                out[to] = _COMMA
        if at < 0:
            return _ODD
        if at == end:
            out[to] = _CLOSE
            return to + 1
        at += 1
    return _ODD


@kernel
def _write_all(data: U8, starts: I64, ends: I64, out: U8, begin: I64, end: I64, odd: Bool) -> int:
    """Write queries one behind the other, a zero behind each, and how many bytes they are.

    begin, end: shape (n,), where each stands then.
    """
    to = 0
    for query in range(len(starts)):
        begin[query] = to
        to = _put_query(data, starts[query], ends[query], out, to)
        if to < 0:
            odd[query], to = True, begin[query]
        end[query] = to
        out[to] = 0
        to += 1
    return to
