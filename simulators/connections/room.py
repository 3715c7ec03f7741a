"""Room for many sockets: open files, and the addresses that they come from.

A process may open only so many files, so that many connections need several processes; a source
address has only so many ports, so that many connections to one machine need several addresses.
"""

import ipaddress
import resource
import sys
from typing import Final

from simulators.errors import TooManyConnectionsError

SPARE_FILES: Final = 200
"""Files of a process that are no connections: libraries, pipes, and sockets that are closing."""

PROCESSES_AT_MOST: Final = 16
"""More would cost more memory than they hold connections."""

PER_ADDRESS: Final = 5_000
"""Connections from one source address: a fifth of the ports that Linux gives out by itself, so
that a free one is found at once."""


def processes_for(connections: int) -> int:
    """How many processes so many connections need here. Raises TooManyConnectionsError."""
    allowed = _allow_files(connections + SPARE_FILES)
    each = max(allowed - SPARE_FILES, 1)
    processes = -(-connections // each)
    if processes > PROCESSES_AT_MOST:
        needed = -(-connections // PROCESSES_AT_MOST) + SPARE_FILES
        raise TooManyConnectionsError(
            f"connections: {connections:,} need {needed:,} open files in each of "
            f"{PROCESSES_AT_MOST} processes, the limit is {allowed:,}; raise it: "
            f"`ulimit -Hn {needed}` as root, LimitNOFILE={needed} in a systemd unit, "
            f"`--ulimit nofile={needed}:{needed}` with Docker"
        )
    return processes


def raise_files(files: int) -> None:
    """Let this process open so many files. Raises TooManyConnectionsError."""
    allowed = _allow_files(files)
    if allowed < files:
        raise TooManyConnectionsError(f"open files: expected {files:,}, the limit is {allowed:,}")


def source_addresses(host: str, connections: int) -> tuple[str, ...]:
    """Addresses to connect from to a host (an address); none: whichever the system takes.

    All of 127.0.0.0/8 is this machine's own on Linux alone.
    """
    address = ipaddress.ip_address(host)
    if not address.is_loopback or address.version != 4 or sys.platform != "linux":
        return ()
    return tuple(f"127.0.0.{2 + n}" for n in range(min(-(-connections // PER_ADDRESS), 250)))


def _allow_files(files: int) -> int:
    """Raise the limit of open files as far as is allowed and asked; returns what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= files:
        return files
    try:  # root may raise the hard limit, too
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, max(files, hard)))
    except (ValueError, OSError):
        allowed = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
