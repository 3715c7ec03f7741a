"""Publishing against a real broker: in order, all of it, acknowledged."""

import asyncio
import json
from dataclasses import replace

import numpy as np
import pytest

from devices.catalogue import codec
from simulators.dirt import Dirt
from simulators.errors import LoadTargetError, PublishError
from simulators.feed import Message
from simulators.load import Load, LoadOptions
from simulators.publisher import BrokerOptions, connect
from simulators.simulate import SimulateOptions, simulate
from tests.simulators.listener import as_device, listening

pytestmark = pytest.mark.integration


def test_messages_arrive_in_the_order_in_which_they_were_given(broker):
    messages = [Message(0, "gsht/v1/json/1", str(n).encode()) for n in range(1000)]

    async def run():
        async with listening(broker) as heard, connect(as_device(broker)) as publisher:
            await publisher.send(messages)
            assert publisher.acknowledged == 1000
            await heard.at_least(1000)
            return heard

    # QoS 1: a broker that waited long for an acknowledgement may have sent one twice.
    heard = dict.fromkeys(payload for _, payload in asyncio.run(run()))
    assert list(heard) == [m.payload for m in messages]


def test_load_reaches_the_broker_whole_and_keeps_the_order_of_each_topic(broker):
    topics = [f"gsht/v1/json/{n % 7}" for n in range(5000)]
    payloads = [str(n).encode() for n in range(5000)]
    options = LoadOptions(as_device(broker), connections=3, window=100)

    async def run():
        async with listening(broker) as heard:
            report = await Load(options, topics, payloads).run()
            await heard.at_least(5000)
            return report, heard

    report, heard = asyncio.run(run())
    assert report.messages == 5000
    for topic in set(topics):
        numbers = [int(payload) for where, payload in heard if where == topic]
        assert numbers == [n for n in range(5000) if topics[n] == topic]


def test_load_at_a_rate_takes_as_long_as_the_rate_says(broker):
    options = LoadOptions(as_device(broker), connections=2, rate=2000.0)
    report = asyncio.run(
        Load(options, ["gsht/v1/json/1", "gsht/v1/json/2"] * 500, [b"x"] * 1000).run()
    )
    assert report.seconds >= 0.4


def test_a_window_smaller_than_a_chunk_still_sends_everything(broker):
    options = LoadOptions(as_device(broker), connections=1, window=1)
    assert asyncio.run(Load(options, ["gsht/v1/json/1"] * 50, [b"x"] * 50).run()).messages == 50


def test_load_is_refused_for_another_machine():
    options = LoadOptions(BrokerOptions("192.0.2.1"))
    with pytest.raises(LoadTargetError, match="expected a loopback address"):
        Load(options, [], [])


@pytest.mark.parametrize("kind", ["load", "publisher"])
def test_a_wrong_password_is_a_publish_error(broker, kind):
    wrong = replace(as_device(broker), password="no")

    async def run():
        if kind == "load":
            await Load(LoadOptions(wrong), ["gsht/v1/json/1"], [b""]).run()
        else:
            async with connect(wrong):
                pass

    with pytest.raises(PublishError, match="broker"):
        asyncio.run(run())


def test_a_simulation_sends_what_its_report_says(broker, tmp_path):
    truth = tmp_path / "truth.jsonl"
    options = SimulateOptions(
        as_device(broker), vehicles=30, interval_s=1, codec="mix", duration_s=1.5,
        backlog_s=900, dirt=Dirt(duplicates=0.05, late=0.01, out_of_order=0.01), truth=truth,
    )  # fmt: skip

    async def run():
        async with listening(broker) as heard:
            report = await simulate(options)
            await heard.at_least(report.messages)
            return report, heard

    report, heard = asyncio.run(run())
    assert len(heard) >= report.messages
    fixes, weighings = set(), set()
    for topic, payload in heard:
        first, _, *rest = topic.split("/")
        if first == "weigh":
            weighings.add((topic, payload))
            continue
        name = "owntracks" if first == "owntracks" else rest[0]
        decoded = codec(name).decode([payload], np.array([2**60]))
        inner = decoded.idents[0] if decoded.idents else ""
        fixes |= {(topic, inner, time) for time in decoded.fixes.time.tolist()}
    assert len(fixes) == report.fixes
    assert len(weighings) == report.weighings
    lines = truth.read_text("utf-8").splitlines()
    assert len(lines) == len(report.planned) + 1 > 1
    assert {json.loads(line)["kind"] for line in lines[1:]} == {p.kind for p in report.planned}


def test_a_simulation_ends_when_it_is_told_to(broker):
    async def run():
        stop = asyncio.Event()
        options = SimulateOptions(as_device(broker), vehicles=5, interval_s=1)
        running = asyncio.create_task(simulate(options, lambda _: stop.set(), stop))
        async with asyncio.timeout(30):
            return await running

    assert asyncio.run(run()).fixes > 0
