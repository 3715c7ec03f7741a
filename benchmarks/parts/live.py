"""Live traffic: a fleet's fixes, published as they are taken, again until they are acknowledged.

In a thread of its own. Belongs here: what devices do when the broker is away. Does not belong here:
speed (sender.py).
"""

import asyncio
import threading
import time
from bisect import bisect_right
from typing import Final

import aiomqtt

from hanhtrinh.embedded import EmbeddedNats
from simulators.feed import Message, single
from simulators.fleet import Fleet, FleetOptions
from simulators.world import load_world

TICK_US: Final = 100_000
WINDOW: Final = 200
SPREAD_S: Final = 60.0
"""Planned violations begin within a minute: faults do not last long."""


def fleet_of(vehicles: int, start_us: int) -> Fleet:
    """The fleet of these benchmarks: the same in every process that names the same numbers."""
    return Fleet(load_world(), FleetOptions(vehicles, 1, "json", start_us, SPREAD_S))


class LiveTraffic:
    """Publishes from `begin_us` on until `stop`. sent: messages that are acknowledged."""

    def __init__(self, fleet: Fleet, interval_s: int, broker: EmbeddedNats, begin_us: int) -> None:
        self._fleet = fleet
        self._interval_s = interval_s
        self._broker = broker
        self.begin_us = self.end_us = begin_us
        self._sums: list[int] = [0]
        self._times: list[float] = [begin_us / 1e6]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="live")

    @property
    def taken(self) -> int:
        """Fixes that devices have taken so far."""
        return self._sums[-1]

    def lag_s(self, stored: int) -> float:
        """For how long the first fix that is not stored has waited, when `stored` are; 0: none."""
        at = bisect_right(self._sums, stored)
        return 0.0 if at == len(self._sums) else time.time() - self._times[at]

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more fixes; returns when all that were taken are acknowledged."""
        self._stopping.set()
        self._thread.join()

    async def _run(self) -> None:
        waiting: list[Message] = []
        while waiting or not self._stopping.is_set():
            try:
                async with self._client() as client:
                    while waiting or not self._stopping.is_set():
                        await self._send(client, waiting)
                        waiting = await self._tick()
            except aiomqtt.MqttError:
                await asyncio.sleep(0.2)

    async def _send(self, client: aiomqtt.Client, waiting: list[Message]) -> None:
        while waiting:
            part = waiting[:WINDOW]
            await asyncio.gather(*(self._publish(client, message) for message in part))
            del waiting[:WINDOW]

    async def _publish(self, client: aiomqtt.Client, message: Message) -> None:
        await client.publish(message.topic, message.payload, qos=1, timeout=10)

    async def _tick(self) -> list[Message]:
        """The fixes taken since the last tick."""
        if self._stopping.is_set():
            return []
        until_us = max(self.end_us + TICK_US, time.time_ns() // 1000)
        await asyncio.sleep(max(0.0, until_us / 1e6 - time.time()))
        messages = single(self._fleet, self._fleet.due(self.end_us, until_us, self._interval_s))
        self.end_us = until_us
        self._sums.append(self._sums[-1] + len(messages))
        self._times.append(until_us / 1e6)
        return messages

    def _client(self) -> aiomqtt.Client:
        device = self._broker.device
        client = aiomqtt.Client(
            self._broker.host,
            self._broker.mqtt_port,
            username=device.username,
            password=device.password,
            timeout=5,
            max_inflight_messages=WINDOW,
        )
        client.pending_calls_threshold = 4 * WINDOW
        return client
