"""Messages by way of NATS JetStream: a stream in partitions of devices, shared out among workers.

    layout    names, subjects and configurations of the stream and its consumers; pure
    stream    makes and changes them
    requests  JetStream's API, and what it refuses
    partition what has come of one partition, in order and complete; pure
    source    the worker's `Source`

docs/sources.md says when to use it, docs/decisions/0015 why the stream is fed as it is.
"""
