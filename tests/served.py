"""The application behind a real socket, in a thread of its own, for clients that are not async."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import uvicorn

import web
from borders import North, settle
from moorage.entry.api import Application
from web import World

T = TypeVar("T")


class Served:
    """A running server and the world behind it.

    Attributes:
        url: of the server.
        north: an organisation with one thing of every kind.
    """

    url: str
    world: World
    north: North
    loop: asyncio.AbstractEventLoop

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the server's loop, which owns its database connections."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(app: Application) -> AsyncIterator[str]:
    """Serve an application on a free port of the loopback until the block ends; give its URL."""
    config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False)
    server = _Quiet(config)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        running = asyncio.create_task(server.serve([bound]))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        server.should_exit = True
        await running


@contextmanager
def serving(database_url: str, directory: Path) -> Iterator[Served]:
    """Serve on a free port of the loopback until the block ends."""
    served, ready = Served(), threading.Event()
    failed: list[BaseException] = []
    stop = asyncio.Event()

    async def run() -> None:
        served.loop = asyncio.get_running_loop()
        async with web.running(database_url, directory) as world:
            served.world = world
            served.north = await settle(world)
            async with listening(world.app) as served.url:
                ready.set()
                await stop.wait()

    def thread() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            failed.append(error)
            ready.set()

    worker = threading.Thread(target=thread, daemon=True)
    worker.start()
    ready.wait(60)
    if failed:
        raise failed[0]
    try:
        yield served
    finally:
        served.loop.call_soon_threadsafe(stop.set)
        worker.join(30)
