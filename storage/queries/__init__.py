"""Every SQL statement of the storage, in files beside this one, read by name.

A file is a list of blocks. Each begins with `-- name: NAME`, then a comment with its purpose.
No text is ever pasted into a statement: values travel as parameters, and where two tables of one
form share a statement, their names as `psycopg.sql` quotes them.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

_HEADING: Final = re.compile(rb"^-- name: (\w+)\n", re.MULTILINE)


@cache
def queries(area: str) -> Mapping[str, bytes]:
    """The statements of `AREA.sql` by name. Bytes, because psycopg takes no computed str."""
    parts = _HEADING.split((Path(__file__).parent / f"{area}.sql").read_bytes())
    names = [name.decode() for name in parts[1::2]]
    found = dict(zip(names, (text.strip() for text in parts[2::2]), strict=True))
    if len(found) != len(names):
        raise ValueError(f"{area}.sql: expected names to be unique, got {names}")
    return MappingProxyType(found)
