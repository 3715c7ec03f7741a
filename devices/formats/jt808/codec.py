"""Codec "jt808": JT/T 808 messages of 2011, 2013 and 2019 (docs/codecs/jt808.md).

A payload is one or more messages back to back. Single locations of one shape are read as columns;
everything else message by message.
"""

from collections.abc import Sequence
from typing import Final

from devices.batch import I64
from devices.codec import Codec, Decoded, register
from devices.formats.jt808.columns import decode_columns
from devices.formats.jt808.encoding import encode
from devices.formats.jt808.messages import read_payload
from devices.merging import merged
from devices.rows import decode_each


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads: what has a common shape as columns, the rest one by one."""
    parts, rest = decode_columns(payloads, received)
    if rest:
        parts.append(decode_each(payloads, received, read_payload, rest))
    return merged(parts)


def decode_slowly(payloads: Sequence[bytes], received: I64) -> Decoded:
    """The same, message by message."""
    return decode_each(payloads, received, read_payload)


JT808: Final = register(Codec(name="jt808", decode=decode, encode=encode))
