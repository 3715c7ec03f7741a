"""A TCP proxy whose answers can be held back: a broker that has a message and cannot say so."""

import asyncio
from contextlib import asynccontextmanager, suppress


class Proxy:
    def __init__(self) -> None:
        self.port = 0
        self.answering = asyncio.Event()
        self.answering.set()
        self._writers: list[asyncio.StreamWriter] = []

    def cut(self) -> None:
        """End all connections, with what was held back."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@asynccontextmanager
async def proxied(host, port):
    proxy = Proxy()

    async def copy(reader, writer, gate=None):
        with suppress(OSError):
            while chunk := await reader.read(65_536):
                if gate is not None:
                    await gate.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def serve(reader, writer):
        far_reader, far_writer = await asyncio.open_connection(host, port)
        proxy._writers += [writer, far_writer]
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer, proxy.answering))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            proxy.answering.set()
            proxy.cut()
