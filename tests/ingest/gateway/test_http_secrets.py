"""HTTP senders show the secret that the registry knows: before a real broker and database."""

import asyncio
import base64
import json
from urllib.parse import urlsplit, urlunsplit

import pytest

from hanhtrinh.commands.state import run
from ingest.gateway import admission as admission_module
from ingest.gateway import logins as logins_module
from ingest.gateway.options import RegistryOptions
from ingest.identity import checking
from simulators.link import Link
from storage import credentials
from storage.database import connect
from tests.ingest.gateway.served import DEADLINE_S, listening, options, serving, until
from tests.ingest.gateway.test_http import FIX, IDENT, PHONE, Browser
from tests.ingest.gateway.test_registered import changed, soon

pytestmark = pytest.mark.integration

PATH = f"/v1/json/{IDENT}"
ANOTHER = "anna"


def showing(dsn):
    return RegistryOptions(dsn, registered_only=False, http_secrets=True)


async def rotated(dsn, ident=IDENT, **how):
    """A registered device's new secret."""
    async with await connect(dsn, name="test") as conn:
        await conn.execute(
            "INSERT INTO devices (ident) VALUES (%s) ON CONFLICT DO NOTHING", [ident]
        )
        return (await credentials.rotate(conn, ident, **how)).secret


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def basic(user, secret):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


async def problem(browser, *arguments, **more):
    """Status and code of what is answered."""
    browser.send(*arguments, **more)
    async with asyncio.timeout(DEADLINE_S):
        head = (await browser.reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = json.loads(await browser.reader.readexactly(int(headers["content-length"])))
    assert headers["content-type"] == "application/problem+json"
    assert body["status"] == int(head.split()[1])
    assert ("www-authenticate" in headers) == (body["status"] == 401)
    assert ("retry-after" in headers) == (body["status"] == 503)
    assert body["type"] == f"urn:hanhtrinh:problem:{body['code']}"
    return body["status"], body["code"]


def test_a_device_is_let_in_by_its_own_secret_and_no_other(broker, database):
    async def work():
        mine, others = await rotated(database), await rotated(database, ANOTHER)
        made = options(broker, "osmand http", secret="shared secret", registry=showing(database))
        async with serving(made) as served, listening(broker) as heard:
            browser = await Browser.of(served, "osmand")
            assert await browser.asks(PATH, FIX, **bearer(mine)) == 200
            assert await browser.asks(PATH, FIX, **basic(IDENT, mine)) == 200
            assert await browser.asks(f"{PHONE}&token={mine}", method="GET") == 200
            await until(lambda: len(heard.messages) == 3, "messages")
            assert heard.messages[2] == (f"gsht/v1/osmand/{IDENT}", PHONE.encode())
            invalid = (401, "token_invalid")
            assert await problem(browser, PATH, FIX) == (401, "token_missing")
            assert await problem(browser, PATH, FIX, **bearer("wrong")) == invalid
            assert await problem(browser, PATH, FIX, **bearer("shared secret")) == invalid
            assert await problem(browser, PATH, FIX, **bearer(others)) == invalid
            assert await problem(browser, PATH, FIX, **basic(IDENT, others)) == invalid
            assert await problem(browser, "/v1/json/nobody", FIX, **bearer(mine)) == invalid
            assert (
                await problem(browser, f"/v1/weigh-json/{IDENT}", b"{}", **bearer(mine)) == invalid
            )
            forbidden = (403, "forbidden")
            assert await problem(browser, PATH, FIX, **basic(ANOTHER, others)) == forbidden
            assert len(heard.messages) == 3
            assert served.metrics.answers == {"200": 3, "401": 7, "403": 1}
            browser.writer.close()

    run(work())


def test_a_revoked_secret_opens_nothing_within_seconds_and_a_new_one_at_once(broker, database):
    async def work():
        old = await rotated(database)
        made = options(broker, "json http", registry=showing(database))
        async with serving(made) as served:
            browser = await Browser.of(served)
            assert await browser.asks(PATH, FIX, **bearer(old)) == 200
            await changed(database, lambda conn: credentials.revoke(conn, IDENT))

            async def is_shut():
                return await browser.asks(PATH, FIX, **bearer(old)) == 401

            await soon(is_shut, "the revocation")
            new = await rotated(database)

            async def is_open():
                return await browser.asks(PATH, FIX, **bearer(new)) == 200

            await soon(is_open, "the new secret")
            assert await browser.asks(PATH, FIX, **bearer(old)) == 401
            browser.writer.close()

    run(work())


def test_a_secret_ends_when_it_was_said_to_end(broker, database):
    async def work():
        old = await rotated(database)
        async with await connect(database, name="test") as conn:
            await conn.execute("UPDATE device_secrets SET valid_until = now() + interval '1 hour'")
        made = options(broker, "json http", registry=showing(database))
        async with serving(made) as served:
            browser = await Browser.of(served)
            assert await browser.asks(PATH, FIX, **bearer(old)) == 200
            served.logins._clock = lambda: 2**62
            assert await browser.asks(PATH, FIX, **bearer(old)) == 401
            browser.writer.close()

    run(work())


def test_reports_that_come_together_keep_their_order_while_a_secret_is_looked_up(broker, database):
    bodies = [b'{"n":%d}' % n for n in range(50)]

    async def work():
        secret = await rotated(database)
        made = options(broker, "json http", registry=showing(database))
        async with serving(made) as served, listening(broker) as heard:
            browser = await Browser.of(served)
            for n, body in enumerate(bodies):
                browser.send(PATH, body, **bearer(secret if n != 7 else "wrong"))
            browser.send("/nowhere", b"", Connection="close")
            answers = [(await browser.status())[0] for _ in range(51)]
            assert answers == [200] * 7 + [401] + [200] * 42 + [404]
            assert await browser.reader.read() == b""
            expected = [body for n, body in enumerate(bodies) if n != 7]
            await heard.hears(*((f"gsht/v1/json/{IDENT}", body) for body in expected))
            browser.writer.close()

    run(work())


def test_while_the_database_is_away_known_secrets_open_and_others_are_told_to_come_again(
    broker, database, monkeypatch
):
    monkeypatch.setattr(admission_module, "ASK_S", 0.3)
    monkeypatch.setattr(admission_module, "RETRY_S", 0.1)
    monkeypatch.setattr(logins_module, "PATIENCE_S", 0.3)
    parts = urlsplit(database)

    async def work():
        known, unknown = await rotated(database), await rotated(database, ANOTHER)
        with Link(str(parts.hostname), int(parts.port or 0)) as way:
            login = parts.netloc.rpartition("@")[0]
            dsn = urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{way.port}"))
            async with serving(options(broker, "json http", registry=showing(dsn))) as served:
                browser = await Browser.of(served)
                assert await browser.asks(PATH, FIX, **bearer(known)) == 200
                way.stall(answers_only=True)
                way.cut()
                await until(lambda: not served.admission.is_current, "the loss of the database")
                served.logins.forget(None)  # as a look at everything does
                assert await browser.asks(PATH, FIX, **bearer(known)) == 200
                assert await browser.asks(PATH, FIX, **bearer("wrong")) == 401
                told = await problem(browser, f"/v1/json/{ANOTHER}", FIX, **bearer(unknown))
                assert told == (503, "registry_unavailable")
                way.cut()
                way.flow()
                await until(lambda: served.admission.is_current, "the database")
                assert await browser.asks(f"/v1/json/{ANOTHER}", FIX, **bearer(unknown)) == 200
                browser.writer.close()

    run(work())


def test_a_chosen_password_lets_in_and_wrong_ones_are_tried_once_a_second(broker, database):
    async def work():
        await rotated(database, password="correct horse")
        made = options(broker, "json http", registry=showing(database))
        async with serving(made) as served:
            browser = await Browser.of(served)
            assert await browser.asks(PATH, FIX, **bearer("correct horse")) == 200
            assert await problem(browser, PATH, FIX, **bearer("wrong 1")) == (401, "token_invalid")
            assert await problem(browser, PATH, FIX, **bearer("wrong 2")) == (503, "busy")
            assert await browser.asks(PATH, FIX, **bearer("correct horse")) == 200
            browser.writer.close()

    assert checking.PAUSE_US == 1_000_000
    run(work())


def test_whoever_hangs_up_while_a_secret_is_looked_up_is_forgotten(broker, database):
    async def work():
        await rotated(database)
        made = options(broker, "json http", registry=showing(database))
        async with serving(made) as served:
            for _ in range(20):
                browser = await Browser.of(served)
                browser.send(PATH, FIX, **bearer("wrong"))
                browser.writer.transport.abort()
            await until(lambda: not served.house.connections, "their ends")
            browser = await Browser.of(served)
            assert await browser.asks(PATH, FIX, **bearer("wrong")) == 401
            browser.writer.close()

    run(work())
