"""HTTP: phones that speak the format of OsmAnd, and small senders.

    GET or POST /?id=...&lat=...&lon=...      codec osmand: the query, a form, or a JSON body
    POST /v1/{codec}/{ident}                  any codec: the body is the payload

Answered 200 once the broker has the message, 503 with Retry-After while it takes none. A request
shows the gateway's secret, or the token of its device, as a bearer token or in the query as
`token`, which is taken out before anything is published.
"""

import base64
import binascii
import hashlib
import hmac
import json
from http import HTTPStatus
from typing import ClassVar, Final
from urllib.parse import parse_qs, urlsplit

import httptools

from devices.codec import CODECS
from ingest.gateway.connection import Connection
from ingest.gateway.encryption import Encrypted
from ingest.gateway.house import House, is_identity
from ingest.gateway.options import PHONES

MOST_HEAD_BYTES: Final = 16_384
RETRY_AFTER_S: Final = 10
_FORM: Final = "application/x-www-form-urlencoded"
_METHODS: Final = frozenset((b"GET", b"POST"))
_MOST_FIELDS: Final = 200


def device_token(secret: str, ident: str) -> str:
    """What the device of that identity shows instead of the secret: it opens no other's door."""
    return hmac.new(secret.encode(), ident.encode(), hashlib.sha256).hexdigest()[:32]


class _RefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class HttpConnection(Connection):
    """One connection; its requests are answered in their order."""

    waits_for_broker: ClassVar[bool] = False  # it is told to come again

    def __init__(
        self, house: House, codec: str, secret: str | None, tls: Encrypted | None = None
    ) -> None:
        super().__init__(house, codec, tls)
        self._secret = secret
        self._parser = httptools.HttpRequestParser(self)
        self._requests = 0
        self._begin()

    def take(self, data: bytes) -> int:
        """Feed the parser, which calls back."""
        self._requests = 0
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not isinstance(error.__context__, _RefusedError):
                self._respond(HTTPStatus.BAD_REQUEST, "no HTTP/1.1 request")
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
            self._respond(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "")

    def on_message_complete(self) -> None:
        """A whole request."""
        self._requests += 1
        if not self._parser.should_keep_alive():
            self.end_when_answered()
        try:
            self._handle()
        except _RefusedError as refused:
            self._respond(refused.status, str(refused))

    # Its own ---------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._head_bytes = 0

    def _grow(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MOST_HEAD_BYTES:
            self._respond(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the head is too large")
            raise _RefusedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "")

    def _handle(self) -> None:
        if self._parser.get_method() not in _METHODS:
            raise _RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "expected GET or POST")
        try:
            target = urlsplit(self._url.decode("ascii"))
        except ValueError:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "the target is no URL") from None
        parts = [part for part in target.path.split("/") if part]
        if not parts and self.codec == PHONES:
            codec, ident, payload, query = *self._phone(target.query), target.query
        elif len(parts) == 3 and parts[0] == "v1" and parts[1] in CODECS:
            codec, ident, payload, query = parts[1], parts[2], bytes(self._body), target.query
        else:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "expected POST /v1/{codec}/{ident}")
        if not is_identity(ident):
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "no identity, or one that cannot be")
        self._authorize(ident, query)
        if not self.may_be(ident):
            raise _RefusedError(HTTPStatus.FORBIDDEN, "the certificate is another device's")
        if not payload:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "nothing in it")
        if self.house.publisher.is_held:
            raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "the broker takes nothing")
        self.house.metrics.answers["200"] += 1
        self.publish(codec, ident, payload, self._response(HTTPStatus.OK, ""))

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

    def _authorize(self, ident: str, query: str) -> None:
        if self._secret is None:
            return
        shown = self._shown(query)
        for good in (self._secret, device_token(self._secret, ident)):
            if hmac.compare_digest(shown.encode(), good.encode()):
                return
        raise _RefusedError(HTTPStatus.UNAUTHORIZED, "expected the secret, or the device's token")

    def _shown(self, query: str) -> str:
        """What the request shows: a bearer token, a password, or `token` in the query."""
        kind, _, rest = self._headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if kind.lower() == "bearer":
            return rest.strip()
        if kind.lower() == "basic":
            try:
                plain = base64.b64decode(rest, validate=True).decode("utf-8")
            except (binascii.Error, UnicodeDecodeError):
                return ""
            return plain.partition(":")[2]
        return _fields(query).get("token", "")

    def _respond(self, status: HTTPStatus, detail: str) -> None:
        self.house.metrics.answers[str(status.value)] += 1
        self.answer(self._response(status, detail))

    def _response(self, status: HTTPStatus, detail: str) -> bytes:
        keeps = self._parser.should_keep_alive()
        return response(status, detail, keep_alive=keeps)


def response(status: HTTPStatus, detail: str, *, keep_alive: bool) -> bytes:
    """A whole response."""
    body = f"{detail}\n".encode() if detail else b""
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Length: {len(body)}",
        f"Connection: {'keep-alive' if keep_alive else 'close'}",
    ]
    if body:
        lines.append("Content-Type: text/plain; charset=utf-8")
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        lines.append(f"Retry-After: {RETRY_AFTER_S}")
    if status is HTTPStatus.UNAUTHORIZED:
        lines.append("WWW-Authenticate: Bearer")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + body


TOO_LATE: Final = response(
    HTTPStatus.SERVICE_UNAVAILABLE, "the broker did not answer in time", keep_alive=True
)


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
