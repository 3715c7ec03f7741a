import re
from pathlib import Path

import pytest

from storage.queries import queries

ROOT = Path(__file__).parents[2]


def test_every_table_is_documented():
    files = (ROOT / "storage/migrations/sql").glob("*.sql")
    schema = "".join(file.read_text(encoding="utf-8") for file in sorted(files))
    page = (ROOT / "docs/storage.md").read_text(encoding="utf-8")
    tables = re.findall(r"^CREATE TABLE (\w+)", schema, re.MULTILINE)
    assert len(tables) > 20
    assert [table for table in tables if f"`{table}`" not in page] == []


@pytest.mark.parametrize(
    "file", sorted((ROOT / "storage/queries").glob("*.sql")), ids=lambda f: f.stem
)
def test_every_statement_says_what_it_is_for(file):
    for name, statement in queries(file.stem).items():
        assert statement.startswith(b"-- "), name
