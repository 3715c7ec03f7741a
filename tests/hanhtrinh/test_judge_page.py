"""The example of the page about judging files does what the page says."""

import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from hanhtrinh.cli import app
from hanhtrinh.offline.lines import SUBJECTS
from hanhtrinh.offline.routes import PROPERTIES as OF_ROUTES
from hanhtrinh.offline.vehicles import VEHICLE_COLUMNS
from hanhtrinh.offline.writing import FORMATS
from hanhtrinh.offline.zones import PROPERTIES as OF_ZONES
from tests.docs.pages import ROOT, text_of

PAGE = text_of(ROOT / "docs" / "judge.md")
RULES = text_of(ROOT / "docs" / "rules.md")


def block(info):
    (found,) = re.findall(rf"^```{info}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    return found


def test_the_example_gives_what_the_page_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert len(files) == 4
    for name, content in files:
        Path(name).write_text(content, "utf-8")
    program, *arguments = shlex.split(block("sh"))
    assert program == "hanhtrinh"
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 0, ran.output
    assert ran.stdout == block("json output")


def test_the_message_shown_is_the_message_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("fixes.csv").write_text(block(r"csv file=fixes\.csv"), "utf-8")
    zones = block(r"json file=zones\.geojson").replace('{"bus": 60, "*": 50}', "500")
    Path("zones.geojson").write_text(zones, "utf-8")
    ran = CliRunner().invoke(app, ["judge", "--fixes", "fixes.csv", "--zones", "zones.geojson"])
    (shown,) = re.findall(r"^    (zones\.geojson: .*)$", PAGE, flags=re.MULTILINE)
    assert " ".join(ran.stderr.split()) == f"hanhtrinh: {shown}"


def test_every_column_property_and_form_is_on_the_page():
    names = {*OF_ZONES, *OF_ROUTES, *VEHICLE_COLUMNS, *FORMATS}
    assert {name for name in names if f"`{name}`" not in PAGE} == set()


def test_subjects_are_named_for_kinds_that_there_are():
    kinds = [kind for kinds in SUBJECTS.values() for kind in kinds]
    assert {kind for kind in kinds if f"`{kind}`" not in RULES} == set()
