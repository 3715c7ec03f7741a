"""What processes have cost: processor seconds, their ended children's included, and memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import psutil


@dataclass(frozen=True, slots=True)
class Cost:
    """cpu_s: processor seconds since the process began. rss: bytes in memory."""

    cpu_s: float
    rss: int

    @classmethod
    def of(cls, pid: int) -> Self:
        """The process and all that it started, ended or not.

        rss counts memory that processes share (PostgreSQL's buffers) once.
        """
        process = psutil.Process(pid)
        cpu_s, private, largest = 0.0, 0, 0
        for each in [process, *process.children(recursive=True)]:
            try:
                times, memory = each.cpu_times(), each.memory_info()
            except psutil.NoSuchProcess:
                continue
            # Children that have ended are in their parent's times.
            cpu_s += times.user + times.system + times.children_user + times.children_system
            shared = getattr(memory, "shared", 0)
            private += memory.rss - shared
            largest = max(largest, shared)
        return cls(cpu_s, private + largest)


def costs(pids: Mapping[str, int]) -> dict[str, Cost]:
    """The cost of several processes by name."""
    return {name: Cost.of(pid) for name, pid in pids.items()}
