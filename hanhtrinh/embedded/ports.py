"""Loopback ports for servers that must be told one: never depends on a given port being free."""

import socket
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

LOOPBACK: Final = "127.0.0.1"
ATTEMPTS: Final = 20
"""A picked port can be taken by somebody else before the server binds it. Under a load of servers
that start at the same time one such clash is rare; twenty in a row are another fault."""


class PortTakenError(Exception):
    """The server found its port taken: another one may be free."""


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether a server could listen there at this moment."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def with_free_port(start: Callable[[int], T], first: int | None = None) -> T:
    """Call `start` with one free port after another (first: this one) until it finds one free."""
    port = first or free_port()
    for _ in range(ATTEMPTS - 1):
        try:
            return start(port)
        except PortTakenError:
            port = free_port()
    return start(port)
