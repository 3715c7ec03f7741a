"""How the worker connects to NATS, and what it asks of it."""

import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import nats
import nats.errors
import structlog
from nats.aio.client import Client
from nats.protocol import parser

TURN_S: Final = 0.2
"""Between two looks, and two attempts of nats-py to connect again."""

LEAST_REQUEST_BYTES: Final = 17 << 20
"""More than the server's max_payload (deploy/nats.conf): a request needs room for any message."""

INBOX: Final = "_INBOX.hanhtrinh"
"""Where answers and messages come: the worker's user may read there and nowhere else."""

# NATS parts the words of a message's head by blanks and tabs, nats-py by whatever is white space. A
# topic with a vertical tab in it, which NATS takes from any device, would end our connection
# whenever it came, and it would come again for ever.
_FIELD: Final = rb"[ \t]+([^ \t\r\n]+)"
_OPTIONAL: Final = rb"(?:[ \t]+(([^ \t\r\n]+)))?"
parser.MSG_RE = re.compile(rb"\AMSG" + 2 * _FIELD + _OPTIONAL + rb"[ \t]+(\d+)\r\n")
parser.HMSG_RE = re.compile(rb"\AHMSG" + 2 * _FIELD + _OPTIONAL + rb"[ \t]+(\d+)[ \t]+(\d+)\r\n")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JetStreamOptions:
    """Where the stream is, and how much is taken at once.

    url: several with commas between them, of one cluster. shards: those that this worker may read.
    total: partitions that the stream must have. batch_messages, batch_age_s: a batch ends at this
    many messages, or this long after its first. window_bytes: payloads and topics received and
    not acknowledged; messages are at most two batches of each partition.
    """

    url: str
    shards: tuple[int, ...] = (0,)
    total: int = 1
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    stream: str = "HANHTRINH"
    batch_messages: int = 4096
    batch_age_s: float = 0.2
    window_bytes: int = 256 << 20

    @property
    def request_bytes(self) -> int:
        """Of one request: each partition has one under way and one held."""
        return max(LEAST_REQUEST_BYTES, self.window_bytes // (2 * max(1, len(self.shards))))


async def connect(
    options: JetStreamOptions,
    name: str,
    reconnected: Callable[[], Awaitable[None]] | None = None,
    attempts: int = -1,
) -> Client:
    """A connection that is made again when it ends, and `reconnected` told of it.

    attempts: of making it, -1: for as long as it takes. Raises what the last one came to: OSError,
    or an error of NATS, AuthorizationError among them.
    """
    said: list[Exception] = []

    async def tell_error(error: Exception) -> None:
        said[:] = [error]
        log.warning("broker.error", error=str(error) or type(error).__name__)

    login = {"user": options.username, "password": options.password} if options.username else {}
    try:
        return await nats.connect(
            options.url.split(","),
            name=name,
            tls=options.tls,
            inbox_prefix=INBOX,
            max_reconnect_attempts=attempts,
            reconnect_time_wait=TURN_S,
            error_cb=tell_error,
            reconnected_cb=reconnected,
            **login,
        )
    except nats.errors.NoServersError as error:
        # "No servers are available": why not, was only told on the way.
        if not said:
            raise
        if "authorization" in str(said[-1]).lower():  # a plain error, if said while connecting
            raise nats.errors.AuthorizationError from said[-1]
        raise said[-1] from error
