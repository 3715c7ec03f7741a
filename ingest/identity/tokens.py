"""NATS' tokens: JWTs signed by an account's key, as its server reads and writes them.

Format: NATS documentation, "JWTs" and "Auth callout". Three parts in base64url without padding:
header, claims, Ed25519 signature of the first two.
"""

import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from itertools import count
from secrets import token_hex
from typing import Any, Final

import msgspec
import nkeys

from ingest.errors import IssuerError

_HEADER: Final = urlsafe_b64encode(b'{"typ":"JWT","alg":"ed25519-nkey"}').rstrip(b"=") + b"."


class Issuer:
    """Signs claims with an account's key. Raises IssuerError for a seed that is none."""

    def __init__(self, seed: str) -> None:
        try:
            self._keys = nkeys.from_seed(bytearray(seed.encode("ascii")))
            self.public = self._keys.public_key.decode("ascii")
        except (nkeys.NkeysError, ValueError) as error:
            raise IssuerError(
                f"auth.issuer_seed: expected an account's seed (SA...): {error}"
            ) from error
        self._series = token_hex(16)  # no other issuer's tokens have these ids
        self._numbers = count()
        if not self.public.startswith("A"):
            raise IssuerError("auth.issuer_seed: expected an account's seed (SA...)")

    def sign(self, claims: dict[str, Any]) -> str:
        """The token of these claims; issuer, time and id are added."""
        number = next(self._numbers)
        claims = claims | {
            "iss": self.public, "iat": int(time.time()), "jti": f"{self._series}-{number:x}",
        }  # fmt: skip
        signed = _HEADER + urlsafe_b64encode(msgspec.json.encode(claims)).rstrip(b"=")
        signature = urlsafe_b64encode(self._keys.sign(signed)).rstrip(b"=")
        return (signed + b"." + signature).decode("ascii")


def claims_of(token: bytes) -> bytes:
    """The claims of a token, as JSON. Whose it is must be known from where it came."""
    middle = token.split(b".")[1]
    return urlsafe_b64decode(middle + b"=" * (-len(middle) % 4))


def issuer_seed(random: bytes) -> str:
    """The seed of an account's key. `random`: 32 bytes that nobody else knows."""
    return str(nkeys.encode_seed(random, nkeys.PREFIX_BYTE_ACCOUNT).decode("ascii"))
