"""What every process of ours that serves needs around its work: metrics, signals, the collector.

Belongs here: what does not depend on what is served. Options of the parts are made in wiring.py.
"""

import asyncio
import gc
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hanhtrinh.errors import CommandError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def relax_collector() -> None:
    """Let the garbage collector look at what is new, and less often.

    A batch makes hundreds of thousands of objects that die with it by their reference counts;
    walking them again and again costs the worker a seventh of its time and finds nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)


@contextmanager
def served(registry: "CollectorRegistry", port: int | None) -> Iterator[None]:
    """Serve metrics on loopback for as long as the block runs."""
    if port is None:
        yield
        return
    from prometheus_client import start_http_server  # noqa: PLC0415

    try:
        server, thread = start_http_server(port, "127.0.0.1", registry)
    except OSError as error:
        raise CommandError(
            f"metrics_port: cannot listen on 127.0.0.1 port {port}: {error.strerror}"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    """Have Ctrl-C and SIGTERM set the event, so that work ends at a clean point."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
