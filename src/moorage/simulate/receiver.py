"""A tiny HTTP server on the loopback that takes what the demo's data target delivers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

_LONGEST_HEAD, _LONGEST_BODY = 65_536, 4_194_304


@dataclass
class Receiver:
    """What was delivered so far.

    Attributes:
        port: on 127.0.0.1.
        received: deliveries that were answered with 204.
    """

    port: int = 0
    received: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection (RFC 9112) until it ends."""
        with suppress(OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                fields = dict(line.split(":", 1) for line in head.split("\r\n")[1:] if ":" in line)
                length = int(fields.get("content-length", "0"))
                if length > _LONGEST_BODY or "chunked" in fields.get("transfer-encoding", ""):
                    writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
                    break
                await reader.readexactly(length)
                self.received += 1
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving(port: int) -> AsyncIterator[Receiver]:
    """Receive for the length of the block, on `port` or, where that is taken, on another."""
    receiver = Receiver()
    links: set[asyncio.StreamWriter] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        links.add(writer)
        try:
            await receiver.answer(reader, writer)
        finally:
            links.discard(writer)

    try:
        server = await asyncio.start_server(answer, "127.0.0.1", port, limit=_LONGEST_HEAD)
    except OSError:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=_LONGEST_HEAD)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for writer in links:
            writer.close()
        await asyncio.sleep(0)
