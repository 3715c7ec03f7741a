"""A process of the benchmark that is asked in lines: one line to it, one line back."""

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class AskedProcess:
    """The process, seen from the benchmark."""

    def __init__(self, module: str, process: asyncio.subprocess.Process) -> None:
        self._module = module
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    async def run(cls, module: str, *arguments: str, plan: "DataclassInstance") -> Self:
        """Start a module with its plan, and wait until it says that it is ready."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        started = cls(module, process)
        await started.ask(json.dumps(asdict(plan)))
        return started

    async def ask(self, line: str) -> str:
        """Send a line; returns what it answers. Raises RuntimeError if it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line.encode() + b"\n")
        answer = await self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self._module}: ended with {await self._process.wait()}")
        return answer.decode()

    async def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
