"""Yardsticks: the plainest subscribers there can be, each as a process of its own.

`python -m benchmarks.parts.subscriber count` only counts what comes; `executemany` decodes every
message by itself and writes its fixes with executemany, some thousand to a transaction, into a
table without keys. Both let paho acknowledge on receipt, so that they lose what a crash finds
in them. Each reads one JSON object of options, says "ready", and then a JSON object of what it has
done for each line that it reads.
"""

import asyncio
import json
import queue
import sys
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import psycopg
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.parts.asked import AskedProcess
from devices.catalogue import CODECS
from ingest.topics import DEFAULT_PATTERNS, Address, TopicRouter, subscriptions

BATCH = 4096
CREATE = """
CREATE UNLOGGED TABLE IF NOT EXISTS plain_fixes
    (sender text, time timestamptz, lon float8, lat float8, speed_kmh float4)
"""
INSERT = "INSERT INTO plain_fixes VALUES (%s, to_timestamp(%s), %s, %s, %s)"


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the brokers (host, port) and the database are."""

    listeners: list[tuple[str, int]]
    username: str
    password: str
    dsn: str


@dataclass(frozen=True, slots=True)
class Heard:
    """messages: finished so far; at: when the last was, seconds since 1970."""

    messages: int
    at: float


class Counter:
    """Counts."""

    def __init__(self, plan: Plan) -> None:
        self.messages = 0
        self.at = time.time()
        self._counting = threading.Lock()
        self._subscribed = [self._subscribe(plan, *listener) for listener in plan.listeners]

    def _subscribe(self, plan: Plan, host: str, port: int) -> threading.Event:
        """Listen to a broker, in a thread of its own; the event is set once it has agreed."""
        client = Client(CallbackAPIVersion.VERSION2, client_id="yardstick")
        client.username_pw_set(plan.username, plan.password)
        client.on_message = self.on_message
        subscribed = threading.Event()
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_connect = lambda client, *_: client.subscribe(
            [(topic, 1) for topic in subscriptions(DEFAULT_PATTERNS)]
        )
        client.connect(host, port)
        client.loop_start()
        return subscribed

    def wait(self, patience_s: float) -> bool:
        """Whether every broker has taken the subscription within so long."""
        return all(subscribed.wait(patience_s) for subscribed in self._subscribed)

    def on_message(self, _client: Client, _userdata: Any, _message: MQTTMessage) -> None:
        with self._counting:
            self.messages += 1
        self.at = time.time()


class Writer(Counter):
    """Decodes and writes, one after the other."""

    def __init__(self, plan: Plan) -> None:
        self._queue: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self._router = TopicRouter()
        self._dsn = plan.dsn
        threading.Thread(target=self._write, daemon=True).start()
        super().__init__(plan)

    def on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        self._queue.put((message.topic, bytes(message.payload)))

    def _write(self) -> None:
        with psycopg.connect(self._dsn) as conn:
            conn.execute(CREATE)
            conn.commit()
            while True:
                messages = [self._queue.get()]
                while len(messages) < BATCH and not self._queue.empty():
                    messages.append(self._queue.get())
                rows = [row for message in messages for row in self._rows(*message)]
                conn.cursor().executemany(INSERT, rows)
                conn.commit()
                self.messages += len(messages)
                self.at = time.time()

    def _rows(self, topic: str, payload: bytes) -> list[tuple[object, ...]]:
        address = self._router.address(topic)
        assert isinstance(address, Address)
        fixes = CODECS[address.codec].decode([payload], np.array([time.time_ns() // 1000])).fixes
        columns = (fixes.time / 1e6, fixes.lon, fixes.lat, fixes.speed_kmh)
        values = zip(*(column.tolist() for column in columns), strict=True)
        return [(address.ident, *row) for row in values]


class Subscriber(AskedProcess):
    """The process, seen from the benchmark."""

    @classmethod
    async def start(cls, kind: str, plan: Plan) -> Self:
        """Start it and wait until it has subscribed."""
        return await cls.run(__name__, kind, plan=plan)

    async def heard(self) -> Heard:
        """What it has finished so far."""
        return Heard(**json.loads(await self.ask("heard")))

    async def finished(self, messages: int, patience_s: float = 60.0) -> Heard:
        """Wait until it has so many, or has nothing new for so long."""
        heard = await self.heard()
        while heard.messages < messages and time.time() - heard.at < patience_s:
            await asyncio.sleep(0.1)
            heard = await self.heard()
        return heard


def main() -> None:
    """Be the process."""
    plan = Plan(**json.loads(sys.stdin.readline()))
    counter = {"count": Counter, "executemany": Writer}[sys.argv[1]](plan)
    if not counter.wait(30):
        sys.exit("yardstick: a broker does not take the subscription")
    print("ready", flush=True)
    while sys.stdin.readline():
        print(json.dumps(asdict(Heard(counter.messages, counter.at))), flush=True)


if __name__ == "__main__":
    main()
