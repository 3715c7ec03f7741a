"""People come in by an OpenID Connect provider, which is a process of its own here."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from api.identity_provider import CALLBACK
from api.options import IdentityProvider
from hanhtrinh.embedded.ports import free_port
from storage.access import audit, people
from tests.api.people import Browser
from tests.api.server import LIMITLESS, running
from tests.api.world import do

DEADLINE_S = 120


@pytest.fixture(scope="module")
def issuer():
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "-p", str(port), "--require-nonce", "true"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "NO_COLOR": "1"},
    ) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + DEADLINE_S
            while not _answers(address):
                assert process.poll() is None
                assert time.monotonic() < deadline
            yield address
        finally:
            process.terminate()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/.well-known/openid-configuration").is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def served(postgres, migrated_template, issuer):
    options = replace(
        LIMITLESS,
        secret="s" * 32,
        identity_provider=IdentityProvider(
            issuer=httpx.get(f"{issuer}/.well-known/openid-configuration").json()["issuer"],
            client_id="hanhtrinh", client_secret="between us", public_url="https://vehicles.example",
            username_claim="email",
        ),
    )  # fmt: skip
    with postgres.new_database(migrated_template) as name:
        dsn = postgres.dsn_of(name)

        async def work(conn):
            await people.create(conn, people.NewPerson("an@example.vn", "reader"), None)

        do(dsn, work)
        with running(dsn, options) as (_, base):
            yield dsn, base


def go_there(browser: Browser, subject: str) -> str:
    """To the provider, in there as somebody, and the way back: path and query."""
    answer = browser.ask("GET", "/session/identity-provider")
    assert answer.status_code == 303
    back = httpx.post(answer.headers["location"], data={"sub": subject}).headers["location"]
    assert back.startswith(f"https://vehicles.example{CALLBACK}?")
    return CALLBACK.removeprefix("/api/v1") + "?" + urlsplit(back).query


def test_somebody_who_was_let_in_comes_in_and_is_known_again(served):
    dsn, base = served
    for _ in range(2):
        browser = Browser(base)
        answer = browser.ask("GET", go_there(browser, "an@example.vn"))
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "https://vehicles.example/",
        )
        assert browser.ask("GET", "/session").json()["name"] == "an@example.vn"
        assert browser.ask("GET", "/vehicles").status_code == 200
    [person] = do(dsn, people.people)
    assert person.has_identity_provider
    # No password opens what has none.
    assert Browser(base).sign_in("an@example.vn", "").status_code == 422
    assert Browser(base).sign_in("an@example.vn", "x").status_code == 401


def test_nobody_else_comes_in_whoever_the_provider_knows(served):
    dsn, base = served
    browser = Browser(base)
    answer = browser.ask("GET", go_there(browser, "stranger@example.vn"))
    assert answer.json()["code"] == "login_failed"
    assert not browser.is_in
    last = do(dsn, _audited)[-1]
    assert (last.actor, last.action, last.subject) == ("nobody", "login_failed", "nobody")
    said = json.loads(last.detail)
    assert said["proven_by"] == "identity_provider"
    assert said["identity"].endswith("|stranger@example.vn")


async def _audited(conn):
    return [row async for row in audit.rows(conn)]


def test_a_way_back_that_was_not_begun_here_or_is_over_leads_nowhere(served):
    dsn, base = served
    before = len(do(dsn, _audited))
    browser, other = Browser(base), Browser(base)
    back = go_there(browser, "an@example.vn")
    other.ask("GET", "/session/identity-provider")  # has a cookie, of another journey
    for who, path in (
        (Browser(base), back),
        (other, back),
        (browser, back.replace("state=", "state=x")),
        (browser, back.replace("code=", "code=x")),
        (browser, CALLBACK.removeprefix("/api/v1")),
    ):
        answer = who.ask("GET", path)
        assert (answer.status_code, answer.json()["code"]) == (401, "login_failed")
        assert not who.is_in
    assert [row.action for row in do(dsn, _audited)[before:]] == ["login_failed"] * 5
    counted = httpx.get(f"{base}/metrics", trust_env=False).text
    assert 'hanhtrinh_api_logins_total{outcome="login_failed"}' in counted
    assert browser.ask("GET", back).status_code == 303
    assert browser.ask("GET", back).status_code == 401  # a code is good for once


def test_the_way_there_carries_what_protects_it(served):
    _, base = served
    answer = Browser(base).ask("GET", "/session/identity-provider")
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    assert all(len(asked[name][0]) >= 32 for name in ("state", "nonce", "code_challenge"))
    cookie = answer.headers["set-cookie"]
    for part in ("__Host-", "HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert asked["nonce"][0] not in cookie


def test_without_a_provider_there_is_no_such_way(api):
    answer = httpx.get(f"{api.nobody.http.base_url}/api/v1/session/identity-provider")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_set_up")
