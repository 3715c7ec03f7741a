"""A device may publish only under its own name: tried on a real NATS server that asks us."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import nats
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ingest.identity import kicking
from ingest.identity.callout import Callout, CalloutOptions
from ingest.identity.checking import Refused
from ingest.identity.tokens import Issuer, issuer_seed
from storage import credentials
from tests.hanhtrinh.waiting import wait_until

pytestmark = pytest.mark.integration
IMEI, OTHER = "352093081429150", "352093081429999"
HOUR_US = 3_600_000_000


def now_us():
    return time.time_ns() // 1000


class Tracker:
    """A client that keeps what it receives, and when it lost its connection. Connects once."""

    def __init__(self, asking, username, password, client_id=None, will=None):
        self.received: list[tuple[str, bytes]] = []
        self.granted: list[Any] = []
        self.refusal = self.lost_at = None
        name = client_id if client_id is not None else username or "nameless"
        self.mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, name, reconnect_on_failure=False)
        if username is not None:
            self.mqtt.username_pw_set(username, password)
        if will:
            self.mqtt.will_set(*will)
        self.mqtt.on_message = lambda _c, _u, m: self.received.append((m.topic, bytes(m.payload)))
        self.mqtt.on_subscribe = lambda _c, _u, _m, codes, _p: self.granted.extend(codes)
        self.mqtt.on_connect = self._connected
        self.mqtt.on_disconnect = self._lost
        self.mqtt.connect(asking.broker.host, asking.broker.mqtt_port)
        self.mqtt.loop_start()
        wait_until(lambda: self.mqtt.is_connected() or bool(self.refusal), "an answer")

    def _connected(self, _client, _userdata, _flags, reason, _properties):
        self.refusal = reason if reason.is_failure else None

    def _lost(self, *_):
        self.lost_at = time.monotonic()

    def publish(self, topic, payload=b"x", *, retain=False):
        self.mqtt.publish(topic, payload, qos=1, retain=retain).wait_for_publish(30)

    def subscribe(self, *topics):
        before = len(self.granted)
        self.mqtt.subscribe([(topic, 1) for topic in topics])
        wait_until(lambda: len(self.granted) == before + len(topics), "an answer")
        return [not code.is_failure for code in self.granted[before:]]

    def crash(self):
        """Go without a goodbye: the broker publishes the will."""
        sock = self.mqtt.socket()
        assert sock is not None
        sock.close()
        self.mqtt.loop_stop()

    def close(self):
        self.mqtt.disconnect()
        self.mqtt.loop_stop()


@pytest.fixture
def enter(asking):
    """Makes trackers, and ends them after the test."""
    made = []

    def connect(username, password, **options):
        made.append(Tracker(asking, username, password, **options))
        return made[-1]

    yield connect
    for tracker in made:
        tracker.close()


@pytest.fixture
def reader(asking, enter):
    """The worker's user, who reads what arrives; `sentinel` waits for a message of its own."""
    worker = enter(asking.broker.worker.username, asking.broker.worker.password, client_id="w")
    assert all(worker.subscribe("gsht/v1/+/+", "weigh/v1/+/+", "owntracks/+/+", "+/data"))
    return worker


def arrived(asking, enter, reader):
    """What arrived until now, in order: a message that may pass is waited for."""
    device = asking.broker.device
    marker = f"gsht/v1/json/marker-{time.monotonic_ns()}"
    enter(device.username, device.password, client_id=marker).publish(marker)
    wait_until(lambda: (marker, b"x") in reader.received, "the marker")
    return [topic for topic, _ in reader.received if "marker" not in topic]


def test_a_device_publishes_under_its_own_name_and_under_no_other(asking, enter, reader):
    device = enter(IMEI, asking.login(IMEI))
    own = [f"gsht/v1/json/{IMEI}", f"gsht/v1/teltonika/{IMEI}", f"{IMEI}/data"]
    for topic in (
        f"gsht/v1/json/{OTHER}",
        f"gsht/v1/live/{IMEI}",  # what screens are shown
        f"weigh/v1/json/{IMEI}",
        f"owntracks/{IMEI}/phone",
        f"{OTHER}/data",
        f"gsht/v1/json/{IMEI}/more",
        f"gsht/v1/{IMEI}",
        f"cmd/v1/{IMEI}",
        "gsht/v1/json/worker",
        f"$SYS/REQ/USER/AUTH/{IMEI}",
        *own,
    ):
        device.publish(topic)
    assert arrived(asking, enter, reader) == own


def test_neither_a_will_nor_a_retained_message_gets_round_that(asking, enter, reader):
    liar = enter(IMEI, asking.login(IMEI), will=(f"gsht/v1/json/{OTHER}", b"lie", 1, True))
    liar.publish(f"gsht/v1/json/{OTHER}", b"lie", retain=True)
    liar.crash()
    wait_until(lambda: arrived(asking, enter, reader) is not None, "a marker")
    late = enter(asking.broker.worker.username, asking.broker.worker.password, client_id="late")
    late.subscribe("gsht/v1/+/+")
    assert arrived(asking, enter, late) == []
    assert arrived(asking, enter, reader) == []


def test_a_device_hears_its_own_commands_and_nothing_else(asking, enter):
    device = enter(IMEI, asking.login(IMEI))
    asked = [f"cmd/v1/{IMEI}", f"cmd/v1/{OTHER}", "cmd/v1/+", "#", "gsht/v1/+/+", f"{OTHER}/data",
             f"gsht/v1/json/{IMEI}", "$SYS/#", "$MQTT/#"]  # fmt: skip
    assert device.subscribe(*asked) == [True] + [False] * (len(asked) - 1)


def test_stations_and_providers_and_phones_publish_what_is_theirs(asking, enter, reader):
    station = enter("QL5", asking.station("QL5"))
    station.publish("weigh/v1/csv/QL5")
    station.publish("gsht/v1/json/QL5")
    station.publish("weigh/v1/csv/QL6")
    assert station.subscribe("cmd/v1/QL5") == [False]
    enter("VTA", asking.login("VTA", kind="provider")).publish("gsht/v1/ufms/VTA")
    phone = enter("an/phone", asking.login("an/phone"))
    phone.publish("owntracks/an/phone")
    phone.publish("owntracks/an/other")
    phone.publish("an/phone/data")
    dotted = enter("a.b", asking.login("a.b"), client_id="a-b")
    dotted.publish("gsht/v1/json/a/b")
    dotted.publish("gsht/v1/json/a.b")
    assert arrived(asking, enter, reader) == [
        "weigh/v1/csv/QL5", "gsht/v1/ufms/VTA", "owntracks/an/phone", "gsht/v1/json/a.b",
    ]  # fmt: skip


def test_whoever_does_not_prove_a_name_stays_out(asking, enter):
    secret, others = asking.login(IMEI), asking.login(OTHER)
    for username, password, client_id in (
        (None, None, IMEI),
        ("", secret, IMEI),
        (IMEI, None, IMEI),
        (IMEI, "", IMEI),
        (IMEI, secret + "x", IMEI),
        (IMEI, secret.upper(), IMEI),
        (IMEI, others, IMEI),
        (OTHER, secret, IMEI),
        (IMEI, "x" * 60_000, IMEI),
        ("*", secret, "*"),
        (f"{IMEI}'; --", secret, IMEI),
        ("nobody", secret, "nobody"),
        ("auth", secret, "auth"),
        ("worker", secret, "w"),
    ):
        assert enter(username, password, client_id=client_id).refusal, (username, client_id)
    assert not enter(IMEI, secret).refusal


def test_nobody_takes_over_the_session_of_another(asking, enter, reader):
    victim = enter(OTHER, asking.login(OTHER))
    secret = asking.login(IMEI)
    for client_id in (OTHER, "w", "hanhtrinh-worker-0", IMEI + "x"):
        assert enter(IMEI, secret, client_id=client_id).refusal
    assert asking.service.answered[Refused.CLIENT_ID] == 4
    assert victim.mqtt.is_connected()
    assert reader.mqtt.is_connected()


def test_a_revoked_secret_ends_the_connection_within_seconds_and_opens_none(asking, enter):
    secret = asking.login(IMEI)
    revoked, bystander = enter(IMEI, secret), enter(OTHER, asking.login(OTHER))
    started = time.monotonic()
    assert asking.revoke(IMEI) == 1
    wait_until(lambda: revoked.lost_at is not None, "the connection is closed")
    assert revoked.lost_at - started < 3
    assert enter(IMEI, secret).refusal
    assert bystander.mqtt.is_connected()


def test_an_old_secret_works_until_the_chosen_time_and_its_connection_ends_then(asking, enter):
    old = asking.login(IMEI)
    # Whole seconds are what NATS' tokens know.
    until = (now_us() // 1_000_000 + 3) * 1_000_000
    new = asking.login(IMEI, keep_old_until=until)
    with_old = enter(IMEI, old)
    assert not with_old.refusal
    wait_until(lambda: with_old.lost_at is not None, "the old secret's connection ends")
    assert now_us() > until - 1_000_000
    wait_until(lambda: now_us() > until, "the old secret's end")
    assert enter(IMEI, old).refusal
    assert not enter(IMEI, new).refusal


def test_a_rotation_at_once_throws_out_whoever_holds_the_old_secret(asking, enter):
    with_old = enter(IMEI, old := asking.login(IMEI))
    new = asking.login(IMEI)
    wait_until(lambda: with_old.lost_at is not None, "the old secret's connection ends")
    assert enter(IMEI, old).refusal
    assert not enter(IMEI, new).refusal


def test_who_came_back_with_the_new_secret_is_left_alone(asking, enter, monkeypatch):
    monkeypatch.setattr(kicking, "AGAIN_S", 2.0)
    with_old = enter(IMEI, asking.login(IMEI))
    new = asking.login(IMEI)
    wait_until(lambda: with_old.lost_at is not None, "the old secret's connection ends")
    until = time.monotonic() + 0.6
    wait_until(lambda: time.monotonic() > until, "more than the slack")
    with_new = enter(IMEI, new)
    until = time.monotonic() + 4
    wait_until(lambda: time.monotonic() > until, "the second look is over")
    assert with_new.mqtt.is_connected()


def test_a_revocation_while_nobody_answered_is_made_up_for(asking, enter):
    device = enter(IMEI, asking.login(IMEI))
    asking.stop()
    asking.revoke(IMEI)
    again = type(asking)(asking.broker, asking.dsn)
    again.start()
    try:
        wait_until(lambda: device.lost_at is not None, "the connection is closed")
    finally:
        again.stop()


def test_a_client_that_the_server_ended_for_good_is_replaced(asking, enter, monkeypatch):
    secret, connect = asking.login(IMEI), nats.connect
    made: list[Any] = []

    async def noted(*args, **options):
        made.append(await connect(*args, **options))
        return made[-1]

    monkeypatch.setattr(nats, "connect", noted)
    asking.stop()
    again = type(asking)(asking.broker, asking.dsn)
    again.start()
    try:
        # The server says -ERR and hangs up; nats-py then never connects again by itself.
        again._loop.call_soon_threadsafe(made[0]._transport.write, b"NONSENSE\r\n")
        wait_until(lambda: made[0].is_closed and len(made) == 2, "another client")
        wait_until(lambda: not enter(IMEI, secret).refusal, "an answer")
    finally:
        again.stop()


def test_it_can_be_stopped_while_there_is_no_broker():
    nobody = CalloutOptions("nats://127.0.0.1:1", "auth", "secret", "", {})

    async def go():
        stop = asyncio.Event()
        running = asyncio.create_task(
            Callout(nobody, Issuer(issuer_seed(bytes(32))), lambda: 0).run(stop)
        )
        await asyncio.sleep(0)
        stop.set()
        async with asyncio.timeout(10):
            await running

    asyncio.run(go())


def test_what_was_answered_is_counted_for_prometheus(asking, enter):
    def count(name, **labels):
        registry = asking.service._metrics.registry
        return registry.get_sample_value(f"hanhtrinh_auth_{name}", labels) or 0

    assert not enter(IMEI, asking.login(IMEI)).refusal
    assert enter(IMEI, "wrong").refusal
    assert count("answers_total", verdict=Refused.WRONG_SECRET) >= 1
    assert count("answers_total", verdict="granted") >= 1
    assert count("answer_seconds_count") >= 2
    wait_until(lambda: count("listening") == 1, "revocations are heard of")
    assert (count("broker_up"), count("database_up")) == (1, 1)


def test_a_chosen_password_lets_in_and_wrong_ones_are_tried_once_a_second(asking, enter):
    asking.login(IMEI, password="correct horse")
    assert not enter(IMEI, "correct horse").refusal
    secret = asking.login(OTHER)
    for number in range(20):
        assert enter(IMEI, f"wrong {number}").refusal
    counted = asking.service.answered
    assert counted[Refused.WRONG_SECRET] + counted[Refused.BUSY] == 20
    assert counted[Refused.BUSY] > 0
    # What was proven once costs no slow check, so that guessing locks nobody out.
    assert not enter(IMEI, "correct horse").refusal
    assert not enter(OTHER, secret).refusal


def test_a_flood_of_wrong_secrets_does_not_keep_others_out(asking, enter):
    secret = asking.login(IMEI)
    flood = [
        mqtt.Client(CallbackAPIVersion.VERSION2, f"f{number}", reconnect_on_failure=False)
        for number in range(200)
    ]
    for client in flood:
        client.username_pw_set(OTHER, "wrong")
        client.connect_async(asking.broker.host, asking.broker.mqtt_port)
        client.loop_start()
    started = time.monotonic()
    assert not enter(IMEI, secret).refusal
    took = time.monotonic() - started
    for client in flood:
        client.loop_stop()
    assert took < 5
    assert asking.service._waiting.maxsize < 100_000


def test_without_a_database_nobody_new_comes_in_and_nobody_is_thrown_out(
    asking, enter, monkeypatch
):
    secret = asking.login(IMEI)
    device = enter(OTHER, asking.login(OTHER))

    async def away(_conn, _idents):
        raise OSError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(credentials, "to_check", away)
        assert enter(IMEI, secret).refusal
    assert not enter(IMEI, secret).refusal
    assert device.mqtt.is_connected()


def test_questions_that_nobody_can_read_stop_nothing(asking, enter):
    async def ask():
        for data in (b"", b"a", b"a.b.c", b"a.eyJuYXRzIjoxfQ.c", b"\xff.\xff.\xff"):
            await asking.service._take(SimpleNamespace(data=data))

    asyncio.run(ask())
    assert asking.service.answered["unreadable"] == 5
    assert not enter(IMEI, asking.login(IMEI)).refusal
