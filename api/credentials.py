"""What a request shows of who sends it: a key in a header, or the cookie of a session.

Browsers send cookies by themselves, also where another site tells them to; so a change that comes
with a cookie must come from our own pages, and carry what only they can know.
"""

from hashlib import sha256
from hmac import compare_digest
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

from fastapi import Request, Response

from api.problems import Problem
from storage.access import keys, sessions

COOKIE: Final = "__Host-hanhtrinh"
"""The prefix has browsers refuse it from any other host, path or unencrypted page."""

CSRF_COOKIE: Final = "__Host-hanhtrinh-csrf"
CSRF_HEADER: Final = "X-CSRF-Token"

MOST_CHARACTERS: Final = 200
"""A key is 46 characters; nothing much longer is worth hashing."""


class Credential(NamedTuple):
    """What was shown. digest: all that is ever looked up, compared or remembered."""

    kind: Literal["key", "session"]
    digest: bytes
    csrf: str = ""


def csrf_of(token: str) -> str:
    """What pages of a session send beside its cookie: known to who knows the cookie."""
    return sha256(b"csrf " + token.encode("utf-8", "replace")).hexdigest()


def credential_of(request: Request) -> Credential:
    """The key or the session of a request. Raises Problem.

    Only digests are stored and compared: the time that an index takes to find none of them tells
    nothing about a key.
    """
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, key = header.partition(" ")
        key = key.strip()
        is_key = key.startswith(keys.PREFIX) and len(key) <= MOST_CHARACTERS
        if scheme.lower() != "bearer" or not is_key:
            raise Problem("token_invalid", "expected the header Authorization: Bearer ht_...")
        return Credential("key", keys.digest_of(key))
    return session_credential(request)


def session_credential(request: Request) -> Credential:
    """The session of a request. Raises Problem."""
    token = request.cookies.get(COOKIE)
    if token is None:
        raise Problem("token_missing", "expected the header Authorization: Bearer ht_...")
    if not token.startswith(sessions.PREFIX) or len(token) > MOST_CHARACTERS:
        raise Problem("token_invalid", "expected the cookie that POST /session gave")
    return Credential("session", keys.digest_of(token), csrf_of(token))


def check_origin(request: Request, credential: Credential | None = None) -> None:
    """Refuse a change that another site made a browser send. Raises Problem.

    Keys are not sent by browsers on their own, and are let through. None: a login.
    """
    if credential is not None and credential.kind == "key":
        return
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    host = request.headers.get("host", "")
    if site not in {"same-origin", "none"} or (
        origin is not None and urlsplit(origin).netloc != host
    ):
        raise Problem("csrf_refused", "expected a request from a page of this host")
    given = request.headers.get(CSRF_HEADER, "")
    if credential is not None and not compare_digest(given.encode(), credential.csrf.encode()):
        raise Problem("csrf_refused", f"expected the header {CSRF_HEADER} that the session gave")


def give_cookies(response: Response, token: str, longest_s: int) -> None:
    """Hand a session to the browser. Scripts see the CSRF token, and never the session."""
    response.set_cookie(
        COOKIE, token, max_age=longest_s, path="/", secure=True, httponly=True, samesite="strict"
    )
    response.set_cookie(
        CSRF_COOKIE, csrf_of(token), max_age=longest_s, path="/", secure=True, samesite="strict"
    )


def take_cookies(response: Response) -> None:
    """Have the browser forget the session."""
    for name in (COOKIE, CSRF_COOKIE):
        response.delete_cookie(name, path="/", secure=True, samesite="strict")
