"""What there is has its place in the documents.

Codecs, settings, tables, verbs and dependencies are looked for by the tests of their packages.
"""

import re

import pytest

from api.problems import CODES
from devices.batch import Quality
from hanhtrinh.settings import rows
from simulators.truth import KINDS, WARNINGS
from tests.api.server import document
from tests.docs.pages import README, ROOT, text_of

RULES = text_of(ROOT / "docs" / "rules.md")
API = text_of(ROOT / "docs" / "api.md")
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/py.typed"))
ROUTES = [
    (method.upper(), path.removeprefix("/api/v1"))
    for path, operations in document()["paths"].items()
    for method in operations
]


def test_there_is_something_to_look_for():
    assert len(PACKAGES) == 9
    assert len(ROUTES) > 15


def test_every_kind_of_the_rules_is_planned_by_the_simulator():
    assert set(KINDS) == kinds_of_the_rules()


def kinds_of_the_rules():
    """Those that the headings of the rules name, less facts, and the warnings."""
    headings = [line for line in RULES.splitlines() if line.startswith("## ")]
    named = {kind for line in headings for kind in re.findall(r"`([a-z_]+)`", line)}
    return {*named, *WARNINGS} - {*FACTS}


FACTS = ["zone_visit", "driving", "route_trip"]


@pytest.mark.parametrize("kind", [*sorted({*KINDS} - {*WARNINGS}), *FACTS])
def test_every_kind_of_interval_has_a_heading_in_the_rules(kind):
    headings = [line for line in RULES.splitlines() if line.startswith("## ")]
    assert [line for line in headings if f"`{kind}`" in line]


@pytest.mark.parametrize("bit", [bit.name.lower() for bit in Quality if bit.name])
def test_every_quality_bit_is_explained_in_the_rules(bit):
    _, _, section = RULES.partition("## 9. Quality bits")
    assert re.search(rf"^(\| )?`{bit}`", section, flags=re.MULTILINE)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_of_the_api_has_a_row_in_its_page(method, path):
    """Rows name paths by their shape; a row may hold several methods and paths."""
    table = [line for line in API.splitlines() if line.startswith("| `")]
    cells = [line.split("|")[1] for line in table]
    shape = re.sub(r"{\w+}", "{}", path)
    parts = [part for cell in cells for part in cell.split(";")]
    found = [
        part
        for part in parts
        if shape in re.findall(r"(/[\w{}/-]*)", re.sub(r"{\w+}", "{}", part))
        and f"`{method}" in part.replace(f"{method} ", f"{method}`")
    ]
    assert found


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_problem_has_a_row_in_the_page_of_the_api(code):
    assert re.search(rf"^\| `{code}` \|", API, flags=re.MULTILINE)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_what_belongs_there(package):
    said = text_of(ROOT / package / "__init__.py")
    assert re.search(r'"""[^"]*Belongs here:', said)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_on_the_maps(package):
    for page in (README, ROOT / "docs" / "architecture.md"):
        assert re.search(rf"^\|[^\n]*`{package}/`", text_of(page), flags=re.MULTILINE), page


def test_the_readme_is_short_and_its_settings_are_true():
    text = text_of(README)
    assert len(text.splitlines()) <= 120
    known = {row.name: row for row in rows()}
    table = re.findall(r"^\| (`[a-z_]+\.[^|]+) \| ([^|]+) \|", text, flags=re.MULTILINE)
    assert len(table) >= 5
    for names, defaults in table:
        pairs = zip(
            re.findall(r"`([^`]+)`", names), re.findall(r"`([^`]+)`", defaults), strict=True
        )
        for name, default in pairs:
            value = known[name].default
            assert default == ", ".join(value) if isinstance(value, tuple) else str(value)
