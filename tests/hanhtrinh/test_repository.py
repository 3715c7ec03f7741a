"""The repository itself: sizes, names, the lock, and documents that must not fall behind."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer.main

from hanhtrinh.cli import app

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "analytics", "api", "devices", "geofence", "hanhtrinh", "ingest", "mqtt", "simulators",
    "storage",
)  # fmt: skip

MOST_LINES = 600
MOST_MEDIAN = 150
LARGER: dict[str, str] = {
    # "package/module.py": "why it may be longer than MOST_LINES",
}
NOBODYS_NAMES = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py"}


def modules(*folders):
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found
    return found


def lines_of(path):
    return len(path.read_text("utf-8").splitlines())


def named(path):
    return path.relative_to(ROOT).as_posix()


def test_no_file_is_longer_than_a_room_may_be():
    long = {named(path): lines_of(path) for path in modules(*PACKAGES, "tests", "benchmarks")}
    assert {name: n for name, n in long.items() if n > MOST_LINES and name not in LARGER} == {}
    assert [name for name in LARGER if long.get(name, 0) <= MOST_LINES] == []


def test_the_median_file_of_the_product_is_short():
    lengths = sorted(lines_of(path) for path in modules(*PACKAGES))
    assert lengths[len(lengths) // 2] <= MOST_MEDIAN


def test_every_file_is_named_after_what_it_is_about():
    assert [named(p) for p in modules(*PACKAGES, "tests") if p.name in NOBODYS_NAMES] == []


def test_every_module_says_first_what_belongs_there():
    silent = [
        named(path)
        for path in modules(*PACKAGES)
        if not re.match(r'\s*r?"""\S', path.read_text("utf-8"))
    ]
    assert silent == []


def test_every_package_is_typed():
    assert [name for name in PACKAGES if not (ROOT / name / "py.typed").is_file()] == []


@pytest.fixture(scope="module")
def lock():
    return (ROOT / "requirements.lock").read_text("utf-8")


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def names(requirements):
    return {re.split(r"[\[<>=;~! ]", line, maxsplit=1)[0] for line in requirements}


def test_the_lock_holds_names_versions_and_hashes_and_nothing_else(lock):
    pin = r"[a-z0-9][a-z0-9.-]*(\[[a-z,]+\])?==[0-9][0-9a-z.+]*( ; [^\\]+?)?( \\)?"
    line = re.compile(rf"({pin}|    --hash=sha256:[0-9a-f]{{64}}( \\)?)")
    assert [text for text in lock.splitlines() if not line.fullmatch(text)] == []
    assert "://" not in lock
    assert "find-links" not in lock


def test_every_dependency_is_locked(lock, project):
    asked = names(project["dependencies"]) | names(project["optional-dependencies"]["dev"])
    assert asked - names(lock.splitlines()) == set()


def test_every_dependency_has_a_reason(project):
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    asked = names(project["dependencies"]) | names(project["optional-dependencies"]["dev"])
    assert {name for name in asked if f"`{name}`" not in page} == set()


def test_no_tracked_file_is_large():
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.split(b"\0")
    large = [
        name
        for name in tracked
        if name and (ROOT / name.decode()).is_file()
        and (ROOT / name.decode()).stat().st_size > 2_000_000
    ]  # fmt: skip
    assert large == []


def test_every_verb_is_explained_in_the_documents():
    pages = "".join(
        path.read_text("utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    )
    verbs = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert [verb for verb in verbs if f"hanhtrinh {verb}" not in pages] == []


def test_change_lines_are_one_line_each():
    for path in (ROOT / "changes").glob("*.md"):
        assert re.fullmatch(r"\d{4}", path.stem), path.name
        assert len(path.read_text("utf-8").strip().splitlines()) == 1, path.name
