"""Decoding payloads from files, for `hanhtrinh decode`."""

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from devices.catalogue import codec
from devices.describe import describe
from devices.errors import DecodeError, Reject
from hanhtrinh.wiring import clock

Form = Literal["raw", "hex", "base64", "text"]
AT_ONCE = 256


def payloads(content: bytes, form: str) -> Iterator[bytes | DecodeError]:
    """The payloads in a file: all of it, or one a line in some form, empty lines passed over.

    A line that is not in that form yields the error instead, and the others go on.
    """
    if form == "raw":
        yield content
        return
    for number, line in enumerate(content.splitlines(), 1):
        text = line.strip()
        if not text:
            continue
        try:
            yield _payload(text, form)
        except (ValueError, binascii.Error) as error:
            detail = f"line {number}: expected {form}: {error}"
            yield DecodeError(Reject.BAD_ENCODING, detail=detail)


def _payload(text: bytes, form: str) -> bytes:
    if form == "hex":
        return bytes.fromhex(text.decode("ascii").removeprefix("0x"))
    if form == "base64":
        return base64.b64decode(text, validate=True)
    return text


def decoded_lines(name: str, sources: Iterator[bytes | DecodeError]) -> Iterator[dict[str, Any]]:
    """What each payload holds, in order; "payload" is its number, from 1."""
    decode = codec(name).decode
    number = 0
    for batch in _batches(sources):
        # Lines without a payload are decoded as empty ones, so that rows keep their numbers.
        empty_for_error = [
            b"" if isinstance(payload, DecodeError) else payload for payload in batch
        ]
        decoded = decode(empty_for_error, np.full(len(batch), clock(), np.int64))
        for row, payload in enumerate(batch):
            number += 1
            line = describe(decoded, row)
            if isinstance(payload, DecodeError):
                error = {"reason": payload.reason, "at": payload.at, "detail": payload.detail}
                line |= {"error": error, "errors": [error]}
            yield {"payload": number, **line}


def _batches(sources: Iterator[bytes | DecodeError]) -> Iterator[list[bytes | DecodeError]]:
    batch: list[bytes | DecodeError] = []
    for payload in sources:
        batch.append(payload)
        if len(batch) == AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
