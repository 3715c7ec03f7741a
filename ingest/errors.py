"""Errors of the ingestion layer.

IngestError
├── ShardTakenError        another worker already judges this shard
├── ShardsLostError        another worker took shards while this one had no connection
├── StreamError            JetStream refuses, or its stream is not as it should be
├── RegistryUnusableError  no rules can be made of the registry
├── GatewayError           the gateway cannot listen as it is told
├── IssuerError            a key that cannot sign answers to the broker
└── ReplayError            a file that cannot be replayed (ingest/replay.py)
"""

from enum import StrEnum


class IngestError(Exception):
    """Base of every error that this package raises."""


class ShardTakenError(IngestError):
    """Another worker judges this shard: two would each know half of every vehicle's past."""


class ShardsLostError(IngestError):
    """Another worker took some of this worker's shards: what is in hand is that one's now."""


class StreamError(IngestError):
    """JetStream refuses, or its stream is not as it should be; the message says what to do."""


class RegistryUnusableError(IngestError):
    """No rules can be made of the registry; the message says which part is wrong."""


class IssuerError(IngestError):
    """A key that cannot sign answers to the broker; the message names the setting."""


class ReplayError(IngestError):
    """A file that cannot be replayed; the message names the file, the column or the line."""


class GatewayError(IngestError):
    """The gateway cannot listen as it is told; one line for each listener that is wrong."""


class Unusable(StrEnum):
    """Why a message that arrived was quarantined, beside the codecs' own reasons (`Reject`)."""

    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_CODEC = "unknown_codec"
    UNKNOWN_DEVICE = "unknown_device"
    UNKNOWN_PLATE = "unknown_plate"
    UNKNOWN_STATION = "unknown_station"
    IDENTITY_MISMATCH = "identity_mismatch"
    REGISTRATION = "registration"
    INTERNAL_ERROR = "internal_error"
    KILLED_WORKER = "killed_worker"
