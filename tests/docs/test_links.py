"""Links between documents lead somewhere, and paths that documents name exist."""

import re

import pytest

from tests.docs.pages import PAGES, README, ROOT, anchors, name_of, prose_of

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:\.\./)?[\w.-]+/[\w./*{}-]*)`")
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"web"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page):
    broken = []
    for link in LINK.findall(prose_of(page)):
        if link.startswith(("http://", "https://")):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_that_a_page_names_exists(page):
    named = [path for path in PATH.findall(prose_of(page)) if path.split("/")[0] in FOLDERS]
    assert [
        path for path in named if not any(ROOT.glob(path.rstrip("/").replace("NNNN", "*")))
    ] == []


def test_every_page_is_linked_from_the_index_or_from_the_page_of_its_folder():
    index = ROOT / "docs" / "README.md"
    linked = {
        (page.parent / link).resolve()
        for page in (index, ROOT / "docs" / "codecs.md")
        for link in LINK.findall(prose_of(page))
    }
    pages = {page.resolve() for page in PAGES} - {index.resolve()}
    assert {name_of(page) for page in pages - linked} == {"CHANGELOG.md"}


def test_the_index_is_linked_from_the_readme():
    assert "docs/README.md" in LINK.findall(prose_of(README))
