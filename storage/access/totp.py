"""The second factor: codes that change with time (RFC 6238)."""

import secrets
from base64 import b32encode
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import Final
from urllib.parse import quote

STEP_S: Final = 30
DIGITS: Final = 6
SECRET_BYTES: Final = 20
"""What RFC 4226 recommends; authenticator apps take no other digest than SHA-1 reliably."""

LATE_STEPS: Final = 1
"""Clocks of phones: the code before and the code after are good, too."""


def new_secret() -> bytes:
    """A secret of 160 random bits."""
    return secrets.token_bytes(SECRET_BYTES)


def code_at(secret: bytes, step: int) -> str:
    """The code of a step: half minutes since 1970."""
    mac = hmac_digest(secret, step.to_bytes(8, "big"), "sha1")
    at = mac[-1] & 0x0F
    number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def step_of(secret: bytes, code: str, now_s: float) -> int | None:
    """The step that the code is of; None: it is not one of now."""
    now = int(now_s // STEP_S)
    found = None
    for step in range(now - LATE_STEPS, now + LATE_STEPS + 1):
        if compare_digest(code_at(secret, step).encode(), code.encode("utf-8", "replace")):
            found = step
    return found


def uri(secret: bytes, username: str) -> str:
    """What authenticator apps read from a QR code."""
    text = b32encode(secret).decode()
    return f"otpauth://totp/hanhtrinh:{quote(username)}?secret={text}&issuer=hanhtrinh"
