"""How secrets of devices are kept: one form that this product and the brokers can all check.

PBKDF2 with HMAC-SHA512, a salt of twelve letters and a number of iterations that is stored with
the digest. docs/identity.md and docs/decisions/0012 say why.
"""

import secrets
from base64 import b32encode
from hashlib import pbkdf2_hmac
from hmac import compare_digest
from typing import Final, NamedTuple

PREFIX: Final = "hd"
"""Lets people and secret scanners see what a stray string is."""

SECRET_LETTERS: Final = 32
"""Trackers' fields for passwords often take no more. 30 random letters of five bits: 150 bits."""

MADE_ITERATIONS: Final = 1
"""150 random bits are guessed by nobody, however fast each guess is."""

CHOSEN_ITERATIONS: Final = 210_000
"""For passwords that people chose: what OWASP recommends for PBKDF2-SHA512 (2023); 0.1 s each."""

SALT_LETTERS: Final = 12
"""Mosquitto takes salts of exactly twelve bytes, EMQX salts that are text: 72 random bits."""


class SecretHash(NamedTuple):
    """What is kept of a secret. `digest`: 64 bytes."""

    iterations: int
    salt: str
    digest: bytes

    @property
    def is_slow(self) -> bool:
        """Whether checking it costs so much that checks have to be rationed."""
        return self.iterations > 1000


def new_secret() -> str:
    """A secret nobody has: small letters and digits only, since trackers get it by SMS."""
    letters = b32encode(secrets.token_bytes(20)).decode("ascii").lower()
    return PREFIX + letters[: SECRET_LETTERS - len(PREFIX)]


def hashed(secret: str, iterations: int) -> SecretHash:
    """What to keep of a secret."""
    salt = secrets.token_urlsafe(SALT_LETTERS * 3 // 4)
    return SecretHash(iterations, salt, _digest(secret, salt, iterations))


def matches(kept: SecretHash, secret: str) -> bool:
    """Whether this is the secret, in a time that does not depend on how nearly it is."""
    return compare_digest(_digest(secret, kept.salt, kept.iterations), kept.digest)


def _digest(secret: str, salt: str, iterations: int) -> bytes:
    encoded = secret.encode("utf-8", "surrogatepass")
    return pbkdf2_hmac("sha512", encoded, salt.encode("ascii"), iterations)
