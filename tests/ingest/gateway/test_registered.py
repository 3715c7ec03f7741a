"""Only registered devices are served: over real sockets, before a real broker and database."""

import asyncio
import socket
import time
from urllib.parse import urlsplit, urlunsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from hanhtrinh.commands.state import run
from ingest.gateway import admission as admission_module
from ingest.gateway.admission import TOLD_BURST, TOLD_EVERY_S, TOLD_MOST, Seldom
from ingest.gateway.options import RegistryOptions
from simulators.link import Link
from storage import admission, credentials, registry
from storage.database import connect
from tests.devices.streams.dialogues import DIALOGUES, IMEI, PACKET
from tests.ingest.gateway.served import LOGIN, listening, options, serving, until
from tests.ingest.gateway.test_http import FIX, Browser

OTHER = "352093081429999"
COUNT = b"\x00\x00\x00\x02"
SECONDS = 5.0
integration = pytest.mark.integration


def only(dsn):
    return RegistryOptions(dsn, registered_only=True, http_secrets=False)


async def changed(dsn, work):
    """Have something done to the registry, and committed."""
    async with await connect(dsn, name="test") as conn:
        return await work(conn)


async def register(dsn, *idents):
    await changed(dsn, lambda conn: registry.add_devices(conn, list(idents)))


async def is_let_in(served, login=LOGIN):
    """Whether a tracker that logs in is told that it may come."""
    tracker = await served.tracker()
    await tracker.say(login)
    heard = await tracker.reader.read(1)
    tracker.close()
    return heard == b"\x01"


async def soon(condition, what):
    """What a change comes to, seconds after its commit."""
    begun = time.monotonic()
    while not await condition():
        assert time.monotonic() - begun < SECONDS, what
        await asyncio.sleep(0.02)


@integration
def test_unknown_trackers_are_refused_in_their_formats_words_and_hung_up_on(broker, database):
    codecs = sorted(DIALOGUES)

    async def work():
        made = options(broker, *(f"{codec} tcp" for codec in codecs), registry=only(database))
        async with serving(made) as served, listening(broker) as heard:
            for codec in codecs:
                tracker = await served.tracker(codec)
                await tracker.say(b"".join(DIALOGUES[codec].said))
                assert await tracker.is_hung_up_on() == DIALOGUES[codec].heard[0][0].refusal, codec
                assert served.metrics.refused[codec, "unregistered"] == 1, codec
                assert served.metrics.closed[codec, "unregistered"] == 1, codec
            assert (served.metrics.messages, heard.messages) == ({}, [])

    run(work())


@integration
def test_a_registered_tracker_is_served_and_a_new_one_seconds_after_its_registration(
    broker, database
):
    async def work():
        await register(database, OTHER)
        made = options(broker, registry=only(database))
        async with serving(made) as served, listening(broker) as heard:
            assert not await is_let_in(served)
            await register(database, IMEI)
            await soon(lambda: is_let_in(served), "the new device")
            tracker = await served.tracker()
            await tracker.say(LOGIN + PACKET)
            await tracker.hears(b"\x01" + COUNT)
            await heard.hears((f"gsht/v1/teltonika/{IMEI}", PACKET))
            sample = served.metrics.registry.get_sample_value
            assert sample("hanhtrinh_gateway_registered") == 2
            assert sample("hanhtrinh_gateway_registry_up") == 1
            tracker.close()

    run(work())


@integration
def test_very_many_new_devices_are_learned_at_once(broker, database):
    async def work():
        async with serving(options(broker, registry=only(database))) as served:
            await register(database, IMEI, *(str(n) for n in range(2_000)))
            await soon(lambda: is_let_in(served), "the new device")
            assert len(served.admission) == 2_001

    run(work())


@integration
@pytest.mark.parametrize("has_login", [True, False])
def test_a_revoked_tracker_is_closed_within_seconds_and_comes_back_with_a_secret(
    broker, database, has_login
):
    async def work():
        await register(database, IMEI, OTHER)
        if has_login:
            await changed(database, lambda conn: credentials.rotate(conn, IMEI))
        async with serving(options(broker, registry=only(database))) as served:
            revoked, bystander = await served.tracker(), await served.tracker()
            for tracker, ident in ((revoked, IMEI), (bystander, OTHER)):
                await tracker.say(b"\x00\x0f" + ident.encode())
                await tracker.hears(b"\x01")
            await changed(database, lambda conn: credentials.revoke(conn, IMEI))
            async with asyncio.timeout(SECONDS):
                assert await revoked.reader.read() == b""
            assert not await is_let_in(served)
            await bystander.say(PACKET)
            await bystander.hears(COUNT)
            await changed(database, lambda conn: credentials.rotate(conn, IMEI))
            await soon(lambda: is_let_in(served), "the device with a new secret")
            revoked.close()
            bystander.close()

    run(work())


@integration
def test_while_the_database_is_away_who_was_known_is_served(broker, database, monkeypatch):
    monkeypatch.setattr(admission_module, "ASK_S", 0.5)
    monkeypatch.setattr(admission_module, "RETRY_S", 0.1)
    parts = urlsplit(database)

    async def work():
        await register(database, IMEI)
        with Link(str(parts.hostname), int(parts.port or 0)) as way:
            login = parts.netloc.rpartition("@")[0]
            dsn = urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{way.port}"))
            async with serving(options(broker, registry=only(dsn))) as served:
                up = served.admission
                way.stall(answers_only=True)
                way.cut()
                await until(lambda: not up.is_current, "the loss of the database")
                assert await is_let_in(served)
                await register(database, OTHER)  # it cannot be known yet
                assert not await is_let_in(served, b"\x00\x0f" + OTHER.encode())
                way.cut()
                way.flow()
                await until(lambda: up.is_current, "the database")
                assert await is_let_in(served, b"\x00\x0f" + OTHER.encode())
                assert await is_let_in(served)

    run(work())


@integration
def test_no_port_is_open_before_the_registered_are_known(broker):
    async def work():
        nowhere = only("postgresql://127.0.0.1:1/none")
        made = options(broker, registry=nowhere)
        with capture_logs() as logs:
            async with serving(made, opens=False) as served:
                await until(lambda: "gateway.no_registry" in str(logs), "a look at the database")
                assert served.gateway.ports == {}

    run(work())


@integration
def test_unknown_datagrams_are_dropped_without_a_word_and_posts_are_answered_403(broker, database):
    async def work():
        await register(database, OTHER)
        made = options(broker, "h02 udp", "json http", registry=only(database))
        async with serving(made) as served:
            said = DIALOGUES["h02"].said[0]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(said, ("127.0.0.1", served.port("h02", "udp")))
                await until(lambda: served.metrics.refused["h02", "unregistered"] == 1, "it")
                with pytest.raises(BlockingIOError):
                    sender.recv(100)
            browser = await Browser.of(served)
            assert await browser.asks(f"/v1/json/{IMEI}", FIX) == 403
            assert await browser.asks(f"/v1/json/{OTHER}", FIX) == 200
            assert await browser.asks(f"/v1/weigh-json/{OTHER}", b"{}") == 403  # no station
            browser.writer.close()

    run(work())


@integration
def test_an_identity_that_is_turned_away_again_and_again_is_logged_once(broker, database):
    async def work():
        async with serving(options(broker, registry=only(database))) as served:
            with capture_logs() as logs:
                for _ in range(3):
                    assert not await is_let_in(served)
            told = [line for line in logs if line["event"] == "sender.unregistered"]
            assert [line["ident"] for line in told] == [IMEI]
            assert served.metrics.refused["teltonika", "unregistered"] == 3

    run(work())


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 400)), max_size=300))
def test_nobody_is_told_of_twice_in_a_period_and_few_within_a_minute(visits):
    now = 0.0
    seldom = Seldom(lambda: now)
    told: dict[str, float] = {}
    lines: list[float] = []
    for who, later in visits:
        now += later / 10
        ident = str(who)
        is_due = seldom.is_due(ident)
        is_new = now - told.get(ident, now - TOLD_EVERY_S) >= TOLD_EVERY_S
        assert is_due <= is_new
        if is_due:
            told[ident] = now
            lines.append(now)
        elif is_new:
            assert seldom.unsaid > 0
    for at in lines:
        assert sum(at <= line < at + 60 for line in lines) <= 2 * TOLD_BURST


def test_what_is_remembered_of_strangers_is_bounded():
    now = 0.0
    seldom = Seldom(lambda: now)
    for n in range(2 * TOLD_MOST):
        now += 1.0  # slowly enough that each is told of
        assert seldom.is_due(str(n))
    assert len(seldom._said) == TOLD_MOST


@integration
def test_a_name_is_admitted_as_what_it_is_registered(database):
    from geofence.registry import StationRule

    async def work():
        async with await connect(database, name="test") as conn:
            await registry.add_devices(conn, ["d", "shut", "barred"])
            await registry.add_station(conn, StationRule(0, "QL5", 106.7, 10.8))
            await credentials.rotate(conn, "vta", kind="provider")
            await credentials.rotate(conn, "shut")
            for name in ("shut", "barred", "nobody"):
                await credentials.revoke(conn, name)
            everybody = [one async for piece in admission.everybody(conn) for one in piece]
            some = await admission.some(conn, ["d", "QL5", "barred", "nobody"])
            return sorted(everybody), sorted(some)

    everybody, some = asyncio.run(work())
    assert everybody == [("QL5", "station"), ("d", "device"), ("vta", "provider")]
    assert some == [("QL5", "station"), ("d", "device")]
