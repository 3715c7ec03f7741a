"""Settings for people: values with secrets masked, and the table of docs/settings.md.

`python -m hanhtrinh.settings.showing` prints that table.
"""

import re
from typing import Any, Final

from pydantic import SecretStr

from hanhtrinh.settings.model import Settings
from hanhtrinh.settings.rows import Row, rows

MASK: Final = "***"
URLS: Final = frozenset({"database.dsn", "bridge.amqp_url"})
"""Secrets of which only the password is."""

_PASSWORD: Final = re.compile(r"(?<=password=)('(?:[^'\\]|\\.)*'|[^\s&]+)")
"""In a keyword string, and among the parameters of a URL."""


def shown(row: Row, settings: Settings) -> str:
    """The value of a setting as one line, without what must stay secret."""
    value = row.value_in(settings)
    if isinstance(value, SecretStr):
        return masked_dsn(value.get_secret_value()) if row.name in URLS else MASK
    return text(value)


def masked_dsn(dsn: str) -> str:
    """A connection string with its password masked, wherever it stands."""
    scheme, found, rest = dsn.partition("://")
    user, at, host = rest.rpartition("@")
    name, colon, _ = user.partition(":")
    if found and at and colon:
        dsn = f"{scheme}://{name}:{MASK}@{host}"
    return _PASSWORD.sub(MASK, dsn)


def text(value: Any) -> str:
    """A value as one would write it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, (list, tuple)):
        return ", ".join(map(text, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} = {item!r}" for key, item in value.items())
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def table() -> str:
    """The table of all settings, in Markdown."""
    lines = [
        "| setting | variable | type | default | unit | what it is |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{row.name}` | `{row.variable}` | {row.kind} | `{text(row.default)}` | {row.unit} "
        f"| {row.about} |"
        for row in rows()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")  # noqa: T201
