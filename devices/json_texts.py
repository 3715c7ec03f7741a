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
plain text, true, false, null, or a number that is written as we would, or an object or a list of
such. ELEMENTS: these only with names of one to nine digits, and whole numbers."""

NO_PART, BESIDE, INNER = range(3)
"""Where members are written that were noted of an object, see `join_members`."""

_MOST_MEMBERS: Final = 64
"""Each name is compared with those before it; more members than trackers send are read instead."""

_MOST_BYTES: Final = MAX_EXTRA_BYTES // 2
"""Leaves room for what a codec adds."""

_MOST_DIGITS, _MOST_OF_NAME = 18, 9
"""Digits of a number (a double has 17, and perhaps a zero in front), and of a name."""

_QUOTE, _COMMA, _COLON, _MINUS, _DOT, _ZERO = (ord(sign) for sign in '",:-.0')
_OPEN, _CLOSE, _LIST, _LIST_END = (ord(sign) for sign in "{}[]")
_TRUE, _FALSE, _NULL = tuple(b"true"), tuple(b"false"), tuple(b"null")


@inlined_kernel
def _number(data: U8, at: int) -> tuple[int, int]:
    """What the number is that stands here, and where it ends."""
    negative = data[at] == _MINUS
    begin = at + negative
    at = past_digits(data, begin)
    whole = at - begin
    if not 0 < whole <= _MOST_DIGITS or (data[begin] == _ZERO and whole > 1):
        return OTHER, at
    if data[at] != _DOT:
        return (OTHER if negative and data[begin] == _ZERO else ELEMENTS), at
    dot = at
    at = past_digits(data, dot + 1)
    parts = at - dot - 1
    canonical = parts == 1 or data[at - 1] != _ZERO
    return (MEMBERS if 0 < parts <= _MOST_DIGITS - whole and canonical else OTHER), at


@inlined_kernel
def _past_plain(data: U8, at: int) -> int:
    """Where characters end that stand for themselves."""
    while PLAIN[data[at]]:
        at += 1
    return at


@inlined_kernel
def _scalar(data: U8, at: int) -> tuple[int, int]:
    """What the value is that stands here, which is no object and no list, and where it ends."""
    if data[at] == _QUOTE:
        at = _past_plain(data, at + 1)
        return (MEMBERS if data[at] == _QUOTE else OTHER), at + 1
    if word_at(data, at, _TRUE) or word_at(data, at, _NULL):
        return MEMBERS, at + len(_TRUE)
    if word_at(data, at, _FALSE):
        return MEMBERS, at + len(_FALSE)
    return _number(data, at)


@inlined_kernel
def _is_same_name(data: U8, one: int, other: int) -> bool:
    """Whether two names are the same that begin here, behind their quotes."""
    while data[one] == data[other] and data[one] != _QUOTE:
        one, other = one + 1, other + 1
    return bool(data[one] == data[other])


@inlined_kernel
def _is_named_before(data: U8, member: int, name: int) -> bool:
    """Whether a plain object has a name already; member: its first, `name` stands behind all."""
    while member < name:
        if _is_same_name(data, member + 1, name + 1):
            return True
        _, end = _scalar(data, _past_plain(data, member + 1) + 2)
        member = end + 1
    return False


@kernel
def _group(data: U8, at: int) -> tuple[int, int]:
    """What the object or list is that begins here, and where it ends if it is MEMBERS."""
    named = data[at] == _OPEN
    close = _CLOSE if named else _LIST_END
    at += 1
    first = at
    if data[at] == close:
        return MEMBERS, at + 1
    for _ in range(_MOST_MEMBERS):
        if named:
            if data[at] != _QUOTE or _is_named_before(data, first, at):
                break
            at = _past_plain(data, at + 1)
            if data[at] != _QUOTE or data[at + 1] != _COLON:
                break
            at += 2
        kind, at = _scalar(data, at)
        if kind == OTHER or (data[at] != close and data[at] != _COMMA):
            break
        at += 1
        if data[at - 1] == close:
            return MEMBERS, at
    return OTHER, at


@inlined_kernel
def _kind(data: U8, at: int, end: int) -> int:
    """What the member is that stands here."""
    begin = at + 1
    at = past_digits(data, begin)
    numbered = data[at] == _QUOTE and 0 < at - begin <= _MOST_OF_NAME
    at = _past_plain(data, at)
    if data[at] != _QUOTE or data[at + 1] != _COLON:
        return OTHER
    at += 2
    if data[at] == _OPEN or data[at] == _LIST:
        kind, at = _group(data, at)
    else:
        kind, at = _scalar(data, at)
    return min(kind, ELEMENTS if numbered else MEMBERS) if at == end else OTHER


@inlined_kernel
def _is_again(data: U8, noted: I64, part: U8, first: int, note: int) -> bool:
    """Whether a member has the name of one before it in its part."""
    for before in range(first, note):
        if _part(noted, part, before) == _part(noted, part, note) and _is_same_name(
            data, noted[before, 2] + 1, noted[note, 2] + 1
        ):
            return True
    return False


@inlined_kernel
def _part(noted: I64, part: U8, note: int) -> int:
    """The part of what is written that a note belongs to."""
    return int(part[noted[note, 1]]) if noted[note, 1] >= 0 else NO_PART


@inlined_kernel
def _put_members(
    data: U8, noted: I64, part: U8, which: int, first: int, past: int, out: U8, to: int, most: int
) -> tuple[int, int]:
    """Write those of a row's members that belong to a part as an object, if any: end, and kind.

    most: where what is not OTHER ends at the latest.
    """
    kind = NOTHING
    for note in range(first, past):
        if _part(noted, part, note) != which:
            continue
        begin, end = noted[note, 2], noted[note, 3]
        if kind == NOTHING:
            kind = ELEMENTS
            out[to] = _OPEN
            to += 1
        else:
            out[to - 1] = _COMMA
        few = note - first < _MOST_MEMBERS and to + end - begin < most
        if kind > OTHER and few and not _is_again(data, noted, part, first, note):
            kind = min(kind, _kind(data, begin, end))
        else:
            kind = OTHER
        for at in range(begin, end):
            out[to] = data[at]
            to += 1
        out[to] = _CLOSE
        to += 1
    return to, kind


@inlined_kernel
def _is_named(data: U8, noted: I64, part: U8, first: int, past: int, front: U8) -> bool:
    """Whether a row's members beside the inner object have one of its name."""
    for note in range(first, past):
        if _part(noted, part, note) == BESIDE:
            begin, k = noted[note, 2], 1
            while k < len(front) and data[begin + k - 1] == front[k]:
                k += 1
            if k == len(front):
                return True
    return False


@kernel
def join_members(data: U8, noted: I64, part: U8, front: U8, kind: U8, out: U8, place: I64) -> int:
    """Write the members that were noted of some objects as one; how many bytes all rows are.

    noted: as in devices.json_kernel.Out. part: shape (objects,), whether an object's members are
    left out, stand in the object that is written (BESIDE) or in one inside it (INNER). front: what
    stands in front of that one, {"name":. kind: shape (rows,), all NOTHING when given. place:
    shape (rows, 2), all 0 when given, where each begins and ends in `out`.
    """
    to = past = 0
    while past < len(noted):
        row, first = noted[past, 0], past
        while past < len(noted) and noted[past, 0] == row:
            past += 1
        begin, most = to, to + _MOST_BYTES
        to += len(front)
        to, inner = _put_members(data, noted, part, INNER, first, past, out, to, most)
        if inner == NOTHING:
            to = begin
        else:
            for k in range(len(front)):
                out[begin + k] = front[k]
        middle = to
        to, what = _put_members(data, noted, part, BESIDE, first, past, out, to, most)
        if inner != NOTHING:
            out[middle] = _COMMA if what != NOTHING else _CLOSE
            to = max(to, middle + 1)
            what = min(inner, MEMBERS) if what == NOTHING else min(inner, what, MEMBERS)
            if _is_named(data, noted, part, first, past, front):
                what = OTHER
        kind[row], place[row, 0], place[row, 1] = what, begin, to
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
