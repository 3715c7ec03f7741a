"""Passwords that people choose: what is kept of them, and which are refused.

Argon2id, because people's passwords can be guessed: 64 MiB and three passes, the second
recommendation of RFC 9106 (0.1 s of one processor each). Devices' secrets, which nobody chose, are
kept otherwise (`storage.secret_hash`).
"""

import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from storage.errors import PasswordError

SHORTEST: Final = 12
LONGEST: Final = 200
FEWEST_LETTERS: Final = 5
"""Different ones: "aaaaaaaaaaaa" is long and worth nothing."""

KEPT: Final = 5
"""So many passwords that a person had before cannot come back."""

_HASHER: Final = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)

NOBODYS: Final = _HASHER.hash(secrets.token_urlsafe(24))
"""Checked where there is nobody of that name, so that both answers take the same time."""


def hashed(password: str) -> str:
    """What is kept of a password, with its salt and costs, as text."""
    return _HASHER.hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Whether it is the password; None, which nothing matches, takes as long."""
    try:
        _HASHER.verify(NOBODYS if kept is None else kept, password)
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def is_outdated(kept: str) -> bool:
    """Whether it was made with other costs than today's."""
    return _HASHER.check_needs_rehash(kept)


def check_choice(password: str, username: str, past: list[str]) -> None:
    """Refuse what is guessed first. past: kept forms of earlier ones. Raises PasswordError."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise PasswordError(f"expected {SHORTEST} to {LONGEST} letters, got {len(password)}")
    plain = password.casefold()
    if len(set(plain)) < FEWEST_LETTERS:
        raise PasswordError(f"expected at least {FEWEST_LETTERS} different letters")
    if username.casefold() in plain or plain in username.casefold():
        raise PasswordError("expected a password without the username in it")
    if any(matches(kept, password) for kept in past):
        raise PasswordError(f"expected none of the last {KEPT} passwords")


def first_password() -> str:
    """One to begin with, which has to be changed: 100 random bits."""
    return secrets.token_urlsafe(15)
