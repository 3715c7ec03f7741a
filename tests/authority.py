"""A throw-away certificate authority, and files with what it has issued."""

from datetime import datetime
from pathlib import Path

import trustme


class Authority:
    """Issues certificates into a folder. `ca`: the file to trust it by."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._issuer = trustme.CA()
        self.ca = folder / "ca.pem"
        self._issuer.cert_pem.write_to_path(self.ca)

    def issue(
        self, name: str, *, common_name: str | None = None, not_after: datetime | None = None
    ) -> tuple[Path, Path]:
        """(certificate, private key) for a host, an address or a client."""
        issued = self._issuer.issue_cert(name, common_name=common_name, not_after=not_after)
        cert, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        cert.unlink(missing_ok=True)
        for blob in issued.cert_chain_pems:
            blob.write_to_path(cert, append=True)
        issued.private_key_pem.write_to_path(key)
        return cert, key

    def listener(
        self,
        host: str = "127.0.0.1",
        *,
        demands: bool = False,
        not_after: datetime | None = None,
    ) -> str:
        """Lines for Mosquitto's listener. demands: clients must show a certificate."""
        cert, key = self.issue(host, not_after=not_after)
        lines = f"cafile {self.ca}\ncertfile {cert}\nkeyfile {key}\n"
        if demands:
            lines += "require_certificate true\nuse_identity_as_username true\n"
        return lines
