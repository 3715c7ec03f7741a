"""What was refused, as entries of the quarantine: one for each message, whatever is wrong in it."""

from collections.abc import Iterable
from typing import Final

from ingest.intake import Refused
from ingest.source import MessageBatch
from ingest.topics import Address, TopicRouter
from storage.quarantine import Quarantined

DETAIL_LIMIT: Final = 500
"""Characters of a refusal's detail that are kept: enough for a dozen bad fixes of one message."""

NAME_LIMIT: Final = 256
"""Characters of a sender's or somebody else's name that are kept: PostgreSQL indexes no long ones,
and where nobody watches over topics one may be 64 KB."""


def quarantined(
    batch: MessageBatch, refused: Iterable[Refused], router: TopicRouter
) -> list[Quarantined]:
    """One entry per message: its first reason, and what was wrong with all of its parts."""
    by_message: dict[int, list[Refused]] = {}
    for part in refused:
        by_message.setdefault(part.message, []).append(part)
    return [
        Quarantined(
            topic=batch.topics[message],
            payload=batch.payloads[message],
            received=int(batch.received[message]),
            reason=parts[0].reason,
            at=parts[0].at,
            detail="; ".join(dict.fromkeys(p.detail for p in parts if p.detail))[:DETAIL_LIMIT],
            ident=parts[0].ident[:NAME_LIMIT],
            sender=_sender(batch.topics[message], router)[:NAME_LIMIT],
        )
        for message, parts in by_message.items()
    ]


def _sender(topic: str, router: TopicRouter) -> str:
    """Whom a topic names; the topic itself where it names nobody."""
    address = router.address(topic)
    return address.ident if isinstance(address, Address) else topic
