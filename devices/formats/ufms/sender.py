"""Who a message of the feed says has sent it.

Belongs here: the sender's own claim, for those who pass messages on unread (ingest/bridge). Does
not belong here: what the message is about (codec.py).
"""

from google.protobuf.message import DecodeError as ProtobufError

from devices.formats.ufms.schema import BaseMessage


def claimed_provider(payload: bytes) -> str | None:
    """`providerId` of a BaseMessage; None: it has none, or it is no such message."""
    try:
        claimed: bytes = BaseMessage.FromString(payload).providerId
    except ProtobufError:
        return None
    return claimed.decode("utf-8", "replace") or None
