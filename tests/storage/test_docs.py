import re
from pathlib import Path

import pytest

from storage.queries import queries
from storage.reading.blocks import load_blocks

ROOT = Path(__file__).parents[2]


def test_every_table_is_documented():
    files = sorted((ROOT / "storage/migrations/sql").glob("*.sql"))
    schema = "\n".join(file.read_text(encoding="utf-8") for file in files)
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


def test_no_statement_is_there_that_nobody_runs():
    """By its name, or by one that is put together: `SQL[f"hold_{noun}"]`."""
    folders = ("storage", "api", "ingest", "hanhtrinh")
    source = "\n".join(
        file.read_text(encoding="utf-8") for one in folders for file in (ROOT / one).rglob("*.py")
    )
    whole = set(re.findall(r'"(\w+)"', source))
    parts = re.findall(r'SQL(?:\[\w+\])?\[f"([^"]+)"\]', source)
    made = re.compile("|".join(re.sub(r"\{[^}]+\}", r"[a-z_]+", part) for part in parts))
    kept = {file.stem: queries(file.stem) for file in (ROOT / "storage/queries").glob("*.sql")}
    shown = {file.name: load_blocks(file.name) for file in (ROOT / "storage/reading").glob("*.sql")}
    assert len(parts) > 5
    for file, statements in (kept | shown).items():
        idle = [name for name in statements if name not in whole and not made.fullmatch(name)]
        assert idle == [], file
