"""An MQTT client for one thing at a time, and what it was told."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from moorage_mqtt import (
    V5,
    Acknowledged,
    ClientConnection,
    ConnAck,
    Disconnect,
    Event,
    Limits,
    SubAck,
    Subscription,
)

PATIENCE_S = 30.0
E = TypeVar("E", bound=Event)


class Client:
    """One connection; `events` are those not yet asked for."""

    def __init__(
        self, core: ClientConnection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.core = core
        self.reader = reader
        self.writer = writer
        self.events: list[Event] = []
        self.closed = False
        self._count = 0

    async def next(self, kind: type[E], fits: Callable[[E], bool] = lambda _event: True) -> E:
        """Wait for the next event of a kind; fails if the connection ends before."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for event in self.events:
                    if isinstance(event, kind) and fits(event):
                        self.events.remove(event)
                        return event
                assert not self.closed, f"closed; {self.events}"
                await self._read()

    async def until_closed(self) -> Disconnect | None:
        """Wait until the other side closes; give its DISCONNECT, if it sent one."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.closed:
                await self._read()
        return next((event for event in self.events if isinstance(event, Disconnect)), None)

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1) -> int:
        """Publish and give the reason code of the answer."""
        return (await self.acknowledgement(self.send(topic, payload, qos=qos))).reason_code

    async def acknowledgement(self, reference: str) -> Acknowledged:
        """Wait for the answer to what `send` sent."""
        return await self.next(Acknowledged, lambda event: event.reference == reference)

    def send(self, topic: str, payload: bytes, *, qos: int = 1) -> str:
        """Publish without waiting; give its name."""
        self._count += 1
        self.core.publish(topic, payload, qos=qos, now=time.monotonic(), reference=str(self._count))
        self.flush()
        return str(self._count)

    async def subscribe(self, topic_filter: str) -> int:
        """Subscribe and give the reason code."""
        self.core.subscribe(Subscription(topic_filter, 1))
        self.flush()
        return (await self.next(SubAck)).reason_codes[0]

    def flush(self) -> None:
        """Send what is due."""
        self.writer.write(self.core.take())

    async def _read(self) -> None:
        try:
            data = await self.reader.read(65_536)
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
            return
        self.events += self.core.receive(data, time.monotonic())
        self.flush()


@contextlib.asynccontextmanager
async def dialled(
    port: int,
    *,
    version: int = V5,
    username: str | None = None,
    secret: str | None = None,
    client_id: str = "tester",
    under_way: int = 100,
    tls: ssl.SSLContext | None = None,
    **more: Any,
) -> AsyncIterator[Client]:
    """Open a connection and send CONNECT; the answer is for the caller to take.

    `more` is for the core's client, such as `clean_start`.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    core = ClientConnection(
        client_id,
        now=time.monotonic(),
        version=version,
        limits=Limits(send_maximum=under_way),
        username=username,
        password=None if secret is None else secret.encode(),
        **more,
    )
    client = Client(core, reader, writer)
    client.flush()
    try:
        yield client
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def connected(
    port: int,
    username: str,
    secret: str,
    *,
    version: int = V5,
    client_id: str = "tester",
    under_way: int = 100,
) -> AsyncIterator[Client]:
    """Open a connection that is accepted."""
    async with dialled(
        port,
        version=version,
        username=username,
        secret=secret,
        client_id=client_id,
        under_way=under_way,
    ) as client:
        answer = await client.next(ConnAck)
        assert answer.reason_code == 0, answer
        yield client
