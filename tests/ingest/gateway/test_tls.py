"""Trackers within TLS, over real sockets: who they are told to talk to, and who they may be."""

import asyncio
import ssl

import pytest

from hanhtrinh.commands.state import run
from ingest.errors import GatewayError
from ingest.gateway import gateway as gateway_module
from ingest.gateway.encryption import Certificates, tls_files
from ingest.gateway.gateway import Gateway
from ingest.gateway.metrics import GatewayMetrics
from ingest.gateway.options import TlsFiles
from tests.authority import Authority
from tests.devices.streams.dialogues import IMEI, PACKET, clock, teltonika_packet
from tests.ingest.gateway.served import DEADLINE_S, LOGIN, listening, options, serving, until
from tests.ingest.gateway.test_http import FIX, Browser

pytestmark = pytest.mark.integration

TOPIC = f"gsht/v1/teltonika/{IMEI}"
COUNT = b"\x00\x00\x00\x02"
PORTS = ("teltonika tls", "json https")


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "issued")


@pytest.fixture
def files(authority):
    return TlsFiles(*authority.issue("127.0.0.1"))


@pytest.fixture
def asking(authority, files):
    """Trackers must show a certificate."""
    return TlsFiles(files.cert, files.key, authority.ca)


def trusting(authority, own=None):
    context = ssl.create_default_context(cafile=authority.ca)
    if own is not None:
        context.load_cert_chain(*own)
    return context


def certificate_of(tracker):
    return tracker.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)


async def talks(tracker):
    await tracker.say(LOGIN)
    await tracker.hears(b"\x01")


async def is_refused(served, context):
    """TLS 1.3 lets a client believe that it is in until it hears of its refusal."""
    try:
        tracker = await served.tracker(tls=context)
        await tracker.say(LOGIN)
        heard = await tracker.is_hung_up_on()
    except (ConnectionError, ssl.SSLError):
        return
    assert heard == b""


async def serves_a_newcomer(served, context):
    tracker = await served.tracker(tls=context)
    await talks(tracker)
    tracker.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_tracker_holds_its_conversation_within_tls(broker, authority, files, version):
    context = trusting(authority)
    context.minimum_version = context.maximum_version = version
    counts = [1 + n % 50 for n in range(200)]
    packets = [teltonika_packet(n) for n in counts]

    async def work():
        made = options(broker, *PORTS, tls=files)
        async with serving(made) as served, listening(broker) as heard:
            tracker = await served.tracker(tls=context)
            for byte in LOGIN + PACKET:
                await tracker.say(bytes((byte,)))
            await tracker.hears(b"\x01" + COUNT)
            await tracker.say(b"".join(packets))
            await tracker.hears(b"".join(n.to_bytes(4, "big") for n in counts))
            await heard.hears(*[(TOPIC, packet) for packet in (PACKET, *packets)])
            tracker.close()

    run(work())


def test_phones_send_within_tls(broker, authority, files):
    async def work():
        async with serving(options(broker, *PORTS, tls=files)) as served:
            browser = await Browser.of(served, tls=trusting(authority))
            assert await browser.asks(f"/v1/json/{IMEI}", FIX) == 200
            assert await browser.asks(f"/v1/json/{IMEI}", FIX, Connection="close") == 200
            assert await browser.reader.read() == b""  # an end that was said, and no cut
            browser.writer.close()

    run(work())


def test_whoever_speaks_in_clear_is_hung_up_on_and_whoever_says_nothing_later(broker, files):
    async def work():
        async with serving(options(broker, *PORTS, tls=files, login_s=0.5)) as served:
            port = served.port("teltonika", "tls")
            for said in (LOGIN + PACKET, b""):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(said)
                async with asyncio.timeout(DEADLINE_S):
                    await reader.read()
                writer.close()
            assert served.metrics.refused == {("teltonika", "tls"): 1}
            assert served.metrics.closed["teltonika", "tls"] == 1
            assert served.metrics.closed["teltonika", "no_login"] == 1
            assert not served.metrics.messages

    run(work())


def test_who_has_not_shaken_hands_counts_among_the_connections(broker, authority, files):
    async def work():
        async with serving(options(broker, *PORTS, tls=files, connections=1)) as served:
            port = served.port("teltonika", "tls")
            _, silent = await asyncio.open_connection("127.0.0.1", port)
            await until(lambda: len(served.house.connections) == 1, "the connection")
            with pytest.raises((ConnectionError, ssl.SSLError)):
                await served.tracker(tls=trusting(authority))
            silent.close()
            await until(lambda: not served.house.connections, "its end")
            tracker = await served.tracker(tls=trusting(authority))
            await talks(tracker)
            tracker.close()

    run(work())


@pytest.mark.parametrize("told", [True, False])
def test_a_new_certificate_is_shown_to_newcomers_and_nobody_is_disconnected(
    broker, authority, files, told, monkeypatch
):
    if not told:
        monkeypatch.setattr(gateway_module, "FILES_S", 0.0)

    async def work():
        async with serving(options(broker, *PORTS, tls=files)) as served:
            early = await served.tracker(tls=trusting(authority))
            await talks(early)
            certificates = served.certificates
            before = certificates.context
            authority.issue("127.0.0.1")
            if told:
                served.gateway.reload()
            await until(lambda: certificates.context is not before, "the reload")
            late = await served.tracker(tls=trusting(authority))
            assert certificate_of(late) != certificate_of(early)
            for tracker in (early, late):
                await tracker.say(LOGIN + PACKET)
                await tracker.hears(b"\x01" + COUNT)
                tracker.close()

    run(work())


def test_files_that_do_not_fit_leave_the_certificate_before_in_force(broker, authority, files):
    def gauge(served):
        return served.metrics.registry.get_sample_value("hanhtrinh_gateway_certificate_current")

    async def work():
        async with serving(options(broker, *PORTS, tls=files)) as served:
            assert gauge(served) == 1
            good = files.key.read_bytes()
            files.key.write_text("half of a key")
            served.gateway.reload()
            assert gauge(served) == 0
            await serves_a_newcomer(served, trusting(authority))
            files.key.write_bytes(good)
            served.gateway.reload()
            assert gauge(served) == 1
            await serves_a_newcomer(served, trusting(authority))

    run(work())


def test_a_tracker_is_whom_its_certificate_names(broker, authority, asking, tmp_path):
    mine = authority.issue("tracker", common_name=IMEI)
    others = authority.issue("another", common_name="352093081429999")
    forged = Authority(tmp_path / "forged").issue("tracker", common_name=IMEI)

    async def work():
        async with serving(options(broker, *PORTS, tls=asking)) as served:
            await serves_a_newcomer(served, trusting(authority, mine))
            wrong = await served.tracker(tls=trusting(authority, others))
            await wrong.say(LOGIN)
            assert await wrong.is_hung_up_on() == b""
            assert served.metrics.closed == {("teltonika", "certificate"): 1}
            for own in (None, forged):
                await is_refused(served, trusting(authority, own))
            await until(lambda: served.metrics.refused["teltonika", "tls"] == 2, "both refused")
            assert served.metrics.opened["teltonika"] == 4

    run(work())


def test_an_http_sender_is_whom_its_certificate_names(broker, authority, asking):
    mine = authority.issue("sender", common_name=IMEI)

    async def work():
        async with serving(options(broker, *PORTS, tls=asking)) as served:
            browser = await Browser.of(served, tls=trusting(authority, mine))
            assert await browser.asks(f"/v1/json/{IMEI}", FIX) == 200
            assert await browser.asks("/v1/json/another", FIX) == 403
            assert served.metrics.messages == {"json": 1}
            browser.writer.close()

    run(work())


def test_a_gateway_without_a_usable_certificate_does_not_start(broker, files, tmp_path):
    def starts(tls):
        Gateway(options(broker, "teltonika tls", tls=tls), GatewayMetrics(), clock)

    with pytest.raises(GatewayError, match=r"tls://.*needs gateway\.tls_cert"):
        starts(None)
    with pytest.raises(GatewayError, match=r"gateway\.tls_cert: .*missing\.pem"):
        starts(TlsFiles(tmp_path / "missing.pem"))
    with pytest.raises(GatewayError, match=r"gateway\.tls_client_ca: .*\.key"):
        starts(TlsFiles(files.cert, files.key, files.key))
    with pytest.raises(GatewayError, match="expected one with"):
        tls_files(None, files.key, None)
    assert Certificates(files).context.minimum_version is ssl.TLSVersion.TLSv1_2
