"""How a benchmark is run and what it prints; nothing here measures."""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Self

LIBRARIES = ("numpy", "numba", "shapely", "psycopg", "paho-mqtt", "msgspec", "pynmea2")


class Rate(float):
    """Things per second: the median of several runs, which knows the slowest and the fastest."""

    slowest: float
    fastest: float

    @classmethod
    def of(cls, rates: Sequence[float]) -> Self:
        """The rate that several runs come to."""
        made = cls(statistics.median(rates))
        made.slowest, made.fastest = min(rates), max(rates)
        return made


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

    def as_json(self) -> dict[str, object]:
        """Everything, with the ratio and what ran it."""
        spread = {
            f"{name}_spread": [rate.slowest, rate.fastest]
            for name, rate in (("ours", self.ours), ("baseline", self.baseline))
            if isinstance(rate, Rate)
        }
        return {**asdict(self), **spread, "ratio": self.ratio, "machine": machine()}


def timed(work: Callable[[], int]) -> float:
    """Things per second of one run of `work`, which says how many it did.

    Seconds are this process's processor time: on a calm machine the same as elapsed ones, and on a
    busy one not those in which others had the processor. Work of one thread only.
    """
    started = time.process_time()
    done = work()
    return done / (time.process_time() - started)


def rate(work: Callable[[], int], repeats: int) -> Rate:
    """Things per second: the median of several runs of `work`, which says how many it did."""
    return Rate.of([timed(work) for _ in range(repeats)])


def rates(ours: Callable[[], int], baseline: Callable[[], int], repeats: int) -> tuple[Rate, Rate]:
    """Both in turn, so that whatever else the machine does meanwhile hits both alike."""
    runs = [(timed(ours), timed(baseline)) for _ in range(repeats)]
    return Rate.of([pair[0] for pair in runs]), Rate.of([pair[1] for pair in runs])


def machine() -> dict[str, object]:
    """What ran it, and how busy it was with other things too: the load of the last minute."""
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def run(measure: Callable[[bool], Result]) -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=measure.__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller size, for a first look")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    result = measure(arguments.quick)
    if arguments.json:
        print(json.dumps(result.as_json()))
        return
    print(f"{result.question}")
    print(f"  ours      {_shown(result.ours, result.unit)}")
    print(f"  baseline  {_shown(result.baseline, result.unit)}  ({result.baseline_is})")
    print(f"  ratio     {result.ratio:>14.1f}")
    for name, value in result.more.items():
        print(f"  {name}: {value}")


def show(result: Mapping[str, object], *, as_json: bool) -> None:
    """Print figures that have no baseline, as one JSON object in the last line.

    as_json: print nothing else.
    """
    if not as_json:
        for name, value in result.items():
            print(f"  {name}: {value}")
    print(json.dumps(result))


def _shown(value: float, unit: str) -> str:
    spread = f"  ({value.slowest:,.0f} to {value.fastest:,.0f})" if isinstance(value, Rate) else ""
    return f"{value:>14,.0f} {unit}{spread}"
