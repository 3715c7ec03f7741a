"""Requests to JetStream's API, in JSON; what it refuses is an error that names the request."""

from typing import Any, Final

import msgspec
import nats.errors
from nats.aio.client import Client

from ingest.errors import StreamError

PATIENCE_S: Final = 10.0

NOT_FOUND: Final = frozenset({10014, 10059})
"""`err_code` of a consumer and of a stream that are not there."""


class UnansweredError(StreamError):
    """Nobody answered in time: no connection, or a cluster without a leader. Waiting can help."""


class RefusedError(StreamError):
    """JetStream's answer is an error; code: its `err_code`."""

    def __init__(self, request: str, code: int, description: str) -> None:
        super().__init__(f"{request}: {description} ({code})")
        self.code = code


async def ask(
    client: Client, request: str, body: dict[str, Any] | None = None, *,
    patience_s: float = PATIENCE_S,
) -> dict[str, Any]:  # fmt: skip
    """The answer to `$JS.API.{request}`. Raises UnansweredError or RefusedError."""
    payload = msgspec.json.encode(body) if body is not None else b""
    try:
        answer = await client.request(f"$JS.API.{request}", payload, timeout=patience_s)
    except nats.errors.Error as error:
        said = str(error) or type(error).__name__
        raise UnansweredError(f"{request}: no answer from JetStream: {said}") from error
    found: dict[str, Any] = msgspec.json.decode(answer.data)
    if refusal := found.get("error"):
        raise RefusedError(request, refusal.get("err_code", 0), refusal.get("description", ""))
    return found


async def look(client: Client, request: str) -> dict[str, Any] | None:
    """The same for INFO; None: there is no such stream or consumer."""
    try:
        return await ask(client, request)
    except RefusedError as error:
        if error.code in NOT_FOUND:
            return None
        raise
