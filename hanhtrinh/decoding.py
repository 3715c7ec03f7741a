"""Decoding payloads from files and pipes, for `hanhtrinh decode`."""

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, Protocol

import numpy as np

from devices.catalogue import Codec, codec
from devices.codec import MAX_PAYLOAD_BYTES
from devices.describe import describe
from devices.errors import DecodeError, Reject
from hanhtrinh.wiring import clock

Form = Literal["raw", "hex", "base64", "text"]
AT_ONCE: Final = 256
"""Payloads that are decoded together, at most."""

CHUNK_BYTES: Final = 1 << 16
MAX_LINE_BYTES: Final = 2 * MAX_PAYLOAD_BYTES + 1024
"""A longer line cannot be a payload in any form: hexadecimal doubles it."""

Source = bytes | DecodeError
"""A payload, or why a line is none."""


class Stream(Protocol):
    """What is read: a file, or standard input. `read1` gives what there is, without waiting."""

    def read1(self, size: int = -1, /) -> bytes:
        """At least one byte, or none at the end."""


def payloads(stream: Stream, form: Form) -> Iterator[list[Source]]:
    """The payloads of a stream in batches, each as soon as it is there: all of it, or one a line.

    A line without anything is a payload of no bytes; a line that is not in the form is the error
    that says so, and the others go on. So n lines are n payloads. A newline at the end ends the
    last line and begins none.
    """
    if form == "raw":
        yield [_whole(stream)]
        return
    number = 0
    for lines in _lines(stream):
        for start in range(0, len(lines), AT_ONCE):
            batch = lines[start : start + AT_ONCE]
            yield [_payload(line, form, number + at) for at, line in enumerate(batch, 1)]
            number += len(batch)


def _whole(stream: Stream) -> bytes:
    """All of a stream; of one that is too large, as much as shows it."""
    content = b""
    while len(content) <= MAX_PAYLOAD_BYTES and (chunk := stream.read1(CHUNK_BYTES)):
        content += chunk
    return content


def _lines(stream: Stream) -> Iterator[list[bytes]]:
    """The lines that are there, without their ends; of one that is too long, its beginning."""
    rest = b""
    while chunk := stream.read1(CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[: MAX_LINE_BYTES + 1]
        if lines:
            yield lines
    if rest:
        yield [rest]


def _payload(line: bytes, form: Form, number: int) -> Source:
    if len(line) > MAX_LINE_BYTES:
        detail = f"line {number}: expected at most {MAX_LINE_BYTES} bytes"
        return DecodeError(Reject.TOO_LARGE, detail=detail)
    try:
        if form == "hex":
            return bytes.fromhex(line.strip().decode("ascii").removeprefix("0x"))
        if form == "base64":
            return base64.b64decode(line.strip(), validate=True)
    except (ValueError, binascii.Error) as error:
        return DecodeError(Reject.BAD_ENCODING, detail=f"line {number}: expected {form}: {error}")
    return line.removesuffix(b"\r")


def decoded_lines(
    name: str, batches: Iterator[list[Source]], ident: str = ""
) -> Iterator[dict[str, Any]]:
    """What each payload holds, in order; "payload" is its number, from 1.

    ident: the identity that the topic would name. Payloads without one get it; what names another
    is left out, with the error "identity_mismatch".
    """
    chosen = codec(name)
    number = 0
    for batch in batches:
        # Lines without a payload are decoded as empty ones, so that rows keep their numbers.
        empty_for_error = [b"" if isinstance(one, DecodeError) else one for one in batch]
        decoded = chosen.decode(empty_for_error, np.full(len(batch), clock(), np.int64))
        for row, payload in enumerate(batch):
            number += 1
            line = describe(decoded, row)
            if isinstance(payload, DecodeError):
                _put_first(line, [_error(payload.reason, payload.at, payload.detail)], alone=True)
            yield {"payload": number, **(_named(line, ident, chosen) if ident else line)}


def _named(line: dict[str, Any], ident: str, chosen: Codec) -> dict[str, Any]:
    """A description with the topic's identity, and without what contradicts it."""
    if chosen.identity == "topic":
        inside = line["ident"]
        said = [one.get("ident", inside) for one in line["fixes"]]
        said += [one["station"] for one in line["weighings"]]
        wrong = dict.fromkeys(name for name in said if name not in {None, ident})
        _keep(line, "fixes", [one.get("ident", inside) in {None, ident} for one in line["fixes"]])
        _keep(line, "weighings", [one["station"] in {None, ident} for one in line["weighings"]])
        detail = f"expected {ident!r} as the topic names, got {{!r}}"
        _put_first(line, [_error("identity_mismatch", 0, detail.format(name)) for name in wrong])
    if line["ident"] is None:
        line["ident"] = ident
    return line


def _keep(line: dict[str, Any], key: str, good: Sequence[bool]) -> None:
    line[key] = [one for one, is_good in zip(line[key], good, strict=True) if is_good]


def _put_first(line: dict[str, Any], errors: list[dict[str, Any]], *, alone: bool = False) -> None:
    line["errors"] = errors + ([] if alone else line["errors"])
    line["error"] = line["errors"][0] if line["errors"] else None


def _error(reason: str, at: int, detail: str) -> dict[str, Any]:
    return {"reason": reason, "at": at, "detail": detail}
