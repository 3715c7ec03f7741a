"""What an identity provider says of somebody is believed if it is its own word, and for us."""

import asyncio
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from api.identity_provider import Provider
from api.options import IdentityProvider
from api.problems import Problem

CLIENT = "hanhtrinh"
SECRET = "between us, and long enough for HMAC"
STRANGERS = ECKey.generate_key("P-256", {"kid": "one"})


class Issuer(ThreadingHTTPServer):
    """A provider that signs whatever it is told to. keys: those that it shows."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.keys = [ECKey.generate_key("P-256", {"kid": "one"})]
        self.token = ""


class Answers(BaseHTTPRequestHandler):
    server: Issuer

    def do_GET(self) -> None:
        if self.path == "/keys":
            self._say({"keys": [key.as_dict(private=False) for key in self.server.keys]})
        else:
            at = self.server.address
            self._say(
                {"issuer": at, "jwks_uri": f"{at}/keys", "token_endpoint": f"{at}/token",
                 "authorization_endpoint": f"{at}/in"}
            )  # fmt: skip

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._say({"id_token": self.server.token, "access_token": "x", "token_type": "Bearer"})

    def _say(self, what: dict[str, Any]) -> None:
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is its own."""


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    server = Issuer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def provider(issuer) -> Provider:
    """As one process of the API knows the issuer, which has one key again."""
    issuer.keys = issuer.keys[:1]
    options = IdentityProvider(issuer.address, CLIENT, "https://vehicles.example", SECRET)
    return Provider(options, "s" * 32)


def come_back(provider: Provider, issuer: Issuer, sign: Any, **claims: Any) -> Any:
    """There and back again. sign: makes a token of claims; claims: in place of the right ones."""

    async def work() -> Any:
        address, cookie = await provider.begin()
        asked = {name: value[0] for name, value in parse_qs(urlsplit(address).query).items()}
        now = int(time.time())
        right = {
            "iss": issuer.address, "aud": CLIENT, "sub": "7", "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], "preferred_username": "An ",
        }  # fmt: skip
        said = {name: value for name, value in (right | claims).items() if value is not None}
        issuer.token = sign(said)
        return await provider.finish("code", asked["state"], cookie)

    return asyncio.run(work())


def signed(key: Any, alg: str = "ES256", kid: str | None = "one") -> Any:
    header = {"alg": alg} if kid is None else {"alg": alg, "kid": kid}
    return lambda claims: jwt.encode(header, claims, key, algorithms=[alg])


def unsigned(claims: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "kid": "one"}, claims)]
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


def test_a_right_token_says_who_it_is(provider, issuer):
    for claims in ({}, {"aud": ["others", CLIENT], "azp": CLIENT}):
        claimed = come_back(provider, issuer, signed(issuer.keys[0]), **claims)
        assert claimed == (f"{issuer.address}|7", "an")


@pytest.mark.parametrize(
    ("verified", "username"),
    [(True, "an@example.vn"), (None, "an@example.vn"), (False, None), ("false", None)],
)
def test_an_address_that_the_provider_has_not_looked_into_names_nobody(
    provider, issuer, verified, username
):
    provider.options = replace(provider.options, username_claim="email")
    said = {"email": "An@example.vn", "email_verified": verified}
    assert come_back(provider, issuer, signed(issuer.keys[0]), **said).username == username


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://another.example"}, {"iss": None},
        {"aud": "another"}, {"aud": []}, {"aud": None},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"sub": None}, {"sub": 7},
        {"exp": 1_700_000_000}, {"exp": None}, {"exp": "for ever"},
        {"iat": 4_000_000_000}, {"iat": None},
        {"nonce": "of somebody else's journey"}, {"nonce": None}, {"nonce": "ở đây"},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_that_is_not_for_us_now_is_refused(provider, issuer, claims):
    with pytest.raises(Problem) as refused:
        come_back(provider, issuer, signed(issuer.keys[0]), **claims)
    assert refused.value.code == "login_failed"


@pytest.mark.parametrize(
    "sign",
    [
        unsigned,
        signed(STRANGERS),
        signed(STRANGERS, kid="nobody's"),
        signed(OctKey.import_key(SECRET), "HS256"),
        signed(OctKey.import_key(SECRET), "HS256", None),
        lambda _: "no token",
    ],
    ids=["unsigned", "stranger", "unknown-key", "secret", "secret-without-kid", "nonsense"],
)
def test_a_token_that_the_provider_did_not_sign_is_refused(provider, issuer, sign):
    with pytest.raises(Problem) as refused:
        come_back(provider, issuer, sign)
    assert refused.value.code == "login_failed"


def test_a_provider_that_changes_its_key_is_asked_for_the_new_one(provider, issuer):
    come_back(provider, issuer, signed(issuer.keys[0]))
    issuer.keys.append(ECKey.generate_key("P-256", {"kid": "two"}))
    claimed = come_back(provider, issuer, signed(issuer.keys[1], kid="two"))
    assert claimed.username == "an"


def test_a_provider_that_calls_itself_otherwise_is_not_believed(provider, issuer):
    provider.options = IdentityProvider(
        issuer.address + "/", CLIENT, "https://vehicles.example", SECRET
    )
    with pytest.raises(Problem) as refused:
        asyncio.run(provider.begin())
    assert refused.value.code == "not_ready"
