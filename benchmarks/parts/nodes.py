"""Brokers for many connections: as many NATS servers as the limit of open files asks for.

Each is the embedded broker as the demo runs it and knows nothing of the others; of what may be
under way unacknowledged it has its share (docs/brokers.md). For comparison they can be a cluster of
such servers, each with an MQTT listener; messages then lie on one of them.
"""

import json
import os
import resource
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Final

from hanhtrinh.embedded import DataFolder, EmbeddedNats
from hanhtrinh.embedded.ports import LOOPBACK, free_port
from hanhtrinh.embedded.process import ServerProcess, log_end

SPARE_FILES: Final = 1_000
"""Of a node: its store, its routes, and connections that are closing."""

START_S: Final = 120.0
READY: Final = ("Server is ready", "metadata leader")
SECRETS: Final = ("broker-worker", "broker-device")


class Neighbour(EmbeddedNats):
    """One of several that know nothing of each other, with its share of what may be under way.

    What all of them have delivered should be committed before they deliver it again. Of the
    processors each has its share, too: with more threads they wake each other for nothing.
    """

    def __init__(self, folder: DataFolder, count: int) -> None:
        self._count = count
        share = max(1, (os.cpu_count() or 1) // count)
        super().__init__(folder, processors=None if count == 1 else share)

    def _config(self, port: int) -> str:
        config = json.loads(super()._config(port))
        config["mqtt"]["max_ack_pending"] //= self._count
        return json.dumps(config)


class Node(EmbeddedNats):
    """One member of a cluster. ports: of all members' routes; number: which of them is this one."""

    def __init__(self, folder: DataFolder, number: int, ports: Sequence[int]) -> None:
        self._number = number
        self._ports = ports
        super().__init__(folder)

    def _config(self, port: int) -> str:
        config = json.loads(super()._config(port))
        routes = [f"nats://{LOOPBACK}:{route}" for route in self._ports]
        config["server_name"] = f"node-{self._number}"
        config["cluster"] = {
            "name": "hanhtrinh",
            "listen": f"{LOOPBACK}:{self._ports[self._number]}",
            "routes": routes,
        }
        # What is measured is what one copy costs: as with the single node.
        config["mqtt"] |= {"stream_replicas": 1, "consumer_replicas": 1}
        return json.dumps(config)

    def _wait_until_ready(self, process: ServerProcess, begin: int) -> None:
        deadline = time.monotonic() + START_S
        while not all(word in self.log.read_text("utf-8")[begin:] for word in READY):
            if not process.is_running or time.monotonic() > deadline:
                raise RuntimeError(f"node {self._number}: not ready:{log_end(self.log, begin)}")
            time.sleep(0.05)


def brokers_for(connections: int) -> int:
    """How many brokers so many connections take, each a process of its own."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 if hard == resource.RLIM_INFINITY else max(1, -(-connections // (hard - SPARE_FILES)))


@contextmanager
def new_brokers(folder: DataFolder, count: int) -> Iterator[list[EmbeddedNats]]:
    """So many that know nothing of each other, with the same users."""
    with ExitStack() as stack:
        folders = [folder, *(_folder_of(folder, number, stack) for number in range(1, count))]
        yield [stack.enter_context(Neighbour(own, count)) for own in folders]


@contextmanager
def new_cluster(folder: DataFolder, count: int) -> Iterator[list[EmbeddedNats]]:
    """So many nodes of one cluster; three at least, since two have no majority without each other.

    The worker reads from the first.
    """
    with ExitStack() as stack:
        ports = [free_port() for _ in range(max(count, 3))]
        folders = [_folder_of(folder, number, stack) for number in range(len(ports))]
        # At once: each is ready when it has found the others.
        with ThreadPoolExecutor(len(ports)) as threads:
            starting = [
                threads.submit(Node, own, number, ports) for number, own in enumerate(folders)
            ]
        yield [stack.enter_context(each.result()) for each in starting]


def _folder_of(folder: DataFolder, number: int, stack: ExitStack) -> DataFolder:
    """A folder for a node, with the passwords of all of them."""
    own = stack.enter_context(DataFolder.open(folder.path / f"node-{number}"))
    for name in SECRETS:
        (own.subfolder("secrets") / name).write_text(folder.secret(name), "ascii")
    return own
