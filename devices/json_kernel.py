"""The kernel that reads JSON messages: values of known members out of many payloads, as columns.

Belongs here: JSON as nearly every sender writes it, byte by byte, without objects. Which members
are known is said by a table (devices/json_columns.py). Whatever is not exactly that (a member
twice, escapes in a text that is needed, a value of another kind) makes the payload odd: it is left
to the reader of single payloads, which says the same of what is read here.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from devices.batch import I32, I64, U8, Bool
from devices.compile import inlined_kernel, kernel
from devices.scanning import PLAIN, instant_at, json_number_at, word_at
from devices.texts import MAX_IDENT_CHARACTERS

NUMBER, INSTANT, TEXT, TRUTH, RAW, OBJECT, NULL, KEPT, REQUIRED = (1 << bit for bit in range(9))
"""Kinds of a member, together where it may be of several: a number; an instant of RFC 3339, as
seconds since 1970; 1 to 64 printable ASCII characters without blanks around; true or false, as 1
and 0; anything, as it is written; an object with known members. NULL: may be null, as if absent.
KEPT: is noted as an unknown one, too. REQUIRED: a message without it is odd."""

HASHES: Final = 256
"""Places of the table in which members are looked up, at least twice as many as members."""

_SPACE, _QUOTE, _COMMA, _COLON, _BACKSLASH = (ord(sign) for sign in ' ",:\\')
_OPEN, _CLOSE, _LIST, _LIST_END = (ord(sign) for sign in "{}[]")
_TRUE, _FALSE, _NULL = tuple(b"true"), tuple(b"false"), tuple(b"null")
_WHITE: Final = 1 << _SPACE | 1 << ord("\r") | 1 << ord("\n") | 1 << ord("\t")
_ODD: Final = -1


class Table(NamedTuple):
    """The known members. Objects are numbered, 0 is the message itself; so are members.

    keys: the names of all, one after another; member k's are `keys[start[k]:start[k + 1]]`.
    inside: the object that each stands in. flags: its kinds. slot: its column, among numbers or
    among texts. child: the object that it is. above: the object around each object. look: members
    by hash, -1 for none; one whose place is taken stands in the next that is free.
    required: the members (as bits) that no message is without.
    """

    keys: U8
    start: I64
    inside: I64
    flags: I64
    slot: I64
    child: I64
    above: I64
    look: I64
    required: int


class Out(NamedTuple):
    """What is read, with room for all rows.

    values: shape (rows, numbers), NaN for none. places: shape (rows, texts, 2), where each begins
    and ends, 0 and 0 for none. owner, at: the payload of each row, and its number therein.
    noted: shape (notes, 4): row, object (or -1 - slot of a number that `float` must read), and
    where it begins and ends.
    """

    values: NDArray[np.float64]
    places: I64
    owner: I32
    at: I64
    noted: I64


def hash_of(first: int, last: int, size: int, inside: int) -> int:
    """The place of a member in `Table.look`."""
    return (first * 5 + last * 11 + size * 3 + inside * 17) & (HASHES - 1)


_hash_of = inlined_kernel(hash_of)


@inlined_kernel
def _skip(data: U8, at: int) -> int:
    """The next place that is no white space."""
    while data[at] <= _SPACE and _WHITE >> np.int64(data[at]) & 1:
        at += 1
    return at


@inlined_kernel
def _text_end(data: U8, at: int) -> int:
    """Where a text of printable ASCII without escapes has its closing quote, or -1."""
    while PLAIN[data[at]]:
        at += 1
    return at if data[at] == _QUOTE else _ODD


@kernel
def _any_end(data: U8, at: int) -> int:
    """Where a value of any kind ends, or -1; what stands inside is not looked at."""
    depth, begin = 0, at
    while True:
        sign = data[at]
        if sign == _QUOTE:
            at += 1
            while data[at] != _QUOTE:
                at += 1 + (data[at] == _BACKSLASH)
                if data[at] == 0 or data[at - 1] == 0:
                    return _ODD
            at += 1
        elif sign in (_OPEN, _LIST):
            depth += 1
            at += 1
        elif depth and sign in (_CLOSE, _LIST_END):
            depth -= 1
            at += 1
        elif depth == 0 or sign == 0:
            if sign in (_COMMA, _CLOSE, _LIST_END) or sign <= _SPACE:
                return at if depth == 0 and at > begin else _ODD
            at += 1
            continue
        else:
            at += 1
        if depth == 0:
            return at


@inlined_kernel
def _is_called(data: U8, at: int, size: int, inside: int, member: int, table: Table) -> bool:
    """Whether a member of this object has the name of so many bytes that begins here."""
    start = table.start[member]
    if table.inside[member] != inside or table.start[member + 1] - start != size:
        return False
    k = 0
    while k < size and table.keys[start + k] == data[at + k]:
        k += 1
    return k == size


@inlined_kernel
def _member(data: U8, at: int, end: int, inside: int, table: Table) -> int:
    """The number of the member of an object that is called so, -1 for none."""
    size = end - at
    if size == 0:
        return -1
    place = _hash_of(int(data[at]), int(data[end - 1]), size, inside)
    while table.look[place] >= 0:
        member = int(table.look[place])
        if _is_called(data, at, size, inside, member, table):
            return member
        place = (place + 1) % HASHES
    return -1


@inlined_kernel
def _note(out: Out, note: int, row: int, what: int, begin: int, end: int) -> int:
    if note < len(out.noted):
        out.noted[note, 0], out.noted[note, 1] = row, what
        out.noted[note, 2], out.noted[note, 3] = begin, end
    return note + 1


@inlined_kernel
def _value(  # noqa: C901, PLR0911 a case for each kind
    data: U8, at: int, flags: int, slot: int, row: int, note: int, out: Out
) -> tuple[int, int]:
    """Read a value of these kinds into its column: where it ends (or -1), and the notes so far."""
    sign = data[at]
    if flags & RAW:
        end = _any_end(data, at)
        out.places[row, slot, 0], out.places[row, slot, 1] = at, end
        return end, note
    if sign == _QUOTE:
        if flags & TEXT:
            end = _text_end(data, at + 1)
            out.places[row, slot, 0], out.places[row, slot, 1] = at + 1, end
            blank = data[at + 1] == _SPACE or data[end - 1] == _SPACE
            usual = 0 < end - at - 1 <= MAX_IDENT_CHARACTERS and not blank
            return (end + 1 if usual else _ODD), note
        if flags & INSTANT:
            out.values[row, slot], end = instant_at(data, at)
            return end, note
        return _ODD, note
    if flags & NULL and word_at(data, at, _NULL):
        return at + 4, note
    if flags & TRUTH:
        if word_at(data, at, _TRUE):
            out.values[row, slot] = 1.0
            return at + 4, note
        if word_at(data, at, _FALSE):
            out.values[row, slot] = 0.0
            return at + 5, note
    if flags & NUMBER:
        value, end = json_number_at(data, at)
        if end >= 0 and np.isnan(value):
            note = _note(out, note, row, -1 - slot, at, end)
        out.values[row, slot] = value
        return end, note
    return _ODD, note


@inlined_kernel
def _name(data: U8, at: int, inside: int, last: int, table: Table, follows: I64) -> tuple[int, int]:
    """The member whose name begins here (-1 unknown), and its closing quote (-1 odd)."""
    member = follows[last]
    size = table.start[member + 1] - table.start[member]
    if _is_called(data, at, size, inside, member, table) and data[at + size] == _QUOTE:
        return member, at + size
    end = _text_end(data, at)
    if end < 0:
        return -1, _ODD
    member = _member(data, at, end, inside, table)
    if member >= 0:
        follows[last] = member
    return member, end


@inlined_kernel
def _message(  # noqa: C901, PLR0912 one message, one exit for everything odd about it
    data: U8, at: int, table: Table, follows: I64, row: int, note: int, out: Out
) -> tuple[int, int]:
    """Read the object that begins here into a row: where it ends (or -1), and the notes so far."""
    if data[at] != _OPEN:
        return _ODD, note
    for slot in range(out.values.shape[1]):
        out.values[row, slot] = np.nan
    for slot in range(out.places.shape[1]):
        out.places[row, slot, 0] = out.places[row, slot, 1] = 0
    inside, seen, last = 0, 0, len(follows) - 1
    at = _skip(data, at + 1)
    while at >= 0 and data[at] == _QUOTE:
        begin = at
        member, at = _name(data, at + 1, inside, last, table, follows)
        if at < 0 or (member >= 0 and seen >> member & 1):
            break
        at = _skip(data, at + 1)
        if data[at] != _COLON:
            break
        at = _skip(data, at + 1)
        flags = KEPT
        if member >= 0:
            last, flags = member, table.flags[member]
            seen |= 1 << member
        if member < 0:
            at = _any_end(data, at)
        elif flags & OBJECT and data[at] == _OPEN:
            inside = table.child[member]
            at = _skip(data, at + 1)
            if data[at] != _CLOSE:
                continue
        else:
            at, note = _value(data, at, flags, table.slot[member], row, note, out)
        if at < 0:
            break
        if flags & KEPT:
            note = _note(out, note, row, inside, begin, at)
        at = _skip(data, at)
        while data[at] == _CLOSE:
            if inside == 0:
                return (at + 1 if seen & table.required == table.required else _ODD), note
            inside = table.above[inside]
            at = _skip(data, at + 1)
        at = _skip(data, at + 1) if data[at] == _COMMA else _ODD
    return _ODD, note


@kernel
def read_messages(
    data: U8, starts: I64, ends: I64, table: Table, follows: I64, out: Out, odd: Bool
) -> tuple[int, int]:
    """Read payloads of one message or an array of them; the numbers of rows and of notes.

    data: the payloads, a zero behind each. starts, ends: shape (n,), of each; odd: shape (n,).
    follows: shape (members + 1,), all 0 when given: which member came last behind each, and in
    front, for messages of one sender name their members in one order.
    """
    row = note = 0
    for payload in range(len(starts)):
        first, first_note, number = row, note, 0
        at = _skip(data, starts[payload])
        many = data[at] == _LIST
        if many:
            at = _skip(data, at + 1)
        while True:
            at, note = _message(data, at, table, follows, row, note, out)
            if at < 0:
                break
            out.owner[row], out.at[row] = payload, number
            row += 1
            number += 1
            at = _skip(data, at)
            if not many:
                break
            if data[at] == _LIST_END:
                at = _skip(data, at + 1)
                break
            if data[at] != _COMMA:
                at = _ODD
                break
            at = _skip(data, at + 1)
        if at != ends[payload] or note > len(out.noted):
            odd[payload] = True
            row, note = first, first_note
    return row, note
