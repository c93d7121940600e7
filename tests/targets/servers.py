"""Real other sides on loopback: an HTTP server that misbehaves on demand, and Mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httptools

from ports import free_port


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What the server does: answers, late if asked, or closes without a word."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0
    close: bool = False


class HttpServer:
    """Keeps what it was sent; `behave` decides about each request."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.behave: Callable[[Request], Answer] = lambda _request: Answer()
        self.port = 0
        self.arrived = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def wait_for(self, count: int, timeout_s: float = 20) -> list[Request]:
        async with asyncio.timeout(timeout_s), self.arrived:
            await self.arrived.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def note(self, request: Request) -> None:
        async with self.arrived:
            self.requests.append(request)
            self.arrived.notify_all()


class _Protocol(asyncio.Protocol):
    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.server.connections += 1
        self._begin()

    def _begin(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.target, self.headers, self.body = b"", {}, b""

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        method = self.parser.get_method().decode()
        request = Request(method, self.target.decode(), self.headers, self.body)
        task = asyncio.ensure_future(self._answer(request))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        asyncio.get_running_loop().call_soon(self._begin)

    async def _answer(self, request: Request) -> None:
        answer = self.server.behave(request)
        if answer.after_s:
            await asyncio.sleep(answer.after_s)
        await self.server.note(request)
        if answer.close:
            self.transport.close()
            return
        head = f"HTTP/1.1 {answer.status} X\r\ncontent-length: {len(answer.body)}\r\n"
        head += "".join(f"{k}: {v}\r\n" for k, v in answer.headers.items())
        self.transport.write(head.encode() + b"\r\n" + answer.body)


@contextlib.asynccontextmanager
async def http_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpServer]:
    server = HttpServer()
    listening = await asyncio.get_running_loop().create_server(
        lambda: _Protocol(server), "127.0.0.1", 0, ssl=tls
    )
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


@contextlib.asynccontextmanager
async def mosquitto(directory: Path, *lines: str) -> AsyncIterator[int]:
    """Run Debian's Mosquitto on a free port; `lines` go into its configuration."""
    port = free_port()
    executable = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert executable, "Mosquitto is not installed; run scripts/system-packages test."
    config = directory / "mosquitto.conf"
    head = [f"listener {port} 127.0.0.1", "user root", "persistence false"]
    config.write_text("\n".join([*head, *lines, ""]))
    process = await asyncio.create_subprocess_exec(
        executable, "-c", str(config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        await until_listening(port)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def until_listening(port: int) -> None:
    """Wait until somebody listens there."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(OSError):
                _reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)
