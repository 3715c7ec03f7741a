"""Rows of the audit as other systems read them: JSON, CEF, and either in syslog (RFC 5424)."""

from typing import Final

import msgspec

from devices.describe import rfc3339
from storage.access.audit import Row

PRIORITY: Final = 13 * 8 + 5
"""Facility 13 (log audit), severity 5 (notice)."""

VERSION_OF_CEF: Final = 0
SEVERITY: Final = 3
SEVERE: Final = {"login_failed": 6, "login_locked": 8, "erase_driver": 7}
"""On CEF's scale of 0 to 10."""


def as_json(row: Row) -> str:
    """One object: every field, and the chain's digests as hexadecimal text."""
    said = row._asdict() | {
        "at": rfc3339(row.at_us),
        "detail": msgspec.Raw(row.detail.encode()),
        "previous": row.previous.hex(),
        "hash": row.hash.hex(),
    }
    said.pop("at_us")
    return msgspec.json.encode(said).decode()


def as_cef(row: Row, version: str) -> str:
    """ArcSight's Common Event Format."""
    head = "|".join(
        _head(part) for part in ("hanhtrinh", "hanhtrinh", version, row.action, row.action)
    )
    severity = SEVERE.get(row.action, SEVERITY)
    fields = {
        "rt": str(row.at_us // 1000),
        "externalId": str(row.seq),
        "suser": row.actor,
        "shost": row.address,
        "request": row.subject,
        "msg": row.detail,
        "cs1Label": "hash",
        "cs1": row.hash.hex(),
    }
    said = " ".join(f"{name}={_value(value)}" for name, value in fields.items())
    return f"CEF:{VERSION_OF_CEF}|{head}|{severity}|{said}"


def as_syslog(row: Row, message: str, host: str) -> bytes:
    """A message of RFC 5424, without the framing that TCP needs."""
    head = f"<{PRIORITY}>1 {rfc3339(row.at_us)} {host} hanhtrinh - {row.action[:32]} - "
    return head.encode("ascii", "replace") + "\N{BYTE ORDER MARK}".encode() + message.encode()


def _head(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace("|", "\\|")
    return " ".join(plain.splitlines())


def _value(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace("=", "\\=")
    return plain.replace("\r", "\\r").replace("\n", "\\n")
