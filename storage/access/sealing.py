"""Sealing: secrets that have to be read again, kept so that the database alone opens nothing.

AES-256-GCM with a key made of the setting `api.secret`, which the database does not hold.
"""

import secrets
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES: Final = 12


def seal(key: str, what: bytes, context: str) -> bytes:
    """Encrypt with a key made of a setting. context: what it is for; only the same opens it."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(sha256(key.encode()).digest()).encrypt(nonce, what, context.encode())


def unseal(key: str, sealed: bytes, context: str) -> bytes | None:
    """What was sealed; None: with another key, for something else, or not at all."""
    try:
        return AESGCM(sha256(key.encode()).digest()).decrypt(
            sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context.encode()
        )
    except (InvalidTag, ValueError):
        return None
