"""People come in, stay for a while, and go out; and nobody else comes in for them."""

import json
import time
from base64 import b32decode
from dataclasses import replace
from itertools import count
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from api.credentials import COOKIE, CSRF_COOKIE
from api.pacing import Buckets
from storage.access import audit, passwords, totp
from tests.api.people import PASSWORD, Browser, make_person
from tests.api.server import LIMITLESS, running
from tests.api.world import do

OPTIONS = replace(LIMITLESS, secret="s" * 32)
NUMBERS = count(1)
ANOTHER = "an entirely different one"


@pytest.fixture(scope="module")
def served(postgres, migrated_template):
    with postgres.new_database(migrated_template) as name:
        dsn = postgres.dsn_of(name)
        with running(dsn, OPTIONS) as (_, base):
            yield dsn, base


@pytest.fixture
def person(served):
    """A person of the test's own, with a browser that is not in yet."""
    dsn, base = served
    username = f"person-{next(NUMBERS)}"
    make_person(dsn, username, "inspector")
    return dsn, Browser(base), username


def actions(dsn: str, username: str) -> list[str]:
    async def look(conn):
        return [r.action async for r in audit.rows(conn) if r.subject == f"person {username}"]

    found: list[str] = do(dsn, look)
    return found


def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(person):
    dsn, browser, name = person
    answer = browser.sign_in(name.upper())
    assert answer.status_code == 200
    said = {one.partition("=")[0]: one for one in answer.headers.get_list("set-cookie")}
    for part in ("HttpOnly", "Secure", "Path=/", "SameSite=strict"):
        assert part in said[COOKIE]
    assert "Domain" not in said[COOKIE]
    assert COOKIE.startswith("__Host-")
    assert "HttpOnly" not in said[CSRF_COOKIE]
    assert browser.cookies[COOKIE] not in answer.text
    assert browser.ask("GET", "/vehicles").status_code == 200
    me = browser.ask("GET", "/session").json()
    assert (me["name"], me["role"], me["must_change_password"]) == (name, "inspector", False)
    assert browser.ask("DELETE", "/session").status_code == 200
    assert not browser.is_in
    assert actions(dsn, name) == ["login", "logout"]


def test_a_session_that_was_ended_opens_nothing_with_its_old_cookie(person):
    _, browser, name = person
    browser.sign_in(name)
    kept = dict(browser.cookies)
    browser.ask("DELETE", "/session")
    browser.cookies = kept
    for path in ("/vehicles", "/session"):
        answer = browser.ask("GET", path)
        assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


@pytest.mark.parametrize(
    "end",
    ["expires_at = now()", "seen_at = now() - interval '31 minutes'", "ended_at = now()"],
)
def test_a_session_ends_with_its_time_and_unused(person, end):
    dsn, browser, name = person
    browser.sign_in(name)
    do(dsn, lambda conn: conn.execute(f"UPDATE sessions SET {end}"))
    assert browser.ask("GET", "/vehicles").status_code == 401


@pytest.mark.parametrize(
    "trick",
    [
        {"csrf": ""},
        {"csrf": "0" * 64},
        {"headers": {"Origin": "https://evil.example"}},
        {"headers": {"Origin": "null"}},
        {"headers": {"Sec-Fetch-Site": "cross-site"}},
        {"headers": {"Sec-Fetch-Site": "same-site"}},
    ],
)
def test_another_site_cannot_make_a_browser_change_anything(person, trick):
    _, browser, name = person
    browser.sign_in(name)
    for method, path, body in (
        ("POST", "/keys", {"name": "x"}),
        ("DELETE", "/session", None),
        ("PUT", "/session/password", {"old": PASSWORD, "new": ANOTHER}),
    ):
        answer = browser.ask(method, path, json=body, **trick)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_refused"), path
    assert browser.ask("GET", "/keys").json()["items"] == []


def test_nobody_is_signed_in_by_another_site(person):
    _, browser, name = person
    answer = browser.ask(
        "POST", "/session", json={"username": name, "password": PASSWORD},
        headers={"Origin": "https://evil.example"},
    )  # fmt: skip
    assert answer.json()["code"] == "csrf_refused"


def test_a_wrong_name_and_a_wrong_password_cannot_be_told_apart(person):
    dsn, browser, name = person
    answers = {}
    for username in (name, "nobody-of-this-name"):
        answer = browser.sign_in(username, "wrong password")
        answers[username] = (answer.status_code, answer.json()["code"], answer.json()["detail"])
    assert len(set(answers.values())) == 1
    assert answers[name][:2] == (401, "login_failed")
    assert actions(dsn, name) == ["login_failed"]
    assert browser.sign_in(name).status_code == 200
    counted = httpx.get(f"{browser.base}/metrics", trust_env=False).text
    for outcome in ("login_failed", "let_in"):
        assert f'hanhtrinh_api_logins_total{{outcome="{outcome}"}}' in counted
    # What nobody is called may be a password, in the wrong field.
    assert "nobody-of-this-name" not in str(do(dsn, _everything))


def test_a_code_that_nobody_asked_for_proves_nothing(person):
    dsn, browser, name = person
    assert browser.sign_in(name, code="000000").status_code == 200
    [row] = [row for row in do(dsn, _everything) if row.subject == f"person {name}"]
    assert json.loads(row.detail) == {"proven_by": "password"}


def test_who_is_not_there_costs_as_much_to_refuse():
    def spent(kept):
        begun = time.process_time()
        assert not passwords.matches(kept, "wrong password")
        return time.process_time() - begun

    kept = passwords.hashed(PASSWORD)
    assert passwords.matches(kept, PASSWORD)
    there, absent = ([spent(which) for _ in range(3)] for which in (kept, None))
    assert min(absent) > min(there) / 3


async def _everything(conn):
    return [row async for row in audit.rows(conn)]


@pytest.mark.parametrize("is_somebody", [True, False])
def test_a_name_is_locked_after_five_wrong_passwords_whoever_has_it(person, is_somebody):
    dsn, browser, name = person
    username = name if is_somebody else "who-is-not-there"
    codes = [browser.sign_in(username, "wrong password").json()["code"] for _ in range(5)]
    assert codes == ["login_failed"] * 5
    answer = browser.sign_in(username)
    assert (answer.status_code, answer.json()["code"]) == (429, "login_locked")
    assert 1 <= int(answer.headers["retry-after"]) <= 61
    do(dsn, lambda conn: conn.execute("UPDATE login_failures SET locked_until = now()"))
    assert browser.sign_in(username).status_code == (200 if is_somebody else 401)


def test_a_first_password_opens_nothing_but_its_change(served):
    dsn, base = served
    make_person(dsn, "first", "inspector", must_change=True)
    browser = Browser(base)
    assert browser.sign_in("first").status_code == 200
    refused = browser.ask("GET", "/vehicles")
    assert (refused.status_code, refused.json()["code"]) == (403, "password_change_needed")
    change = {"old": PASSWORD, "new": ANOTHER}
    assert browser.ask("PUT", "/session/password", json=change).status_code == 200
    assert browser.ask("GET", "/vehicles").status_code == 200
    assert Browser(base).sign_in("first").json()["code"] == "login_failed"
    assert Browser(base).sign_in("first", ANOTHER).status_code == 200


def test_a_changed_password_ends_other_sessions_and_does_not_come_back(person):
    _, browser, name = person
    other = Browser(browser.base)
    assert other.sign_in(name).status_code == browser.sign_in(name).status_code == 200

    def change(old: str, new: str) -> str:
        answer = browser.ask("PUT", "/session/password", json={"old": old, "new": new})
        return "done" if answer.is_success else str(answer.json()["code"])

    assert change(PASSWORD, "short") == "password_refused"
    assert change(PASSWORD, f"{name} and more") == "password_refused"
    assert change(PASSWORD, "a" * 40) == "password_refused"
    assert change(PASSWORD, PASSWORD) == "password_refused"
    assert change("wrong password", ANOTHER) == "login_failed"


@pytest.mark.parametrize(
    ("method", "path", "wrong"),
    [
        ("PUT", "/session/password", {"old": "wrong", "new": ANOTHER}),
        ("PUT", "/session/factor", {"code": "000000"}),
        ("POST", "/session/factor/removal", {"password": "wrong"}),
    ],
)
def test_who_is_in_does_not_guess_either(person, method, path, wrong):
    _, browser, name = person
    browser.sign_in(name)
    answers = [browser.ask(method, path, json=wrong) for _ in range(6)]
    codes = [answer.json()["code"] for answer in answers]
    assert codes == ["login_failed"] * 5 + ["login_locked"]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 61


def test_a_second_factor_is_asked_for_once_it_is_proven_and_each_code_works_once(person):
    dsn, browser, name = person
    browser.sign_in(name)
    uri = browser.ask("POST", "/session/factor").json()["uri"]
    secret = b32decode(parse_qs(urlsplit(uri).query)["secret"][0])
    step = int(time.time() // 30)
    assert Browser(browser.base).sign_in(name).status_code == 200  # not proven yet
    wrong = {"code": totp.code_at(secret, step - 1000)}
    assert browser.ask("PUT", "/session/factor", json=wrong).status_code == 401
    right = {"code": totp.code_at(secret, int(time.time() // 30) - 1)}
    assert browser.ask("PUT", "/session/factor", json=right).status_code == 200

    again = Browser(browser.base)
    assert again.sign_in(name).json()["code"] == "second_factor_needed"
    assert again.sign_in(name, code=right["code"]).json()["code"] == "login_failed"  # was used
    assert again.sign_in(name, "wrong", code="123456").json()["code"] == "login_failed"
    now = totp.code_at(secret, int(time.time() // 30))
    assert again.sign_in(name, code=now).status_code == 200
    # The database alone does not know the secret.
    stored = do(
        dsn, lambda conn: _fetch(conn, "SELECT factor FROM people WHERE factor IS NOT NULL")
    )
    assert all(secret not in bytes(row[0]) for row in stored)


def test_the_second_factor_is_ended_by_its_person_with_the_password_or_by_an_administrator(person):
    dsn, browser, name = person

    def set_up():
        uri = browser.ask("POST", "/session/factor").json()["uri"]
        secret = b32decode(parse_qs(urlsplit(uri).query)["secret"][0])
        code = {"code": totp.code_at(secret, int(time.time() // 30))}
        assert browser.ask("PUT", "/session/factor", json=code).status_code == 200
        assert Browser(browser.base).sign_in(name).json()["code"] == "second_factor_needed"

    def end(password, **more):
        body = {"password": password}
        answer = browser.ask("POST", "/session/factor/removal", json=body, **more)
        return answer.status_code, answer.json().get("code")

    other = Browser(browser.base)
    for one in (browser, other):
        one.sign_in(name)
    assert end(PASSWORD) == (409, "not_set_up")
    set_up()
    assert end("wrong") == (401, "login_failed")
    assert end(PASSWORD, csrf="") == (403, "csrf_refused")
    assert other.ask("GET", "/vehicles").status_code == 200
    assert end(PASSWORD) == (200, None)
    assert (browser.ask("GET", "/vehicles").status_code, other.is_in) == (200, True)
    assert other.ask("GET", "/vehicles").status_code == 401
    assert other.sign_in(name).status_code == 200

    # Who has lost the phone asks an administrator; that one's own is a matter of a password.
    set_up()
    boss = Browser(browser.base)
    make_person(dsn, f"boss-of-{name}", "administrator")
    boss.sign_in(f"boss-of-{name}")
    assert other.ask("DELETE", f"/people/{name}/factor").status_code == 403
    own = boss.ask("DELETE", f"/people/boss-of-{name}/factor")
    assert (own.status_code, own.json()["code"]) == (403, "other_person_needed")
    assert boss.ask("DELETE", "/people/nobody/factor").json()["code"] == "person_not_found"
    [shown] = boss.ask("DELETE", f"/people/{name}/factor").json()["items"]
    assert not shown["has_second_factor"]
    assert [one.ask("GET", "/vehicles").status_code for one in (browser, other)] == [401, 401]
    assert browser.sign_in(name).status_code == 200
    assert [one for one in actions(dsn, name) if one == "end_factor"] == ["end_factor"]
    query = f"SELECT action, detail FROM audit WHERE subject = '/people/{name}/factor'"
    ended = do(dsn, lambda conn: _fetch(conn, query))
    assert ended == [("revoke_factor", '{"ended":true}')]


def test_a_change_keeps_a_session_alive_as_a_read_does(person):
    dsn, browser, name = person
    browser.sign_in(name)
    for method, path, body in (("GET", "/keys", None), ("POST", "/keys", {"name": "screen"})):
        age = "UPDATE sessions SET seen_at = now() - interval '20 minutes' WHERE ended_at IS NULL"
        do(dsn, lambda conn, age=age: conn.execute(age))
        assert browser.ask(method, path, json=body).is_success
        query = "SELECT seen_at > now() - interval '1 minute' FROM sessions WHERE ended_at IS NULL"
        assert (True,) in do(dsn, lambda conn, query=query: _fetch(conn, query)), method


@pytest.fixture
def boss(served):
    """An administrator's browser."""
    dsn, base = served
    username = f"boss-{next(NUMBERS)}"
    make_person(dsn, username, "administrator")
    browser = Browser(base)
    assert browser.sign_in(username).status_code == 200
    return browser


def test_somebody_who_cannot_be_let_in_is_refused_with_the_field_at_fault(served, boss):
    dsn, _ = served
    new = {"username": "reacher", "role": "inspector"}
    assert boss.ask("POST", "/people", json=new).status_code == 201
    last = do(dsn, _everything)[-1]
    assert (last.action, last.subject) == ("make_person", "/people/reacher")
    assert json.loads(last.detail) == {"role": "inspector"}
    answer = boss.ask("POST", "/people", json=new)
    assert (answer.status_code, answer.json()["code"]) == (409, "code_taken")
    for change, location in (
        ({"username": "Capital"}, "username"),
        ({"username": "x\0y"}, "username"),
        ({"role": "king"}, "role"),
        ({"username": "no-operator", "role": "operator"}, "role"),
        ({"username": "too-far", "role": "administrator", "province": "Hue"}, "role"),
        ({"username": "whose", "role": "operator", "operator": "nobody"}, "operator"),
        ({"username": "whose", "role": "provider", "provider": "nobody"}, "provider"),
    ):
        answer = boss.ask("POST", "/people", json=new | change)
        assert answer.status_code == 422, answer.text
        assert [flaw["location"] for flaw in answer.json()["errors"]] == [f"body.{location}"]


def test_who_comes_in_by_the_identity_provider_gets_no_password(boss):
    said = {"username": "by-provider", "role": "reader", "identity_provider": True}
    assert boss.ask("POST", "/people", json=said).json()["first_password"] is None
    made = boss.ask("POST", "/people", json={"username": "by-password", "role": "reader"}).json()
    browser = Browser(boss.base)
    assert browser.sign_in("by-password", made["first_password"]).status_code == 200
    assert browser.ask("GET", "/vehicles").json()["code"] == "password_change_needed"


def test_a_name_that_nobody_can_have_is_refused_as_a_value(served):
    answer = Browser(served[1]).sign_in("a\0b")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def _fetch(conn, query):
    return await (await conn.execute(query)).fetchall()


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_are_those_of_the_standard(seconds, code):
    # RFC 6238, appendix B, the last six of its eight digits.
    assert totp.code_at(b"12345678901234567890", seconds // 30) == code
    assert totp.step_of(b"12345678901234567890", code, seconds + 29) == seconds // 30
    assert totp.step_of(b"12345678901234567890", code, seconds + 90) is None


def test_a_persons_key_can_do_no_more_than_was_asked_for_and_makes_no_other(person):
    dsn, browser, name = person
    browser.sign_in(name)
    refused = browser.ask("POST", "/keys", json={"name": "x", "scopes": ["people"]})
    assert refused.status_code == 422
    made = browser.ask("POST", "/keys", json={"name": "screen", "scopes": ["read"], "days": 2})
    assert made.status_code == 201
    base = browser.base
    with httpx.Client(
        base_url=f"{base}/api/v1", headers={"Authorization": f"Bearer {made.json()['key']}"}
    ) as program:
        assert program.get("/vehicles").status_code == 200
        assert program.get("/devices").status_code == 403
        assert program.post("/keys", json={"name": "y"}).status_code == 403
        assert [key["person"] for key in browser.ask("GET", "/keys").json()["items"]] == [name]
        number = made.json()["id"]
        assert browser.ask("DELETE", f"/keys/{number}").status_code == 200
        assert program.get("/vehicles").status_code == 401
    said = [
        (row.action, row.subject, json.loads(row.detail))
        for row in do(dsn, _everything)
        if row.actor == f"person {name}" and row.subject.startswith("/keys")
    ]
    assert said == [
        ("make_key", "/keys", {"key": number, "scopes": ["read"], "days": 2}),
        ("revoke_key", f"/keys/{number}", {}),
    ]


def test_too_many_requests_of_one_key_or_address_are_told_when_to_come_again(served):
    dsn, _ = served
    make_person(dsn, "hasty", "inspector")
    with running(dsn, OPTIONS) as (app, base):
        pacing = app.state.pacing
        browser = Browser(base)
        pacing.logins = Buckets(1e-6, 1)
        assert browser.sign_in("hasty").status_code == 200
        assert browser.sign_in("hasty").status_code == 429
        pacing.callers = Buckets(1e-6, 2)
        codes = [browser.ask("GET", "/vehicles").status_code for _ in range(4)]
        assert codes == [200, 200, 429, 429]
        pacing.addresses = Buckets(1e-6, 1)
        assert httpx.get(f"{base}/health").status_code == 200
        answer = httpx.get(f"{base}/health")
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["x-content-type-options"] == "nosniff"
