"""Decoding payloads from files, for `hanhtrinh decode`."""

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from devices.catalogue import codec
from devices.describe import describe
from hanhtrinh.errors import CommandError
from hanhtrinh.wiring import clock

Form = Literal["raw", "hex", "base64", "text"]
AT_ONCE = 256


def payloads(content: bytes, form: str) -> Iterator[bytes]:
    """The payloads in a file: all of it, or one a line in some form, empty lines passed over."""
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
            raise CommandError(f"line {number}: expected {form}: {error}") from None


def _payload(text: bytes, form: str) -> bytes:
    if form == "hex":
        return bytes.fromhex(text.decode("ascii").removeprefix("0x"))
    if form == "base64":
        return base64.b64decode(text, validate=True)
    return text


def decoded_lines(name: str, sources: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """What each payload holds, in order; "payload" is its number, from 1."""
    decode = codec(name).decode
    number = 0
    for batch in _batches(sources):
        decoded = decode(batch, np.full(len(batch), clock(), np.int64))
        for row in range(len(batch)):
            number += 1
            yield {"payload": number, **describe(decoded, row)}


def _batches(sources: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for payload in sources:
        batch.append(payload)
        if len(batch) == AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
