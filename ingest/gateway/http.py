"""HTTP: phones that speak the format of OsmAnd, and small senders.

    GET or POST /?id=...&lat=...&lon=...      codec osmand: the query, a form, or a JSON body
    POST /v1/{codec}/{ident}                  any codec: the body is the payload

Answered 200 once the broker has the message, 503 with Retry-After while it takes none. A request
shows the gateway's secret, or the token of its device, or the secret that the registry knows of
its device, as a bearer token or in the query as `token`, which is taken out before anything is
published.
"""

import asyncio
import base64
import hashlib
import hmac
import json
from collections import deque
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httptools

from devices.codec import CODECS
from ingest.gateway.answers import PROBLEMS, RefusedError, accepted, problem
from ingest.gateway.connection import Connection, Due
from ingest.gateway.encryption import Encrypted
from ingest.gateway.house import House, Pause, is_identity
from ingest.gateway.logins import Logins
from ingest.gateway.options import PHONES
from ingest.identity.checking import Granted, Refused, Verdict

MOST_HEAD_BYTES: Final = 16_384
_FORM: Final = "application/x-www-form-urlencoded"
_METHODS: Final = frozenset((b"GET", b"POST"))
_MOST_FIELDS: Final = 200


def device_token(secret: str, ident: str) -> str:
    """What the device of that identity shows instead of the secret: it opens no other's door."""
    return hmac.new(secret.encode(), ident.encode(), hashlib.sha256).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class _Report:
    """A request that can be read: what is to be published, and what its sender shows of himself.

    shown: a secret or token. claimed: the user name beside it, "" without one. due: the place of
    its answer.
    """

    codec: str
    ident: str
    payload: bytes
    shown: str
    claimed: str
    keep_alive: bool
    due: Due


class HttpOptions(NamedTuple):
    """What senders must show.

    secret: the gateway's, or the token of their device; None: nothing. logins: the secret of their
    device in the registry, and no other; None: it is not asked.
    """

    secret: str | None = None
    logins: Logins | None = None


class HttpConnection(Connection):
    """One connection; its requests are answered in their order."""

    waits_for_broker: ClassVar[bool] = False  # it is told to come again

    def __init__(
        self, house: House, codec: str, options: HttpOptions, tls: Encrypted | None = None
    ) -> None:
        super().__init__(house, codec, tls)
        self._options = options
        self._parser = httptools.HttpRequestParser(self)
        self._requests = 0
        self._asked: deque[_Report] = deque()
        self._asking: asyncio.Task[None] | None = None
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what nobody waits for any more."""
        super().connection_lost(exc)
        if self._asking is not None:
            self._asking.cancel()

    def take(self, data: bytes) -> int:
        """Feed the parser, which calls back."""
        self._requests = 0
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not isinstance(error.__context__, RefusedError):
                self._respond("malformed_request", "no HTTP/1.1 request")
            self.close("bad_request")
        return self._requests

    def overdue(self, now: float) -> str:
        """Between requests, and within one, a client has as long as a tracker for its login."""
        return "idle" if now - self.heard > self.house.limits.login_s else ""

    # httptools' side -------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Another request."""
        self._begin()

    def on_url(self, url: bytes) -> None:
        """The request's target, or a part of it."""
        self._url += url
        self._grow(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._grow(len(name) + len(value))
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body += body
        if len(self._body) > self.house.limits.body_bytes:
            raise self._too_large("body_too_large")

    def on_message_complete(self) -> None:
        """A whole request."""
        self._requests += 1
        if not self._parser.should_keep_alive():
            self.end_when_answered()
        try:
            self._handle()
        except RefusedError as refused:
            self._respond(refused.code, str(refused))

    # Its own ---------------------------------------------------------------------------------

    def _acknowledged(self, codec: str, due: Due | None) -> None:
        if due is not None and not due.is_ready and self.transport is not None:
            self.house.metrics.answers["200"] += 1
        super()._acknowledged(codec, due)

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._head_bytes = 0

    def _grow(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MOST_HEAD_BYTES:
            raise self._too_large("head_too_large")

    def _too_large(self, code: str) -> RefusedError:
        """Answer at once; what is raised ends the parser."""
        refused = RefusedError(code, "expected less")
        self._respond(code, str(refused))
        return refused

    def _handle(self) -> None:
        if self._parser.get_method() not in _METHODS:
            raise RefusedError("method_not_allowed", "expected GET or POST")
        try:
            target = urlsplit(self._url.decode("ascii"))
        except ValueError:
            raise RefusedError("malformed_request", "the target is no URL") from None
        parts = [part for part in target.path.split("/") if part]
        if not parts and self.codec == PHONES:
            codec, ident, payload, query = *self._phone(target.query), target.query
        elif len(parts) == 3 and parts[0] == "v1" and parts[1] in CODECS:
            codec, ident, payload, query = parts[1], parts[2], bytes(self._body), target.query
        else:
            raise RefusedError("not_found", "expected POST /v1/{codec}/{ident}")
        if not is_identity(ident):
            raise RefusedError("malformed_request", "no identity, or one that cannot be")
        shown, claimed = self._shown(query)
        logins = self._options.logins
        if logins is None:
            self._authorize(ident, shown)
        self._look_at(ident, payload)
        keeps = self._parser.should_keep_alive()
        report = _Report(codec, ident, payload, shown, claimed, keeps, self.place())
        if logins is None:
            self._settle(report, None)
        else:
            self._ask(logins, report)

    def _look_at(self, ident: str, payload: bytes) -> None:
        """What nobody has to be asked for."""
        if not self.may_be(ident):
            raise RefusedError("forbidden", "the certificate is another device's")
        if not payload:
            raise RefusedError("malformed_request", "nothing in it")

    def _ask(self, logins: Logins, report: _Report) -> None:
        """Have the secret checked; at once if that can be and nobody's is checked before it."""
        if not self._asked and self._asking is None:
            verdict = _unasked(report) or logins.at_once(report.codec, report.ident, report.shown)
            if verdict is not None:
                self._settle(report, verdict)
                return
        self._asked.append(report)
        if self._asking is None:
            self.pause(Pause.LOGIN)
            self._asking = asyncio.create_task(self._check_all(logins), name="gateway-login")

    async def _check_all(self, logins: Logins) -> None:
        """Check one after the other, so that a device's reports keep their order."""
        while self._asked:
            report = self._asked.popleft()
            verdict = _unasked(report) or await logins.verdict(
                report.codec, report.ident, report.shown
            )
            if not report.due.is_ready:  # else it was told to come again
                self._settle(report, verdict)
        self._asking = None
        self.resume(Pause.LOGIN)

    def _settle(self, report: _Report, verdict: Verdict | RefusedError | None) -> None:
        """Publish a report, or say why not. verdict: None: nobody was asked."""
        refused = verdict if isinstance(verdict, RefusedError) else _refusal(verdict)
        if refused is None and self.house.turns_away(report.codec, report.ident, self.address):
            refused = RefusedError("not_registered", "expected a device of the registry")
        if refused is None and self.house.publisher.is_held:
            refused = RefusedError("broker_unavailable", "send it again later")
        if refused is None:
            reply = accepted(keep_alive=report.keep_alive)
            self.publish(report.codec, report.ident, report.payload, reply, report.due)
            return
        self.house.metrics.answers[str(refused.status.value)] += 1
        keeps = report.keep_alive
        self.settle(report.due, problem(refused.code, str(refused), keep_alive=keeps))

    def _phone(self, query: str) -> tuple[str, str, bytes]:
        """Codec, identity and payload of a report in OsmAnd's format."""
        kind = self._headers.get(b"content-type", b"").decode("latin-1").split(";")[0].strip()
        text = bytes(self._body)
        fields = _fields(query)
        if text and kind != _FORM and text.lstrip()[:1] == b"{":
            ident = fields.get("id") or fields.get("deviceid") or _device_id(text)
            return self.codec, ident, text
        if not query and text:
            query = text.decode("latin-1").strip()
            fields = _fields(query)
        ident = fields.get("id") or fields.get("deviceid") or ""
        kept = "&".join(part for part in query.split("&") if not part.startswith("token="))
        return self.codec, ident, f"/?{kept}".encode("latin-1")

    def _authorize(self, ident: str, shown: str) -> None:
        secret = self._options.secret
        if secret is None:
            return
        for good in (secret, device_token(secret, ident)):
            if hmac.compare_digest(shown.encode(), good.encode()):
                return
        raise RefusedError(
            "token_invalid" if shown else "token_missing",
            "expected the secret, or the device's token",
        )

    def _shown(self, query: str) -> tuple[str, str]:
        """What the request shows: a bearer token, a password, or `token` in the query; whose."""
        kind, _, rest = self._headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if kind.lower() == "bearer":
            return rest.strip(), ""
        if kind.lower() == "basic":
            try:
                plain = base64.b64decode(rest, validate=True).decode("utf-8")
            except ValueError:  # no base64, or no UTF-8 in it
                return "", ""
            name, _, password = plain.partition(":")
            return password, name
        return _fields(query).get("token", ""), ""

    def _respond(self, code: str, detail: str) -> None:
        self.house.metrics.answers[str(PROBLEMS[code][0].value)] += 1
        keeps = self._parser.should_keep_alive()
        self.answer(problem(code, detail, keep_alive=keeps))


def _unasked(report: _Report) -> RefusedError | None:
    """Why a secret need not be checked; None: it must be."""
    if not report.shown:
        return RefusedError("token_missing", "expected the secret of the device")
    if report.claimed not in {"", report.ident}:
        return RefusedError("forbidden", "expected the device's own name as user")
    return None


def _refusal(verdict: Verdict | None) -> RefusedError | None:
    """What a verdict is answered with; None: it lets in."""
    if verdict is None or isinstance(verdict, Granted):
        return None
    if verdict is Refused.NO_REGISTRY:
        return RefusedError("registry_unavailable", "send it again later")
    if verdict is Refused.BUSY:
        return RefusedError("busy", "send it again later")
    return RefusedError("token_invalid", "expected the secret of the device, registered and valid")


def _fields(query: str) -> dict[str, str]:
    try:
        found = parse_qs(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def _device_id(text: bytes) -> str:
    """The identity that a JSON report names."""
    try:
        report = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    ident = report.get("device_id", "") if isinstance(report, dict) else ""
    return ident if isinstance(ident, str) else ""
