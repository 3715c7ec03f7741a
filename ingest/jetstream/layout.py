"""What lies where in JetStream: names, subjects, and the configurations of stream and consumers.

A device's publish goes through three subjects; `352093081429150` on `gsht/v1/json/...` as example:

    $MQTT.msgs.gsht.v1.json.352093081429150          stored by the server before it says PUBACK
    in.352093081429150.gsht.v1.json.352093081429150  named by identity, as our stream takes it over
    p.3.352093081429150.gsht.v1.json....             and by partition, as the stream keeps it

Two steps, so that a change of the number of partitions changes the stream alone, and nothing that
reads what devices publish.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from ingest.topics import DEFAULT_PATTERNS

MQTT_STREAM: Final = "$MQTT_msgs"
"""Where the server's MQTT listener stores what is published at QoS 1. A message stays there until
everybody who is registered for it has it; for whom nobody is registered it is not kept at all."""

MQTT_PREFIX: Final = "$MQTT.msgs."

SECOND_NS: Final = 1_000_000_000

FEED_WINDOW: Final = 16_384
"""Messages that the stream may take over before it confirms them."""

ACK_WAIT_NS: Final = 600 * SECOND_NS
"""After this time the server would send again what a worker holds. Nobody waits for that: whoever
takes a partition resets its consumer. It is long, so that a slow database makes no repeats."""

MOST_PENDING: Final = 65_535
"""Of one partition delivered and not acknowledged. A worker asks for no more than its window."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A stream and its partitions.

    patterns: of topics, as in ingest.topics. max_bytes: of one copy; -1: as much as the account
    has. replicas: copies of every message, 1, 3 or 5.
    """

    stream: str = "HANHTRINH"
    partitions: int = 1
    patterns: tuple[str, ...] = field(default=tuple(DEFAULT_PATTERNS))
    replicas: int = 1
    max_bytes: int = -1

    @property
    def feed(self) -> str:
        """The consumer of the MQTT messages that feeds the stream."""
        return f"{self.stream}_feed"

    @property
    def feed_subject(self) -> str:
        """Where it delivers. Nobody but the server needs to be allowed to read or write there."""
        return f"$HANHTRINH.{self.stream}.feed"

    def stream_config(self, *, is_fed: bool) -> dict[str, Any]:
        """The stream. is_fed: with its source; without it, it takes nothing in."""
        config: dict[str, Any] = {
            "name": self.stream,
            "description": "what devices and stations publish, in partitions (hanhtrinh)",
            # What all consumers of a partition have acknowledged is deleted, nothing else ever:
            # a full stream takes nothing more in, and what waits for it stays with MQTT's.
            "retention": "interest",
            "discard": "new",
            "storage": "file",
            "max_bytes": self.max_bytes,
            "num_replicas": self.replicas,
            "subject_transform": self.transform,
            "metadata": {"hanhtrinh.partitions": str(self.partitions)},
        }
        if is_fed:
            config["sources"] = [
                {
                    "name": MQTT_STREAM,
                    "subject_transforms": [
                        {"src": MQTT_PREFIX + _wild(p), "dest": _by_identity(p)}
                        for p in self.patterns
                    ],
                    "consumer": {"name": self.feed, "deliver_subject": self.feed_subject},
                }
            ]
        return config

    @property
    def transform(self) -> dict[str, str]:
        """From subjects by identity to subjects by partition."""
        return {"src": "in.*.>", "dest": f"p.{{{{partition({self.partitions},1)}}}}.$1.>"}

    def feed_config(self) -> dict[str, Any]:
        """The consumer that feeds the stream: confirms what the stream has stored, and only that.

        A source without such a consumer of its own asks for what comes from then on, and a server
        that starts again has then deleted what came before.
        """
        return {
            "name": self.feed,
            "durable_name": self.feed,
            "deliver_subject": self.feed_subject,
            "deliver_policy": "all",
            "ack_policy": "flow_control",
            "flow_control": True,
            "idle_heartbeat": SECOND_NS,  # the server accepts no other
            "max_ack_pending": FEED_WINDOW,
            # One filter, although it lets through what none of our patterns names: the stream keeps
            # that for nobody. With a list of filters the server looks at every subject that a block
            # of its store has before each message, five times the work with 5,000 devices.
            "filter_subject": f"{MQTT_PREFIX}>",
        }

    def shard_config(self, shard: int) -> dict[str, Any]:
        """The consumer of one partition: in order, one acknowledgement for all before it."""
        return {
            "name": consumer_of(shard),
            "durable_name": consumer_of(shard),
            "deliver_policy": "all",
            "ack_policy": "all",
            "ack_wait": ACK_WAIT_NS,
            "max_ack_pending": MOST_PENDING,
            "filter_subject": f"p.{shard}.>",
            # At its birth: as many as the stream.
            "num_replicas": self.replicas,
        }


def consumer_of(shard: int) -> str:
    """The name of a partition's consumer."""
    return f"shard-{shard}"


def topic_of(subject: str) -> str:
    """The MQTT topic of a message of the stream: a dot is a slash, two slashes are a dot."""
    published = subject.split(".", 3)[3]
    return published.replace("//", "\0").replace(".", "/").replace("\0", ".")


def _wild(pattern: str) -> str:
    """The subjects of a topic pattern."""
    return ".".join(
        "*" if level.startswith("{") else level.replace(".", "//") for level in pattern.split("/")
    )


def _by_identity(pattern: str) -> str:
    """Where a topic pattern's subjects go: the (first level of the) identity, then the subject."""
    levels, number, named = pattern.split("/"), 0, 0
    subject = []
    for level in levels:
        if level.startswith("{"):
            number += 1
            if level == "{ident}" and not named:
                named = number
            subject.append(f"{{{{wildcard({number})}}}}")
        else:
            subject.append(level.replace(".", "//"))
    return f"in.{{{{wildcard({named})}}}}.{'.'.join(subject)}"
