"""The first administrator, from an empty database to a session over TLS; what no log may hold."""

import json
import re

import httpx
import pytest
from psycopg.conninfo import make_conninfo

from api.credentials import COOKIE, CSRF_COOKIE, CSRF_HEADER
from tests.authority import Authority
from tests.hanhtrinh.command import hanhtrinh, running
from tests.hanhtrinh.waiting import wait_until

pytestmark = pytest.mark.integration
PASSWORD = "quite a sentence, this one"


@pytest.fixture
def settings(empty_database, tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("127.0.0.1")
    login = make_conninfo(empty_database, user="hanhtrinh_web_test", password="p4ss-of-the-login")
    return {
        "HANHTRINH_DATABASE__DSN": empty_database,
        "HANHTRINH_API__DSN": login,
        "HANHTRINH_API__PORT": "0",
        "HANHTRINH_API__SECRET": "the-secret-that-seals-everything-else",
        "HANHTRINH_API__TLS_CERT": str(certificate),
        "HANHTRINH_API__TLS_KEY": str(key),
        "HANHTRINH_LOG__LEVEL": "debug",
    }, str(authority.ca)


def address_in(log):
    """The API's address, once it has said so."""
    events = [json.loads(line) for line in log.read_text().splitlines()]
    return next((event["url"] for event in events if event["event"] == "api.listening"), None)


def test_an_administrator_comes_in_over_tls_and_nothing_secret_is_ever_written(settings, tmp_path):
    settings, ca = settings
    assert hanhtrinh("migrate", settings=settings).returncode == 0
    made = hanhtrinh("users", "create", "an", "--role", "administrator", settings=settings)
    assert made.returncode == 0, made.stderr
    first = made.data["password"]
    key = hanhtrinh("keys", "create", "--name", "k", settings=settings).stdout.strip()
    secrets = [first, PASSWORD, key, *settings["HANHTRINH_API__DSN"].split("password=")[1:]]
    secrets.append(settings["HANHTRINH_API__SECRET"])
    log = tmp_path / "api.log"
    with running("api", settings=settings, log=log):
        wait_until(lambda: address_in(log) is not None, "the API listens")
        address = address_in(log)
        assert address.startswith("https://")
        with httpx.Client(base_url=address, verify=_trusting(ca), timeout=60) as http:
            said = [http.post("/session", json={"username": "an", "password": "wrong " + PASSWORD})]
            came = http.post("/session", json={"username": "an", "password": first})
            assert came.status_code == 200
            assert came.headers["strict-transport-security"].startswith("max-age=")
            # A browser's own rules: cookies for TLS alone come back over TLS.
            secrets += [http.cookies[COOKIE], http.cookies[CSRF_COOKIE]]
            http.headers[CSRF_HEADER] = http.cookies[CSRF_COOKIE]
            changed = http.put("/session/password", json={"old": first, "new": PASSWORD})
            assert changed.status_code == 200
            factor = http.post("/session/factor").json()["uri"]
            secrets += re.findall(r"secret=(\w+)", factor)
            person = http.post("/people", json={"username": "binh", "role": "reader"})
            secrets.append(person.json()["first_password"])
            audited = http.get("/audit").json()["items"]
            said += [
                http.get("/vehicles", headers={"Authorization": f"Bearer {key}x"}),
                http.post("/people", content=f'{{"username": "{PASSWORD}"'),
                http.post("/session", json={"username": PASSWORD, "password": 7}),
                http.get(f"/violations?cursor={PASSWORD}"),
                http.get("/metrics"),
            ]
            ended = hanhtrinh("users", "disable", "an", settings=settings)
            assert ended.data["is_disabled"]
            assert http.get("/session").status_code == 401
    written = "\n".join([log.read_text(), json.dumps(audited), *(answer.text for answer in said)])
    assert "api.owns_tables" not in written
    assert "login_failed" in written
    for secret in secrets:
        assert len(secret) > 8
        assert secret not in written
    whole = hanhtrinh("audit", "verify", settings=settings)
    assert whole.returncode == 0, whole.stderr
    commands = hanhtrinh("audit", "export", settings=settings).lines
    assert {"users_create", "keys_create", "users_disable"} <= {row["action"] for row in commands}
    assert not [secret for secret in secrets if secret in json.dumps(commands)]


def _trusting(ca: str):
    import ssl

    return ssl.create_default_context(cafile=ca)


def test_users_keys_and_providers_are_made_listed_and_ended(database):
    settings = {"HANHTRINH_DATABASE__DSN": database}
    hanhtrinh(
        "vehicles", "add", "--plate", "29C12345", "--device", "dev-1", "--operator", "one",
        "--operator-name", "One", settings=settings,
    )  # fmt: skip
    made = hanhtrinh(
        "providers", "add", "vnet", "--name", "V-Net", "--device", "dev-1", settings=settings
    )
    assert made.returncode == 0, made.stderr
    for role, *more in (
        ("inspector", "--province", "Ha Noi"),
        ("operator", "--operator", "one"),
        ("provider", "--provider", "vnet"),
    ):
        done = hanhtrinh(
            "users", "create", f"the-{role}", "--role", role, *more, "--password-stdin",
            settings=settings, stdin=PASSWORD + "\n",
        )  # fmt: skip
        assert done.data == {"username": f"the-{role}", "role": role}
    people = hanhtrinh("users", "list", "--json", settings=settings).lines
    reaches = [(one["operator"], one["province"], one["provider"]) for one in people]
    assert reaches == [(None, "Ha Noi", None), ("one", None, None), (None, None, "vnet")]
    short = hanhtrinh(
        "users", "create", "x1", "--role", "reader", "--password-stdin",
        settings=settings, stdin="x\n",
    )  # fmt: skip
    assert (short.returncode, "12 to 200 letters" in short.stderr) == (1, True)
    again = hanhtrinh("users", "reset", "the-operator", settings=settings)
    assert len(again.data["password"]) == 20
    assert hanhtrinh("users", "reset", "nobody", settings=settings).returncode == 1
    key = hanhtrinh(
        "keys", "create", "--name", "k", "--role", "provider", "--provider", "vnet",
        settings=settings,
    )  # fmt: skip
    assert key.stdout.startswith("ht_")
    [listed] = hanhtrinh("keys", "list", "--json", settings=settings).lines
    assert (listed["provider"], listed["scopes"]) == ("vnet", ["devices"])
    granted = hanhtrinh("keys", "grant", "1", "--scope", "read", settings=settings)
    assert (granted.returncode, "expected of ['devices']" in granted.stderr) == (1, True)
    rotated = hanhtrinh("keys", "rotate", "1", "--keep-old-hours", "1", settings=settings)
    assert rotated.stdout.startswith("ht_")
    assert rotated.stdout != key.stdout
    factor = hanhtrinh("users", "end-factor", "the-operator", settings=settings)
    assert factor.data == {"username": "the-operator", "ended": False}
    ended = [hanhtrinh("keys", "revoke", str(listed["id"]), settings=settings) for _ in range(2)]
    assert [one.data["revoked"] for one in ended] == [True, False]
    unknown = hanhtrinh("keys", "revoke", "99", settings=settings)
    assert (unknown.returncode, "key 99: expected a number" in unknown.stderr) == (1, True)
    taken = hanhtrinh("users", "create", "the-operator", "--role", "reader", settings=settings)
    assert (taken.returncode, "argon2" in taken.stderr) == (1, False)
    header, *lines = hanhtrinh("users", "list", settings=settings).stdout.splitlines()
    assert header.split()[:3] == ["username", "name", "role"]
    assert {line.split()[0] for line in lines} == {"the-inspector", "the-operator", "the-provider"}
