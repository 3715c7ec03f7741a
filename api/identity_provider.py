"""The way in by an OpenID Connect provider: authorization code with PKCE, state and nonce.

What has to be remembered between going there and coming back is sealed into a cookie of the
browser's: nobody else can finish what somebody began, and several API processes need to share
nothing but `api.secret`.
"""

import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import httpx
import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from api.options import IdentityProvider
from api.problems import Problem
from storage.access import sealing

COOKIE: Final = "__Host-hanhtrinh-oidc"
CALLBACK: Final = "/api/v1/session/identity-provider/callback"
PATIENCE_S: Final = 10.0
LONGEST_S: Final = 600
"""How long somebody may take there."""

KEPT_S: Final = 3600
"""How long what the provider says of itself is believed; an unknown key has it asked again."""

ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""Signatures by a key that only the provider has; "none" and shared secrets are refused."""

SCOPE: Final = "openid profile email"
CLOCK_S: Final = 60
CONTEXT: Final = "identity provider"


class Begun(NamedTuple):
    """What is remembered while somebody is there. at_s: when it began, seconds since 1970."""

    state: str
    nonce: str
    verifier: str
    at_s: float


class Claimed(NamedTuple):
    """Whom the provider means. subject: issuer and subject, never given to anybody else.

    username: ours, None where nobody can be bound by it.
    """

    subject: str
    username: str | None


class Provider:
    """One identity provider, as one API process knows it."""

    def __init__(self, options: IdentityProvider, secret: str) -> None:
        self.options = options
        self.secret = secret
        self._said: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._asked_s = float("-inf")

    async def begin(self) -> tuple[str, str]:
        """Where to send the browser, and the cookie that it needs to come back. Raises Problem."""
        said = await self._metadata()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        begun = Begun(state, nonce, verifier, time.time())
        address = prepare_grant_uri(
            said["authorization_endpoint"],
            self.options.client_id,
            "code",
            redirect_uri=self.options.public_url + CALLBACK,
            scope=SCOPE,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        sealed = sealing.seal(self.secret, msgspec.json.encode(begun), CONTEXT)
        return address, urlsafe_b64encode(sealed).decode()

    async def finish(self, code: str, state: str, cookie: str | None) -> Claimed:
        """Whom the provider means by what the browser came back with. Raises Problem."""
        begun = self._begun(cookie)
        if not secrets.compare_digest(state.encode(), begun.state.encode()):
            raise _refused()
        said = await self._metadata()
        try:
            token = await self._exchange(said["token_endpoint"], code, begun.verifier)
            claims = await self._claims(str(token["id_token"]))
        except (JoseError, httpx.HTTPError, KeyError, ValueError) as error:
            raise _refused() from error
        if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), begun.nonce.encode()):
            raise _refused()
        return Claimed(f"{claims['iss']}|{claims['sub']}", self._username(claims))

    def _username(self, claims: dict[str, Any]) -> str | None:
        """Our username; None: the provider does not say it, or not that it looked into it."""
        claim = self.options.username_claim
        said = claims.get(claim)
        is_unproven = claim == "email" and claims.get("email_verified") in (False, "false")
        return said.strip().lower() if isinstance(said, str) and not is_unproven else None

    def _begun(self, cookie: str | None) -> Begun:
        try:
            sealed = urlsafe_b64decode((cookie or "").encode("ascii", "replace"))
            opened = sealing.unseal(self.secret, sealed, CONTEXT)
            begun = msgspec.json.decode(opened or b"", type=Begun)
        except (Base64Error, ValueError, msgspec.MsgspecError) as error:
            raise _refused() from error
        if time.time() - begun.at_s > LONGEST_S:
            raise _refused()
        return begun

    async def _exchange(self, endpoint: str, code: str, verifier: str) -> dict[str, Any]:
        """Tokens for a code. Raises httpx.HTTPError, ValueError."""
        # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
        auth = httpx.BasicAuth(quote(self.options.client_id), quote(self.options.client_secret))
        said = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.options.public_url + CALLBACK,
            "code_verifier": verifier,
        }
        async with httpx.AsyncClient(timeout=PATIENCE_S, auth=auth) as client:
            answer = await client.post(endpoint, data=said)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    async def _metadata(self) -> dict[str, Any]:
        if time.monotonic() - self._asked_s < KEPT_S:
            return self._said
        issuer = self.options.issuer
        try:
            async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
                well_known = issuer.rstrip("/") + "/.well-known/openid-configuration"
                said = (await client.get(well_known)).raise_for_status().json()
                keys = (await client.get(said["jwks_uri"])).raise_for_status().json()
                self._keys = KeySet.import_key_set(keys)
        except (httpx.HTTPError, KeyError, ValueError, JoseError) as error:
            raise Problem("not_ready", "the identity provider cannot be reached") from error
        if said.get("issuer") != issuer:
            raise Problem("not_ready", "the identity provider says that it is another")
        self._said, self._asked_s = said, time.monotonic()
        return self._said

    async def _claims(self, id_token: str) -> dict[str, Any]:
        """Claims of a token of this provider, for us, of now. Raises JoseError, ValueError."""
        assert self._keys is not None
        try:
            token = jwt.decode(id_token, self._keys, algorithms=ALGORITHMS)
        except InvalidKeyIdError:  # signed by a key that was not there yet
            self._asked_s = float("-inf")
            await self._metadata()
            token = jwt.decode(id_token, self._keys, algorithms=ALGORITHMS)
        registry = jwt.JWTClaimsRegistry(
            leeway=CLOCK_S,
            iss={"essential": True, "value": self.options.issuer},
            aud={"essential": True, "value": self.options.client_id},
            azp={"value": self.options.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        registry.validate(token.claims)
        return dict(token.claims)


def _refused() -> Problem:
    return Problem("login_failed", "expected somebody whom the identity provider sent just now")
