"""A worker that dies anywhere on a batch's way loses nothing and repeats nothing."""

import asyncio
import signal

import pytest

from ingest.mqtt.source import MqttSource
from tests.faults.fleet import assert_nothing_happened, fixes_in, fleet, messages, until
from tests.faults.worker import POISON, STAGES, Doom, WorkerProcess
from tests.ingest.publishing import mqtt_options, publish
from tests.ingest.publishing import until as aio_until
from tests.questions import ask

pytestmark = pytest.mark.integration


def send(broker, what):
    asyncio.run(publish(broker, what))


def subscribe(broker):
    """Have the broker keep what is published from now on."""

    async def go():
        source = MqttSource(mqtt_options(broker), lambda: 0)
        await source.start()
        await aio_until(lambda: source.connected, "a subscription")
        await source.stop()

    asyncio.run(go())


def set_aside(dsn):
    ((messages,),) = ask(dsn, "SELECT count(*) FROM quarantine WHERE reason = 'killed_worker'")
    return messages


def test_a_worker_killed_at_every_stage_of_the_pipeline_leaves_no_trace(
    prepared, broker, undisturbed
):
    subscribe(broker)
    sent = messages()
    part = len(sent) // len(STAGES)
    for number, stage in enumerate(STAGES):
        send(broker, sent[number * part : (number + 1) * part])
        before = fixes_in(prepared)
        doomed = WorkerProcess(prepared, mqtt_options(broker), Doom(stage, messages=2))
        assert doomed.join() == -signal.SIGKILL
        committed = fixes_in(prepared) - before
        assert bool(committed) == (stage == "after commit")
        with WorkerProcess(prepared, mqtt_options(broker)):
            until(lambda n=number: fixes_in(prepared) == (n + 1) * part, f"all after {stage}")
    assert_nothing_happened(prepared, undisturbed)


@pytest.mark.parametrize(
    ("stage", "in_hand", "takes"),
    [
        ("after decode", 50, 2),
        ("inside the transaction", 50, 2),
        ("inside the transaction", 400, 3),
    ],
)
def test_a_message_that_has_killed_workers_is_set_aside_and_no_other(
    prepared, broker, undisturbed, stage, in_hand, takes
):
    subscribe(broker)
    sent = messages()
    half = len(sent) // 2
    poison = ("gsht/v1/json/imei-1", b'{"time":1,"note":"%s"}' % POISON)
    send(broker, [*sent[:half], poison, *sent[half:]])
    deaths = 0
    while True:
        doom = Doom(stage, poison=True)
        # Old enough to be full: so many are in hand with the poison when the first worker dies.
        options = mqtt_options(broker, batch_messages=in_hand, batch_age_s=0.5)
        worker = WorkerProcess(prepared, options, doom)
        try:
            until(
                lambda w=worker: not w.is_alive or fixes_in(prepared) == len(fleet()),
                "an end, or all fixes",
            )
            if worker.is_alive:
                until(lambda: set_aside(prepared), "the poison")
                break
        finally:
            worker.__exit__()
        deaths += 1
        assert deaths <= takes, "killed one more worker"
    assert deaths == takes
    assert_nothing_happened(prepared, undisturbed, quarantined=1)


def test_late_fixes_that_have_killed_two_workers_are_set_aside_and_can_be_sent_again(
    prepared, broker, undisturbed
):
    subscribe(broker)
    sent = fleet()
    old, new = sent[: len(sent) // 2], sent[len(sent) // 2 :]
    ((vehicle,),) = ask(prepared, "SELECT id FROM vehicles WHERE plate = '29C00001'")
    others = sum(one.device != 1 for one in old)
    send(broker, messages(new))
    deaths = 0
    while True:
        worker = WorkerProcess(prepared, mqtt_options(broker), Doom(late=vehicle))
        try:
            if not deaths:
                until(lambda: fixes_in(prepared) == len(new), "what is not late")
                send(broker, messages(old))
            until(lambda w=worker: not w.is_alive or set_aside(prepared), "an end, or the poison")
            if worker.is_alive:
                until(lambda: fixes_in(prepared) == len(new) + others, "the others' late fixes")
                break
        finally:
            worker.__exit__()
        deaths += 1
        assert deaths <= 2, "killed a third worker"
    assert deaths == 2
    kept = ask(prepared, "SELECT topic, payload FROM quarantine WHERE reason = 'killed_worker'")
    assert [topic for topic, _ in kept] == ["gsht/v1/json/imei-1"]
    send(broker, kept)
    with WorkerProcess(prepared, mqtt_options(broker)):
        until(lambda: fixes_in(prepared) == len(sent), "what was sent again")
    assert_nothing_happened(prepared, undisturbed, quarantined=1)
