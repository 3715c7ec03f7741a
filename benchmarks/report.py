"""How a benchmark is run and what it prints; nothing here measures."""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("numpy", "numba", "shapely", "psycopg", "paho-mqtt", "msgspec", "pynmea2")


@dataclass(frozen=True, slots=True)
class Result:
    """Ours and the baseline, in the same unit; more is better."""

    question: str
    unit: str
    ours: float
    baseline: float
    baseline_is: str
    more: dict[str, object] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """How many times the baseline ours is."""
        return self.ours / self.baseline


def rate(work: Callable[[], int], repeats: int) -> float:
    """Things per second: the median of several runs of `work`, which says how many it did."""
    rates = []
    for _ in range(repeats):
        started = time.perf_counter()
        done = work()
        rates.append(done / (time.perf_counter() - started))
    return statistics.median(rates)


def machine() -> dict[str, object]:
    """What ran it."""
    model = platform.processor()
    details = Path("/proc/cpuinfo")
    if details.exists():
        lines = details.read_text().splitlines()
        model = next(
            (x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), model
        )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def run(measure: Callable[[bool], Result]) -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=measure.__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller size, for a first look")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    result = measure(arguments.quick)
    if arguments.json:
        print(json.dumps({**asdict(result), "ratio": result.ratio, "machine": machine()}))
        return
    print(f"{result.question}")
    print(f"  ours      {result.ours:>14,.0f} {result.unit}")
    print(f"  baseline  {result.baseline:>14,.0f} {result.unit}  ({result.baseline_is})")
    print(f"  ratio     {result.ratio:>14.1f}")
    for name, value in result.more.items():
        print(f"  {name}: {value}")
