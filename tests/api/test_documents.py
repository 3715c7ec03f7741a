"""The page that shows the OpenAPI document, as a browser meets it."""

from hashlib import sha256
from html.parser import HTMLParser

import httpx
import pytest

pytestmark = pytest.mark.integration

# Of swagger-ui-dist 5.32.6 on npm (docs/dependencies.md).
FILES = {
    "swagger-ui-bundle.js": (
        "text/javascript; charset=utf-8",
        "4b5a9b35a1adf37f00d39c0bae23cdb37007e2946240ef035137cc85b4d55349",
    ),
    "swagger-ui.css": (
        "text/css; charset=utf-8",
        "ca238f7d7c2cf4480c1e77a9c3b9da915ab216e96ffd354e69076560c650c6de",
    ),
}


class Page(HTMLParser):
    """What a page has a browser load and run."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.loaded: dict[str, str | None] = {}  # nonces by address
        self.inline: list[str | None] = []  # nonces
        self.feed(answer.text)
        self.policy = dict(
            one.strip().split(" ", 1)
            for one in answer.headers["content-security-policy"].split(";")
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        address = given.get("src") or given.get("href")
        assert not any(name.startswith("on") or name == "style" for name in given)
        if address is not None and not address.startswith("data:"):
            self.loaded[address] = given.get("nonce")
        elif tag in {"script", "style"}:
            self.inline.append(given.get("nonce"))


@pytest.fixture(scope="module")
def base(api):
    return httpx.URL(f"{api.nobody.http.base_url}/api/v1/".replace("//api", "/api"))


@pytest.fixture
def page(base):
    answer = httpx.get(base.join("docs"))
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Page(answer)


def test_all_that_the_page_loads_comes_from_the_api_itself(base, page):
    assert {address.removeprefix("docs/") for address in page.loaded} == set(FILES)
    for address in page.loaded:
        at = base.join("docs").join(address)
        assert at.host == base.host
        answer = httpx.get(at)
        kind, digest = FILES[at.path.rpartition("/")[2]]
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        assert sha256(answer.content).hexdigest() == digest
        assert answer.headers["cache-control"] == "public, max-age=3600"
    assert httpx.get(base.join("docs").join("openapi.json")).status_code == 200


def test_the_policy_lets_the_pages_own_tags_run_and_nothing_else(base, page):
    [nonce] = set(page.loaded.values()) | set(page.inline)
    assert nonce is not None
    assert page.policy == {
        "default-src": "'none'", "script-src": f"'nonce-{nonce}'",
        "style-src": f"'nonce-{nonce}'", "img-src": "data:", "connect-src": "'self'",
        "form-action": "'none'", "frame-ancestors": "'none'", "base-uri": "'none'",
    }  # fmt: skip
    # Whoever has seen one page cannot write a tag for another.
    assert nonce not in httpx.get(base.join("docs")).text


@pytest.mark.parametrize(
    "other", ["redoc.standalone.js", "favicon.png", "..%2fcore.py", "oauth2-redirect"]
)
def test_nothing_else_of_the_package_is_handed_out(base, other):
    assert httpx.get(base.join(f"docs/{other}")).status_code == 404
