"""What TLS costs a crowd of trackers that connects: processor time of both sides, and memory.

    python -m benchmarks.handshakes [--quick] [--json]

A Mosquitto on loopback, with a throw-away authority (elliptic keys, TLS 1.3), takes the connections
of `hanhtrinh simulate --connections`, once plain and once with TLS. Nothing is published. The
figures are processor time, of the processes that connect and of the broker.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.parts.processor import Cost
from benchmarks.report import machine, show
from mqtt.options import BrokerOptions, TlsFiles
from simulators.connections.publisher import CrowdOptions, connect_crowd
from tests.authority import Authority
from tests.mosquitto import PLAIN, Mosquitto, missing


async def measure(config: str, tls: TlsFiles | None, connections: int) -> dict[str, Any]:
    """Connect so many, and say what it cost each of them."""
    names = [f"8690{n:011d}" for n in range(connections)]
    with Mosquitto(PLAIN + config) as broker:
        (pid,) = [
            child.pid
            for child in psutil.Process().children()
            if str(broker.home) in " ".join(child.cmdline())
        ]
        before, began = Cost.of(pid), time.monotonic()
        options = BrokerOptions(broker.host, broker.port, tls_files=tls)
        async with connect_crowd(CrowdOptions(options, names)) as crowd:
            seconds = time.monotonic() - began
            ours, theirs = [Cost.of(one) for one in crowd.pids], Cost.of(pid)
            return {
                "connections": crowd.connected,
                "wall_s": round(seconds, 2),
                "ours_cpu_s": round(sum(one.cpu_s for one in ours), 2),
                "ours_rss_mb": round(sum(one.rss for one in ours) / 1e6, 1),
                "broker_cpu_s": round(theirs.cpu_s - before.cpu_s, 2),
                "broker_rss_mb": round((theirs.rss - before.rss) / 1e6, 1),
            }


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description="What TLS costs those who connect.")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="a tenth of them")
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    arguments = parser.parse_args()
    if reason := missing():
        print(f"left out: {reason}", file=sys.stderr)
        return
    count = arguments.connections // 10 if arguments.quick else arguments.connections
    with tempfile.TemporaryDirectory(prefix="hanhtrinh-handshakes-") as folder:
        authority = Authority(Path(folder))
        result = {
            # What a process costs before it connects to anybody is in the first figure.
            "one": asyncio.run(measure("", None, 1)),
            "plain": asyncio.run(measure("", None, count)),
            "tls": asyncio.run(measure(authority.listener(), TlsFiles(str(authority.ca)), count)),
            "machine": machine(),
        }
    show(result, as_json=arguments.json)


if __name__ == "__main__":
    main()
