"""A provider's replay as a process of its own: `python -m benchmarks.parts.flood`.

It reads one JSON object of options and publishes what its vehicles took in two hours, newest file
first, one file in each cycle, as the providers of the national feed do after a broken line.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.parts.live import fleet_of
from simulators.feed import Message, single
from simulators.fleet import Fleet
from simulators.load import Load, LoadOptions
from simulators.publisher import BrokerOptions


@dataclass(frozen=True, slots=True)
class Flood:
    """vehicles: the fleet's, of which the first `cut_off` replay what came before `until_us`."""

    port: int
    username: str
    password: str
    vehicles: int
    cut_off: int
    start_us: int
    until_us: int
    interval_s: int
    files: int
    cycle_s: float

    def parts(self, fleet: Fleet) -> Iterator[list[Message]]:
        """The files, newest first."""
        step = (self.until_us - self.start_us) // self.files
        for number in reversed(range(self.files)):
            begin = self.start_us + number * step
            fixes = fleet.due(begin, begin + step, self.interval_s)
            yield single(fleet, fixes.take(fixes.vehicle < self.cut_off))


def begin(flood: Flood) -> "subprocess.Popen[bytes]":
    """Start it; it ends when the last file is acknowledged."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(flood)).encode())
    process.stdin.close()
    return process


def main() -> None:
    """Be the process."""
    flood = Flood(**json.load(sys.stdin))
    broker = BrokerOptions("127.0.0.1", flood.port, flood.username, flood.password)
    fleet = fleet_of(flood.vehicles, flood.start_us)
    for part in flood.parts(fleet):
        began = time.monotonic()
        if part:
            options = LoadOptions(broker, rate=len(part) / flood.cycle_s, patience_s=120.0)
            load = Load(options, [m.topic for m in part], [m.payload for m in part])
            asyncio.run(load.run())
        time.sleep(max(0.0, began + flood.cycle_s - time.monotonic()))


if __name__ == "__main__":
    main()
