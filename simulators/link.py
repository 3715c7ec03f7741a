"""Link: a TCP proxy between two parts of the product, for what happens to networks.

It can be stalled (nothing passes and nobody is told), cut (connections end), and made slow. Runs in
a thread of its own, so that whoever uses it may block. Belongs here: what a network does. Does not
belong here: what the parts on either side do about it.
"""

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any, Final, Self

CHUNK: Final = 65_536


class Link:
    """Forwards every connection to `host:port`. `port` is where to connect instead.

    connections: how many were made. Enter it as a context; methods may be called from any thread.
    """

    def __init__(self, host: str, port: int) -> None:
        self._far = (host, port)
        self.port = 0
        self.connections = 0
        self._slower = 1.0
        # Of each connection: the side of who made it, the far side.
        self._pairs: dict[asyncio.StreamWriter, asyncio.StreamWriter] = {}
        self._lost: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="link")

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._end())
        self._thread.join()

    def stall(self, *, answers_only: bool = False) -> None:
        """Let nothing pass; what is sent waits, as far as buffers go, and connections stand.

        answers_only: what is asked arrives, and only the answers do not.
        """
        self._call(self._set(answers=False, questions=answers_only))

    def flow(self) -> None:
        """Let everything pass again."""
        self._slower = 1.0
        self._call(self._set(answers=True, questions=True))

    def slow_down(self, times: float) -> None:
        """Have every answer take so many times as long as the far side takes to give it."""
        self._slower = times

    def cut(self) -> None:
        """End all connections, with what was held back in them."""
        self._call(self._cut())

    def lead_to(self, host: str, port: int) -> None:
        """Forward the connections that are made from now on to another place."""
        self._far = (host, port)

    def lose(self) -> None:
        """End all connections for those who made them; the far side is not told."""
        self._call(self._lose())

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._answers, self._questions, self._ended = (asyncio.Event() for _ in range(3))
        self._answers.set()
        self._questions.set()
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._ended.wait()
            await self._set(answers=True, questions=True)
            await self._cut()
            await asyncio.gather(*self._serving)

    async def _end(self) -> None:
        self._ended.set()

    async def _set(self, *, answers: bool, questions: bool) -> None:
        for gate, is_open in ((self._answers, answers), (self._questions, questions)):
            if is_open:
                gate.set()
            else:
                gate.clear()

    async def _cut(self) -> None:
        for pair in self._pairs.items():
            for writer in pair:
                writer.transport.abort()
        self._pairs.clear()

    async def _lose(self) -> None:
        self._lost |= self._pairs.keys()
        for near in self._pairs:
            near.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.create_task(self._forward(reader, writer))
        self._serving.add(serving)
        await serving
        self._serving.discard(serving)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._far)
        except OSError:
            writer.transport.abort()
            return
        self._pairs[writer] = far_writer
        asked_at = time.monotonic()

        async def ask() -> None:
            nonlocal asked_at
            while chunk := await reader.read(CHUNK):
                await self._questions.wait()
                asked_at = time.monotonic()
                far_writer.write(chunk)
                await far_writer.drain()

        async def answer() -> None:
            nonlocal asked_at
            while chunk := await far_reader.read(CHUNK):
                if self._slower > 1.0:
                    took = time.monotonic() - asked_at
                    await asyncio.sleep(took * (self._slower - 1.0))
                    asked_at = time.monotonic()  # of an answer in parts, each is slow for itself
                await self._answers.wait()
                writer.write(chunk)
                await writer.drain()

        sides = [asyncio.create_task(ask()), asyncio.create_task(answer())]
        # Whichever side ends the connection, or breaks it, ends it for the other.
        await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
        for side in sides:
            side.cancel()
        await asyncio.gather(*sides, return_exceptions=True)
        writer.close()
        if writer in self._lost:
            return  # the far side stands until `cut`
        far_writer.close()
        self._pairs.pop(writer, None)
