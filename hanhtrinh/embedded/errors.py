"""Errors of the embedded servers.

EmbeddedError
├── FolderInUseError        another running process owns the data folder
├── FolderNotUsableError    the data folder cannot be made, read or written
└── ServerNotStartedError   a server ended, or stayed silent, while it was being started
"""


class EmbeddedError(Exception):
    """Base of every error that this package raises."""


class FolderInUseError(EmbeddedError):
    """Another running process owns the data folder; the message names the process."""


class FolderNotUsableError(EmbeddedError):
    """The data folder cannot be made, read or written."""


class ServerNotStartedError(EmbeddedError):
    """A server did not start; the message ends with the last lines of its log."""
