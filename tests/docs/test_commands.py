"""Commands that the documents show exist, with the options that they are shown with."""

import re
import shlex

import pytest
import typer.main

from hanhtrinh.cli import app
from tests.docs.pages import PAGES, ROOT, name_of, text_of

PROGRAM = typer.main.get_command(app)
SHOWN = [
    pytest.param(line, id=f"{name_of(page)}: {line[:60]}")
    for page in PAGES
    for line in re.findall(
        r"^(?:    |\t)?(hanhtrinh [a-z].*)$",
        re.sub(r"\\\n\s*", "", text_of(page)),
        flags=re.MULTILINE,
    )
    if not re.search(r"[a-z]\.$|\bare\b|\bis\b", line)
]


def test_the_documents_show_commands():
    assert len(SHOWN) >= 8


@pytest.mark.parametrize("line", SHOWN)
def test_a_command_of_the_documents_exists(line):
    words = shlex.split(line, comments=True)[1:]
    command = PROGRAM
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
    assert command is not PROGRAM, line
    known = {option for parameter in command.params for option in parameter.opts}
    asked = {word.split("=")[0] for word in words if re.match(r"--[a-z]", word)}
    assert asked - known == set()


def test_every_command_has_a_row_in_the_table_of_all_commands():
    _, _, section = text_of(ROOT / "docs" / "operations.md").partition("## All commands")
    rows = "".join(re.findall(r"^\|.*", section.partition("## ")[0], flags=re.MULTILINE))
    named = set(re.findall(r"`hanhtrinh ([a-z-]+)", rows))
    assert {*PROGRAM.commands} - named == set()  # type: ignore[attr-defined]
