"""The kernel that writes CBOR as JSON, for the compiled reader of JSON messages.

Belongs here: CBOR as devices write it: whole numbers, plain texts, bytes, true, false, null, arrays
and maps, byte by byte, without objects. Whatever else there is (tags, fractions, texts in pieces,
whole numbers of 63 bits, anything that is cut off) makes the payload odd: it is left to the reader
of single payloads, which says the same of what is written here.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from devices.batch import I64, U8, Bool
from devices.compile import inlined_kernel, kernel
from devices.json_columns import Written
from devices.scanning import PLAIN, sign_at

_WHOLE, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
"""Major types (RFC 8949, section 3.1)."""

_FALSE, _NULL, _BREAK = 20, 22, 0xFF
_ONE_BYTE, _EIGHT_BYTES, _UNTIL_BREAK = 24, 27, 31
_TOO_LARGE: Final = 1 << 62
_ODD: Final = -1

_QUOTE, _COMMA, _COLON, _MINUS, _ZERO = (ord(sign) for sign in '",:-0')
_OPEN, _CLOSE, _LIST, _LIST_END = (ord(sign) for sign in "{}[]")
_HEX: Final = np.frombuffer(b"0123456789abcdef", np.uint8)
SELF_DESCRIBED: Final = tuple(b"\xd9\xd9\xf7")
"""The tag that says "this is CBOR" (RFC 8949, section 3.4.6)."""
_STATE: Final = tuple(b"state")
_PARTS: Final = (b"false", b"true", b"null", b'{"state":{"reported":', b"}}")
_BEFORE, _BEHIND = 3, 4
_WORDS: Final = np.frombuffer(b"".join(_PARTS), np.uint8)
_WORD: Final = np.cumsum([0, *map(len, _PARTS)])
"""Word k is `_WORDS[_WORD[k]:_WORD[k + 1]]`; the first three are in the order of RFC 8949."""

_DEPTH: Final = 8
"""Messages with more arrays and maps inside one another are odd."""

_LEFT, _DONE, _IS_MAP, _IS_WRAPPED = range(4)
"""Of an array or map that is being written: items to come (-1: until the break), items so far
(names count as well), whether it is a map, and whether we wrote something around it."""

_TIMES, _MORE = 3, 128
"""Room for the JSON of a payload: so many times its bytes, and so many; if it needs more, it is
odd. A name and a value of one byte each are six of JSON; other messages are far from it."""

_AN_ITEM: Final = 64
"""No item is longer, bytes of texts apart: a number of 19 digits, what stands around it, and what
is written around a message."""


def as_json(payloads: Sequence[bytes]) -> Written:
    """The payloads as JSON; messages without the objects around what they report get them."""
    sizes = np.fromiter(map(len, payloads), np.int64, len(payloads))
    ends = np.cumsum(sizes)
    out = np.empty(len(payloads) * (_MORE + 1) + _TIMES * int(sizes.sum()), np.uint8)
    begin, end = np.empty(len(payloads), np.int64), np.empty(len(payloads), np.int64)
    odd = np.zeros(len(payloads), np.bool_)
    raw, stack = np.frombuffer(b"".join(payloads), np.uint8), np.empty((_DEPTH, 4), np.int64)
    size = _write_all(raw, ends - sizes, ends, stack, out, begin, end, odd)
    return Written.of_buffer(out[:size], begin, end, odd)


@inlined_kernel
def _put(out: U8, to: int, word: int) -> int:
    for k in range(_WORD[word], _WORD[word + 1]):
        out[to] = _WORDS[k]
        to += 1
    return to


@inlined_kernel
def _argument(data: U8, at: int, end: int, info: int) -> tuple[int, int]:
    """The number that belongs to a head, and where it ends; -1 if it is cut off or too large."""
    if info < _ONE_BYTE:
        return info, at
    if info > _EIGHT_BYTES or at + (1 << (info - _ONE_BYTE)) > end:
        return 0, _ODD
    value = 0
    for _ in range(1 << (info - _ONE_BYTE)):
        value = value << 8 | sign_at(data, at)
        at += 1
    return value, (at if 0 <= value < _TOO_LARGE else _ODD)


@inlined_kernel
def _put_whole(out: U8, to: int, value: int) -> int:
    """Write a number that is not negative."""
    size, rest = 1, value // 10
    while rest:
        size += 1
        rest //= 10
    for k in range(to + size - 1, to - 1, -1):
        out[k] = _ZERO + value % 10
        value //= 10
    return to + size


@inlined_kernel
def _put_text(data: U8, at: int, size: int, out: U8, to: int) -> int:
    """Write printable ASCII that needs no escapes; -1 for another text."""
    for k in range(at, at + size):
        sign = data[k]
        if not PLAIN[sign]:
            return _ODD
        out[to] = sign
        to += 1
    return to


@inlined_kernel
def _put_hex(data: U8, at: int, size: int, out: U8, to: int) -> int:
    for k in range(at, at + size):
        out[to], out[to + 1] = _HEX[data[k] >> 4], _HEX[data[k] & 15]
        to += 2
    return to


@inlined_kernel
def _is_state(data: U8, at: int, size: int) -> bool:
    """Whether a text is "state"."""
    k = 0
    while k < len(_STATE) and k < size and data[at + k] == _STATE[k]:
        k += 1
    return size == len(_STATE) and k == size


@inlined_kernel
def _size_of_tag(data: U8, at: int, end: int) -> int:
    """Bytes of the tag "this is CBOR", which is the only one that is taken."""
    k = 0
    while k < len(SELF_DESCRIBED) and at + k < end and data[at + k] == SELF_DESCRIBED[k]:
        k += 1
    return k if k == len(SELF_DESCRIBED) else 0


@inlined_kernel
def _opened(data: U8, at: int, end: int, stack: I64, depth: int) -> int:
    """Note the array or map whose head ends here, and how many items it has; -1 if it is odd."""
    head = sign_at(data, at - 1)
    size = -1
    if head & 31 != _UNTIL_BREAK:
        size, at = _argument(data, at, end, head & 31)
        if at < 0 or size > end - at:
            return _ODD
    is_map = head >> 5 == _MAP
    is_message = is_map and (depth == 0 or (depth == 1 and not stack[0, _IS_MAP]))
    named = at + 1 < end and data[at] == _TEXT << 5 | len(_STATE)
    stack[depth, _LEFT] = size * (1 + is_map) if size > 0 else size
    stack[depth, _DONE] = 0
    stack[depth, _IS_MAP] = is_map
    stack[depth, _IS_WRAPPED] = is_message and not (
        named and at + len(_STATE) < end and _is_state(data, at + 1, len(_STATE))
    )
    return at


@inlined_kernel
def _closed(data: U8, at: int, end: int, stack: I64, depth: int) -> bool:
    """Whether an array or map has no more items; where it says so, a break stands here."""
    if stack[depth, _LEFT] >= 0:
        return bool(stack[depth, _LEFT] == 0)
    if at == end or data[at] != _BREAK:
        return False
    return not (stack[depth, _IS_MAP] and stack[depth, _DONE] & 1)


@inlined_kernel
def _put_scalar(  # noqa: C901 a case for each kind
    data: U8, at: int, end: int, out: U8, to: int, limit: int, name: int
) -> tuple[int, int]:
    """Write what is neither array nor map: where it ends in both; -1 if it is odd.

    name: whether it is one, 0 no, 1 yes, 2 that of a message that we write something around.
    """
    head = sign_at(data, at)
    major, info = head >> 5, head & 31
    at += 1
    if major == _SIMPLE:
        if name or not _FALSE <= info <= _NULL:
            return _ODD, to
        return at, _put(out, to, info - _FALSE)
    value, at = _argument(data, at, end, info)
    if at < 0 or major == _TAG:
        return _ODD, to
    is_text = major in (_BYTES, _TEXT)
    if is_text or name:
        out[to] = _QUOTE
        to += 1
    if is_text:
        if value > end - at or to + 2 * value > limit:
            return _ODD, to
        if major == _TEXT:
            to = _put_text(data, at, value, out, to)
        else:
            to = _put_hex(data, at, value, out, to)
        if to < 0 or (name and (major == _BYTES or (name > 1 and _is_state(data, at, value)))):
            return _ODD, to
        at += value
    else:
        if major == _NEGATIVE:
            out[to] = _MINUS
            to += 1
            value += 1
        to = _put_whole(out, to, value)
    if is_text or name:
        out[to] = _QUOTE
        to += 1
    return at, to


@inlined_kernel
def _put_message(  # noqa: C901 one exit for everything odd about it
    data: U8, at: int, end: int, stack: I64, out: U8, to: int, limit: int
) -> int:
    """Write the value from here to `end`: where it ends in `out`, -1 if it is odd."""
    depth = -1
    while at < end and to + _AN_ITEM <= limit:
        name = 0
        if depth >= 0:
            done = stack[depth, _DONE]
            if stack[depth, _IS_MAP] and not done & 1:
                name = 1 + stack[depth, _IS_WRAPPED]
            if done:
                out[to] = _COLON if stack[depth, _IS_MAP] and done & 1 else _COMMA
                to += 1
            stack[depth, _DONE] += 1
            stack[depth, _LEFT] -= stack[depth, _LEFT] > 0
        if data[at] >> 5 in (_ARRAY, _MAP):
            depth += 1
            if name or depth == _DEPTH:
                return _ODD
            at = _opened(data, at + 1, end, stack, depth)
            if stack[depth, _IS_WRAPPED]:
                to = _put(out, to, _BEFORE)
            out[to] = _OPEN if stack[depth, _IS_MAP] else _LIST
            to += 1
        else:
            at, to = _put_scalar(data, at, end, out, to, limit, name)
        if at < 0:
            return _ODD
        while depth >= 0 and _closed(data, at, end, stack, depth):
            at += stack[depth, _LEFT] < 0
            out[to] = _CLOSE if stack[depth, _IS_MAP] else _LIST_END
            to += 1
            if stack[depth, _IS_WRAPPED]:
                to = _put(out, to, _BEHIND)
            depth -= 1
        if depth < 0:
            return to if at == end else _ODD
    return _ODD


@kernel
def _write_all(
    data: U8, starts: I64, ends: I64, stack: I64, out: U8, begin: I64, end: I64, odd: Bool
) -> int:
    """Write payloads one behind the other, a zero behind each, and how many bytes they are.

    stack: room for `_DEPTH` arrays and maps. begin, end: shape (n,), where each stands then.
    """
    to = 0
    for payload in range(len(starts)):
        begin[payload] = to
        at, last = starts[payload], ends[payload]
        limit = to + _MORE + _TIMES * (last - at)
        at += _size_of_tag(data, at, last)
        to = _put_message(data, at, last, stack, out, to, limit)
        if to < 0:
            odd[payload], to = True, begin[payload]
        end[payload] = to
        out[to] = 0
        to += 1
    return to
