"""Kernels over what the reader of JSON (devices/json_kernel.py) noted and left as it is written.

Belongs here: members that no table knows, joined to objects where they can be stored as they are,
and pairs of numbers in one text.
"""

from typing import Final

import numpy as np

from devices.batch import F64, I64, U8
from devices.compile import inlined_kernel, kernel
from devices.extra import MAX_EXTRA_BYTES
from devices.scanning import PLAIN, json_number_at, past_digits, word_at

NOTHING, OTHER, MEMBERS, ELEMENTS = range(4)
"""What a row has of unknown members. OTHER: such as must be read. MEMBERS: each once, its value a
plain text, true, false, or a number that is written as we would. ELEMENTS: these only with names of
one to nine digits, and whole numbers."""

_MOST_MEMBERS: Final = 64
"""Each name is compared with those before it; more members than trackers send are read instead."""

_MOST_BYTES: Final = MAX_EXTRA_BYTES // 2
"""Leaves room for what a codec adds."""

_MOST_DIGITS, _MOST_OF_NAME = 18, 9
"""Digits of a number (a double has 17, and perhaps a zero in front), and of a name."""

_QUOTE, _COMMA, _COLON, _MINUS, _DOT, _ZERO = (ord(sign) for sign in '",:-.0')
_OPEN, _CLOSE = ord("{"), ord("}")
_TRUE, _FALSE = tuple(b"true"), tuple(b"false")


@inlined_kernel
def _number_kind(data: U8, at: int, end: int) -> int:
    """What a number is, if one ends here."""
    negative = data[at] == _MINUS
    at += negative
    begin, at = at, past_digits(data, at)
    whole = at - begin
    if not 0 < whole <= _MOST_DIGITS or (data[begin] == _ZERO and whole > 1):
        return OTHER
    if at == end:
        return OTHER if negative and data[begin] == _ZERO else ELEMENTS
    if data[at] != _DOT or past_digits(data, at + 1) != end:
        return OTHER
    parts = end - at - 1
    canonical = parts == 1 or data[end - 1] != _ZERO
    return MEMBERS if 0 < parts <= _MOST_DIGITS - whole and canonical else OTHER


@inlined_kernel
def _kind(data: U8, at: int, end: int) -> int:
    """What the member is that stands here."""
    at += 1
    begin = at
    at = past_digits(data, at)
    numbered = data[at] == _QUOTE and 0 < at - begin <= _MOST_OF_NAME
    while PLAIN[data[at]]:
        at += 1
    if data[at] != _QUOTE or data[at + 1] != _COLON:
        return OTHER
    at += 2
    if data[at] == _QUOTE:
        at += 1
        while PLAIN[data[at]]:
            at += 1
        return MEMBERS if data[at] == _QUOTE and at + 1 == end else OTHER
    if word_at(data, at, _TRUE) or word_at(data, at, _FALSE):
        size = len(_TRUE) if data[at] == _TRUE[0] else len(_FALSE)
        return MEMBERS if at + size == end else OTHER
    return min(_number_kind(data, at, end), ELEMENTS if numbered else MEMBERS)


@inlined_kernel
def _is_again(data: U8, noted: I64, first: int, note: int) -> bool:
    """Whether a member has the name of one before it."""
    for before in range(first, note):
        if noted[before, 1] == noted[note, 1]:
            one, other = noted[before, 2] + 1, noted[note, 2] + 1
            while data[one] == data[other] and data[one] != _QUOTE:
                one, other = one + 1, other + 1
            if data[one] == data[other]:
                return True
    return False


@kernel
def join_members(data: U8, noted: I64, what: int, kind: U8, out: U8, place: I64) -> int:
    """Write the members of an object that were noted as an object; how many bytes they all are.

    noted: as in devices.json_kernel.Out. what: the object's number. kind: shape (rows,), all
    NOTHING when given. place: shape (rows, 2), where each begins and ends in `out`.
    """
    to, row, first = 0, -1, 0
    for note in range(len(noted)):
        if noted[note, 1] != what:
            continue
        begin, end = noted[note, 2], noted[note, 3]
        if noted[note, 0] != row:
            row, first = noted[note, 0], note
            place[row, 0], kind[row] = to, ELEMENTS
            out[to] = _OPEN
            to += 1
        else:
            out[to - 1] = _COMMA
        few = note - first < _MOST_MEMBERS and to - place[row, 0] + end - begin < _MOST_BYTES
        if kind[row] > OTHER and few and not _is_again(data, noted, first, note):
            kind[row] = min(kind[row], _kind(data, begin, end))
        else:
            kind[row] = OTHER
        for at in range(begin, end):
            out[to] = data[at]
            to += 1
        out[to] = _CLOSE
        to += 1
        place[row, 1] = to
    return to


@kernel
def read_pairs(data: U8, places: I64, out: F64) -> None:
    """Read texts of two numbers with a comma between; NaN for others.

    places: shape (n, 2), where each begins and ends. out: shape (2, n).
    """
    for row in range(len(places)):
        out[0, row] = out[1, row] = np.nan
        if places[row, 1] == 0:
            continue
        one, at = json_number_at(data, places[row, 0])
        if at >= 0 and data[at] == _COMMA:
            other, at = json_number_at(data, at + 1)
            if at == places[row, 1] and one + other == one + other:  # neither is NaN
                out[0, row], out[1, row] = one, other
