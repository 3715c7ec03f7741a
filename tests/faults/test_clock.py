"""A machine's clock that is set back or forward by an hour, for a while or for good."""

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from devices.batch import Quality
from ingest.clock import LASTS_S, SteadyClock
from tests.faults.fleet import working
from tests.ingest.fleet import Sent
from tests.ingest.publishing import mqtt_options, publish
from tests.questions import ask

HOUR_US = 3_600_000_000
T0_US = 1_790_000_000_000_000


class Machine:
    """A clock that can be set, and one that cannot."""

    def __init__(self):
        self.steady_s = 1000.0
        self.set_by_us = 0
        self.clock = SteadyClock(self.wall, lambda: self.steady_s)

    def wall(self):
        return T0_US + round(self.steady_s * 1e6) + self.set_by_us

    def true_us(self):
        return T0_US + round(self.steady_s * 1e6)


@pytest.mark.parametrize("step_us", [HOUR_US, -HOUR_US])
def test_a_step_that_is_taken_back_is_never_followed(step_us):
    machine = Machine()
    for second in range(int(LASTS_S) * 2):
        machine.steady_s += 1.0
        machine.set_by_us = step_us if 100 <= second < 100 + LASTS_S else 0
        assert machine.clock() == machine.true_us()


@pytest.mark.parametrize("step_us", [HOUR_US, -HOUR_US])
def test_a_step_that_lasts_is_followed_and_both_are_told(step_us):
    machine = Machine()
    machine.set_by_us = step_us
    with capture_logs() as lines:
        while machine.clock() == machine.true_us():
            machine.steady_s += 1.0
    assert machine.clock() == machine.wall()
    assert machine.steady_s == 1000.0 + LASTS_S
    assert [(line["event"], line["step_s"]) for line in lines] == [
        ("clock.stepped", step_us / 1e6), ("clock.followed", step_us / 1e6),
    ]  # fmt: skip


def test_a_clock_that_is_mended_by_and_by_is_followed_all_the_time():
    machine = Machine()
    with capture_logs() as lines:
        for _ in range(1000):
            machine.steady_s += 1.0
            machine.set_by_us += 500_000
            assert machine.clock() == machine.wall()
    assert lines == []


def test_a_second_step_begins_to_last_anew():
    machine = Machine()
    machine.set_by_us = HOUR_US
    assert machine.clock() == machine.true_us()
    machine.steady_s += LASTS_S - 1
    machine.set_by_us = 2 * HOUR_US
    assert machine.clock() == machine.true_us()
    machine.steady_s += LASTS_S - 1
    assert machine.clock() == machine.true_us()
    machine.steady_s += 1
    assert machine.clock() == machine.wall()


@pytest.mark.integration
@pytest.mark.parametrize("step_us", [HOUR_US, -HOUR_US])
def test_a_step_changes_neither_lags_nor_judgement(prepared, broker, step_us):
    set_by = [0]
    clock = SteadyClock(lambda: time.time_ns() // 1000 + set_by[0])

    def live(count):
        """Fixes as they are taken now, by real clocks."""
        now = time.time()
        return [
            (s.message[0], s.message[1].replace(b'"time": 0', b'"time": %.3f' % (now + n / 1000)))
            for n, s in enumerate(Sent(0, -1_760_000_000, 106.6, 10.75, 30.0) for _ in range(count))
        ]

    async def go():
        async with working(prepared, mqtt_options(broker), clock) as run:
            await publish(broker, live(20))
            await run.until_stored(prepared, 20)
            set_by[0] = step_us
            await publish(broker, live(20))
            await run.until_stored(prepared, 40)
            set_by[0] = 0
            await publish(broker, live(20))
            # Counted after the commit, which the database tells of first.
            await run.until(lambda: run.count("lag_seconds_count") >= 60, "60 lags")
            return (
                run.count("lag_seconds_count"),
                run.count("lag_seconds_sum"),
                run.count("stage_seconds_sum", stage="waited"),
            )

    counted, lag_s, waited_s = asyncio.run(go())
    assert counted == 60
    assert lag_s < 60 * 60
    assert waited_s < 60
    wrong = int(Quality.FUTURE | Quality.LATE)
    assert ask(prepared, "SELECT count(*) FROM fixes WHERE quality & %s <> 0", wrong) == [(0,)]
    assert ask(prepared, "SELECT count(*) FROM violations WHERE kind = 'clock_wrong'") == [(0,)]
