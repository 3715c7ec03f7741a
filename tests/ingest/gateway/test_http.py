"""Phones and small senders over HTTP: 200 when the broker has it, and who may send at all."""

import asyncio
import base64

import pytest

from hanhtrinh.commands.state import run
from ingest.gateway.http import device_token
from tests.ingest.gateway.served import (
    DEADLINE_S,
    listening,
    options,
    serving,
    standing_still,
    until,
)

pytestmark = pytest.mark.integration

SECRET = "correct horse"
IDENT = "352093081429150"
FIX = b'{"time":"2026-11-18T05:00:00Z","lon":105.8,"lat":21.0}'
PHONE = f"/?id={IDENT}&lat=21.0&lon=105.8&timestamp=1795000000"


class Browser:
    """One HTTP connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def of(cls, served, codec="json", tls=None):
        port = served.port(codec, "https" if tls else "http")
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls))

    def send(self, target, body=b"", *, method="POST", **headers):
        lines = [f"{method} {target} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def status(self):
        """Status and headers of the next answer."""
        async with asyncio.timeout(DEADLINE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            await self.reader.readexactly(int(headers["content-length"]))
        return int(head[0].split()[1]), headers

    async def asks(self, *arguments, **more):
        self.send(*arguments, **more)
        return (await self.status())[0]


def http(broker, codec="json", **more):
    return options(broker, f"{codec} http", **more)


def test_a_small_sender_posts_a_payload(broker):
    async def work():
        async with serving(http(broker)) as served, listening(broker) as heard:
            browser = await Browser.of(served)
            assert await browser.asks(f"/v1/json/{IDENT}", FIX) == 200
            assert await browser.asks("/v1/owntracks/anna", b"{}") == 200
            await heard.hears((f"gsht/v1/json/{IDENT}", FIX), ("gsht/v1/owntracks/anna", b"{}"))
            browser.writer.close()

    run(work())


def test_a_station_posts_to_the_topic_of_weighings(broker):
    async def work():
        async with serving(http(broker)) as served, listening(broker, "weigh/v1/#") as heard:
            browser = await Browser.of(served)
            assert await browser.asks("/v1/weigh-json/south", b"{}") == 200
            await heard.hears(("weigh/v1/json/south", b"{}"))
            browser.writer.close()

    run(work())


def test_phones_send_a_query_a_form_or_json(broker):
    json_report = b'{"device_id":"anna","location":{"coords":{"latitude":21.0}}}'
    form = b"id=anna&lat=21.0&lon=105.8"

    async def work():
        async with serving(http(broker, "osmand")) as served, listening(broker) as heard:
            browser = await Browser.of(served, "osmand")
            assert await browser.asks(PHONE, method="GET") == 200
            assert await browser.asks(PHONE) == 200
            assert (
                await browser.asks("/", form, Content_Type="application/x-www-form-urlencoded")
                == 200
            )
            assert await browser.asks("/", json_report, Content_Type="application/json") == 200
            assert await browser.asks("/?lat=21.0&lon=105.8", method="GET") == 400
            await heard.hears(
                (f"gsht/v1/osmand/{IDENT}", PHONE.encode()),
                (f"gsht/v1/osmand/{IDENT}", PHONE.encode()),
                ("gsht/v1/osmand/anna", b"/?" + form),
                ("gsht/v1/osmand/anna", json_report),
            )
            browser.writer.close()

    run(work())


def test_without_the_secret_or_the_devices_token_nobody_is_let_in(broker):
    mine, anothers = device_token(SECRET, IDENT), device_token(SECRET, "anna")
    basic = base64.b64encode(f"{IDENT}:{mine}".encode()).decode()

    async def work():
        made = http(broker, "osmand", secret=SECRET)
        async with serving(made) as served, listening(broker) as heard:
            browser = await Browser.of(served, "osmand")
            path = f"/v1/json/{IDENT}"
            assert await browser.asks(path, FIX) == 401
            assert await browser.asks(path, FIX, Authorization="Bearer wrong") == 401
            assert await browser.asks(path, FIX, Authorization=f"Bearer {anothers}") == 401
            assert await browser.asks(path, FIX, Authorization="Basic rubbish") == 401
            assert await browser.asks(path, FIX, Authorization="Basic \xe9\xe9") == 401
            assert await browser.asks(path, FIX, Authorization=f"Bearer {SECRET}") == 200
            assert await browser.asks(path, FIX, Authorization=f"Bearer {mine}") == 200
            assert await browser.asks(path, FIX, Authorization=f"Basic {basic}") == 200
            assert await browser.asks(PHONE, method="GET") == 401
            assert await browser.asks(f"{PHONE}&token={mine}", method="GET") == 200
            await until(lambda: len(heard.messages) == 4, "messages")
            assert heard.messages[3] == (f"gsht/v1/osmand/{IDENT}", PHONE.encode())
            browser.writer.close()

    run(work())


def test_a_broker_that_is_away_is_said_at_once_with_when_to_come_again(broker):
    async def work():
        async with serving(http(broker)) as served:
            await asyncio.to_thread(broker.kill)
            await until(lambda: not served.house.publisher.is_up, "the broker's end")
            browser = await Browser.of(served)
            browser.send(f"/v1/json/{IDENT}", FIX)
            status, headers = await browser.status()
            assert (status, headers["retry-after"]) == (503, "10")
            await asyncio.to_thread(broker.restart)
            await until(lambda: served.house.publisher.is_up, "the broker")
            assert await browser.asks(f"/v1/json/{IDENT}", FIX) == 200
            browser.writer.close()

    run(work())


def test_a_broker_that_stands_still_is_said_after_a_while(broker):
    async def work():
        async with serving(http(broker, answer_s=0.3)) as served:
            browser = await Browser.of(served)
            assert await browser.asks(f"/v1/json/{IDENT}", FIX) == 200
            async with standing_still(broker):
                browser.send(f"/v1/json/{IDENT}", FIX)
                await until(lambda: served.house.publisher.held_messages == 1, "the request")
                assert served.metrics.answers == {"200": 1}, "no answer is counted before it is one"
                assert (await browser.status())[0] == 503
            assert await browser.asks(f"/v1/json/{IDENT}", FIX) == 200
            assert served.metrics.answers == {"200": 2, "503": 1}
            browser.writer.close()

    run(work())


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("PUT", f"/v1/json/{IDENT}", FIX, 405),
        ("POST", f"/v1/sony/{IDENT}", FIX, 404),
        ("POST", "/v1/json", FIX, 404),
        ("POST", "/", FIX, 404),
        ("POST", "/v1/json/a%2Fb", FIX, 400),
        ("POST", "/v1/json/+", FIX, 400),
        ("POST", f"/v1/json/{IDENT}", b"", 400),
        ("POST", f"/v1/json/{IDENT}", b"x" * 2000, 413),
        ("GET", "/" + "x" * 20_000, b"", 431),
        ("RUBBISH", "/", b"", 400),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(broker, method, target, body, status):
    async def work():
        async with serving(http(broker, body_bytes=1000)) as served:
            browser = await Browser.of(served)
            assert await browser.asks(target, body, method=method) == status
            assert not served.metrics.messages
            browser.writer.close()

    run(work())


def test_requests_that_come_together_are_answered_in_order_and_a_last_one_ends_it(broker):
    async def work():
        async with serving(http(broker)) as served:
            browser = await Browser.of(served)
            for _ in range(20):
                browser.send(f"/v1/json/{IDENT}", FIX)
            browser.send(f"/v1/sony/{IDENT}", FIX, Connection="close")
            answers = [(await browser.status())[0] for _ in range(21)]
            assert answers == [200] * 20 + [404]
            assert await browser.reader.read() == b""
            browser.writer.close()

    run(work())
