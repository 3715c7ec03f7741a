"""A user of an embedded server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user of the broker."""

    username: str
    password: str
