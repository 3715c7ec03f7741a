"""What HTTP senders are answered: nothing, or a problem (RFC 9457) with a code that stays.

The codes are those of the API where they mean the same (docs/gateway.md lists them all).
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec

RETRY_AFTER_S: Final = 10

PROBLEMS: Final[Mapping[str, tuple[HTTPStatus, str]]] = {
    "malformed_request": (HTTPStatus.BAD_REQUEST, "The request cannot be read"),
    "token_missing": (HTTPStatus.UNAUTHORIZED, "The device's secret or token is needed"),
    "token_invalid": (HTTPStatus.UNAUTHORIZED, "The secret or token is not this device's"),
    "forbidden": (HTTPStatus.FORBIDDEN, "Whoever that is may not send as this device"),
    "not_registered": (HTTPStatus.FORBIDDEN, "The device is not registered"),
    "not_found": (HTTPStatus.NOT_FOUND, "There is no such page"),
    "method_not_allowed": (HTTPStatus.METHOD_NOT_ALLOWED, "The page does not take this method"),
    "body_too_large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large"),
    "head_too_large": (HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The head is too large"),
    "broker_unavailable": (HTTPStatus.SERVICE_UNAVAILABLE, "The broker takes nothing"),
    "registry_unavailable": (HTTPStatus.SERVICE_UNAVAILABLE, "Secrets cannot be looked up"),
    "busy": (HTTPStatus.SERVICE_UNAVAILABLE, "Too many passwords are being checked"),
}
"""Code: status and title. A code never changes its meaning."""


class RefusedError(Exception):
    """A request that is answered with a problem; `detail` says what to do about this one."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.status = PROBLEMS[code][0]


def accepted(*, keep_alive: bool) -> bytes:
    """The broker has it."""
    return _response(HTTPStatus.OK, b"", [], keep_alive=keep_alive)


def problem(code: str, detail: str, *, keep_alive: bool) -> bytes:
    """A whole response that says what is wrong."""
    status, title = PROBLEMS[code]
    body = {
        "type": f"urn:hanhtrinh:problem:{code}", "title": title, "status": status.value,
        "detail": detail, "code": code,
    }  # fmt: skip
    headers = ["Content-Type: application/problem+json"]
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(f"Retry-After: {RETRY_AFTER_S}")
    if status is HTTPStatus.UNAUTHORIZED:
        headers.append('WWW-Authenticate: Bearer realm="hanhtrinh"')
    return _response(status, msgspec.json.encode(body) + b"\n", headers, keep_alive=keep_alive)


def _response(status: HTTPStatus, body: bytes, headers: list[str], *, keep_alive: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Length: {len(body)}",
        f"Connection: {'keep-alive' if keep_alive else 'close'}",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + body


TOO_LATE: Final = problem(
    "broker_unavailable", "the broker did not answer in time", keep_alive=True
)
