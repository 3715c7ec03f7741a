"""NATS' side of the callout: who is asked about clients, and whose signature is believed.

The service that answers is `ingest.identity.callout`, run by `hanhtrinh auth`.
"""

from hashlib import sha256
from typing import Final

from hanhtrinh.embedded.credentials import Credentials
from hanhtrinh.embedded.folder import DataFolder
from hanhtrinh.embedded.ports import LOOPBACK, free_port, is_free

SYSTEM: Final = "SYS"
"""NATS' system account: questions come there, and connections can be closed from there alone."""

TIMEOUT_S: Final = 10
"""How long a client may wait for the answer: bursts are answered one after the other."""


class CalloutUser:
    """The user that answers, its key, and the port where it finds the server."""

    def __init__(self, folder: DataFolder) -> None:
        from ingest.identity.tokens import Issuer, issuer_seed  # noqa: PLC0415 - few need it

        self.user = Credentials("auth", folder.secret("broker-auth"))
        self.seed = issuer_seed(sha256(folder.secret("broker-issuer").encode("ascii")).digest())
        self.port = 0
        self._issuer = Issuer(self.seed).public

    @property
    def url(self) -> str:
        """Where the server listens for NATS' own protocol."""
        return f"nats://{LOOPBACK}:{self.port}"

    def new_port(self) -> int:
        """The port for the next start: the same as long as it is free."""
        self.port = self.port if self.port and is_free(self.port) else free_port()
        return self.port

    def accounts(self) -> dict[str, object]:
        """The part of the configuration that makes the user."""
        user = {
            "user": self.user.username,
            "password": self.user.password,
            "allowed_connection_types": ["STANDARD"],
        }
        return {"accounts": {SYSTEM: {"users": [user]}}, "system_account": SYSTEM}

    def authorization(self, known: list[str]) -> dict[str, object]:
        """The part that has it asked about everybody but the known users."""
        return {
            "timeout": TIMEOUT_S,
            "auth_callout": {
                "issuer": self._issuer,
                "account": SYSTEM,
                "auth_users": [self.user.username, *known],
            },
        }
