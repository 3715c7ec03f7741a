"""How many trackers does one gateway process hold, and how many messages a second does it pass on?

Trackers (Teltonika over TCP, one fix a packet) come from several addresses of the loopback, log in,
and stay. Then each sends packet after packet, the next when the one before is acknowledged, which
is after the broker has it. Broker, gateway and the trackers (two processes) are processes of their
own on this machine. Baseline: the same packets published by the load generator, with no gateway.
"""

import asyncio
import json
import os
import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.parts.processor import Cost, costs
from benchmarks.parts.servers import new_folder
from benchmarks.parts.trackers import FIRST_IMEI, Plan, Trackers, packet
from benchmarks.report import Rate, Result, run
from hanhtrinh.embedded import DataFolder, EmbeddedNats
from hanhtrinh.embedded.process import Launch, ServerProcess, log_end
from hanhtrinh.wiring import embedded_environment
from simulators.load import Load, LoadOptions
from simulators.publisher import BrokerOptions

TRACKERS = 20_000
ADDRESSES = 32
PROCESSES = 2
SPARE_FILES = 300
START_S = 60.0

_LISTENING = re.compile(r'^{.*"gateway\.listening".*}$', re.MULTILINE)
_CONNECTED = '"broker.connected"'


class GatewayProcess:
    """`hanhtrinh gateway` with its defaults, but for who may connect."""

    def __init__(self, folder: DataFolder, broker: EmbeddedNats) -> None:
        self._log = folder.path / "gateway.log"
        self._process = ServerProcess(
            Launch(
                name="gateway",
                command=[sys.executable, "-m", "hanhtrinh", "gateway"],
                log=self._log,
                stop=[("SIGTERM", 20.0)],
                death_signal="SIGTERM",
                env={
                    **{k: v for k, v in os.environ.items() if not k.startswith("HANHTRINH_")},
                    **embedded_environment("postgresql://", broker),
                    "PYTHONPATH": str(Path(__file__).parents[1]),
                    "HANHTRINH_LOG__FORMAT": "json",
                    "HANHTRINH_GATEWAY__LISTENERS": "teltonika tcp://127.0.0.1:0",
                },
            )
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        self._process.stop()

    def port(self) -> int:
        """Wait until it serves; returns its port."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.is_running:
            said = self._log.read_text("utf-8")
            if (found := _LISTENING.search(said)) and _CONNECTED in said:
                return int(json.loads(found[0])["port"])
            time.sleep(0.05)
        raise RuntimeError(f"gateway: not ready:{log_end(self._log, 0)}")


@contextmanager
def serving(folder: DataFolder, broker: EmbeddedNats) -> Iterator[GatewayProcess]:
    gateway = GatewayProcess(folder, broker)
    try:
        yield gateway
    finally:
        gateway.stop()


async def baseline(broker: EmbeddedNats, trackers: int, times: list[int]) -> Rate:
    """Messages/s of the same packets straight to the broker."""
    device = broker.device
    login = BrokerOptions("127.0.0.1", broker.mqtt_port, device.username, device.password)
    rates = []
    for turns in times:
        topics = [f"gsht/v1/teltonika/{FIRST_IMEI + n}" for n in range(trackers)] * turns
        load = Load(LoadOptions(login, connections=2), topics, [packet()] * len(topics))
        rates.append((await load.run()).per_second)
    return Rate.of(rates)


async def ours(
    gateway: GatewayProcess, broker: EmbeddedNats, trackers: int, times: list[int]
) -> tuple[Rate, dict[str, object]]:
    """Messages/s through the gateway, and what that cost."""
    pids = {"gateway": gateway.pid, "broker": broker.pid}
    port, empty = gateway.port(), Cost.of(gateway.pid)
    each, begun = trackers // PROCESSES, time.perf_counter()
    fleets = [
        await Trackers.start(Plan(port, number * each, each, ADDRESSES))
        for number in range(PROCESSES)
    ]
    try:
        taken = sum(await asyncio.gather(*(fleet.taken() for fleet in fleets)))
        login_s, idle = time.perf_counter() - begun, costs(pids)
        rates, sent = [], 0
        for turns in times:
            begun = time.perf_counter()
            acknowledged = sum(await asyncio.gather(*(fleet.send(turns) for fleet in fleets)))
            rates.append(acknowledged / (time.perf_counter() - begun))
            sent += acknowledged
        after = costs(pids)
        if (taken, sent) != (each * PROCESSES, each * PROCESSES * sum(times)):
            raise RuntimeError(f"expected all of {trackers} trackers, got {taken}; {sent} packets")
    finally:
        for fleet in fleets:
            await fleet.stop()
    spent = {name: (after[name].cpu_s - idle[name].cpu_s) / sent * 1000 for name in pids}
    return Rate.of(rates), {
        "connections held": taken,
        "logins/s": round(taken / login_s),
        "processor s per 1,000 logins": round(
            (idle["gateway"].cpu_s - empty.cpu_s) / taken * 1000, 4
        ),
        "messages": sent,
        "processor s per 1,000 messages": {name: round(cpu_s, 4) for name, cpu_s in spent.items()},
        "memory of the gateway, MB": {
            "empty": round(empty.rss / 1e6),
            "all logged in": round(idle["gateway"].rss / 1e6),
            "at the end": round(after["gateway"].rss / 1e6),
        },
    }


def allowed_trackers(wanted: int) -> int:
    """As many as the system allows one process to hold."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted + SPARE_FILES,) * 2)
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        wanted = min(wanted, hard - SPARE_FILES)
    return wanted // PROCESSES * PROCESSES


def measure(quick: bool) -> Result:
    """Log 20,000 trackers in, and pass their packets on."""
    trackers = 1_000 if quick else allowed_trackers(TRACKERS)
    times = [5] if quick else [5, 5, 5]
    with new_folder() as folder, EmbeddedNats(folder) as broker:
        with serving(folder, broker) as gateway:
            rate, more = asyncio.run(ours(gateway, broker, trackers, times))
        plain = asyncio.run(baseline(broker, trackers, times))
    return Result(
        "packets from trackers' sockets to the broker, acknowledged", "messages/s", rate, plain,
        "the same packets by the load generator straight to the broker", more,
    )  # fmt: skip


if __name__ == "__main__":
    run(measure)
