"""Logins as files for brokers that ask nobody: Mosquitto, and EMQX's built-in database.

Sources of the formats: mosquitto_passwd(1) and mosquitto.conf(5) of Mosquitto 2; EMQX 5,
"Import users" and "ACL file". A file holds one secret for a name: the newest.
"""

import csv
import os
import tempfile
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Literal

from ingest.identity.access import Access, access_of
from storage.credentials import Checkable

Broker = Literal["mosquitto", "emqx"]


@dataclass(frozen=True, slots=True)
class Parts:
    """Lines for our own parts, which are no devices: taken over as they are."""

    passwords: Sequence[str]
    access: Sequence[str]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. `left_out`: names whose secrets the broker cannot check."""

    files: tuple[Path, ...]
    logins: int
    left_out: tuple[str, ...]


def export(
    broker: Broker,
    logins: Sequence[Checkable],
    folder: Path,
    patterns: Mapping[str, str],
    parts: Parts = Parts((), ()),
) -> Exported:
    """Write a broker's files, each whole or not at all, readable by their owner's group only."""
    folder.mkdir(parents=True, exist_ok=True)
    left_out: tuple[str, ...] = ()
    if broker == "mosquitto":
        texts = {
            "passwords": "".join(f"{line}\n" for line in _mosquitto_passwords(logins, parts)),
            "acl": "".join(f"{line}\n" for line in _mosquitto_access(logins, patterns, parts)),
        }
    else:
        # Its built-in database takes one number of iterations for all: that of our own secrets.
        left_out = tuple(login.ident for login in logins if login.kept.is_slow)
        logins = [login for login in logins if not login.kept.is_slow]
        texts = {
            "users.csv": _emqx_users(logins),
            "acl.conf": "".join(f"{line}\n" for line in _emqx_access(logins, patterns, parts)),
        }
    files = tuple(_written(folder / name, text) for name, text in texts.items())
    return Exported(files, len(logins), left_out)


def _mosquitto_passwords(logins: Iterable[Checkable], parts: Parts) -> Iterator[str]:
    yield from parts.passwords
    for login in logins:
        kept = login.kept
        salt = b64encode(kept.salt.encode("ascii")).decode("ascii")
        digest = b64encode(kept.digest).decode("ascii")
        yield f"{login.ident}:$7${kept.iterations}${salt}${digest}"


def _mosquitto_access(
    logins: Iterable[Checkable], patterns: Mapping[str, str], parts: Parts
) -> Iterator[str]:
    """Each name's topics by themselves: no pattern with %u says what a name of two levels may."""
    yield "# Written by `hanhtrinh devices export`. Who is not named here may do nothing."
    yield from parts.access
    for login in logins:
        access = access_of(login.ident, login.kind, patterns)
        yield f"user {login.ident}"
        yield from (f"topic deny {topic}" for topic in access.publish_never)
        yield from (f"topic write {topic}" for topic in access.publish)
        yield from (f"topic read {topic}" for topic in access.subscribe)


def _emqx_users(logins: Iterable[Checkable]) -> str:
    text = StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("user_id", "password_hash", "salt", "is_superuser"))
    for login in logins:
        rows.writerow((login.ident, login.kept.digest.hex(), login.kept.salt, "false"))
    return text.getvalue()


def _emqx_access(
    logins: Iterable[Checkable], patterns: Mapping[str, str], parts: Parts
) -> Iterator[str]:
    yield "%% Written by `hanhtrinh devices export`. Who is not named here may do nothing."
    yield from parts.access
    for login in logins:
        access = access_of(login.ident, login.kind, patterns)
        yield from _emqx_rules(login.ident, access)
    yield "{deny, all}."


def _emqx_rules(ident: str, access: Access) -> Iterator[str]:
    for verb, what, topics in (
        ("deny", "publish", access.publish_never),
        ("allow", "publish", access.publish),
        ("allow", "subscribe", access.subscribe),
    ):
        if topics:
            listed = ", ".join(f'"{topic}"' for topic in topics)
            yield f'{{{verb}, {{user, "{ident}"}}, {what}, [{listed}]}}.'


def _written(file: Path, text: str) -> Path:
    """Replace a file; a broker that reads it meanwhile sees the old or the new one."""
    try:
        before = file.stat()
        mode, owner = before.st_mode & 0o777, (before.st_uid, before.st_gid)
    except FileNotFoundError:
        mode, owner = 0o640, (os.geteuid(), file.parent.stat().st_gid)
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        os.fchmod(descriptor, mode)
        if os.geteuid() == 0:
            os.fchown(descriptor, *owner)
        stream.write(text)
    Path(temporary).replace(file)
    return file
