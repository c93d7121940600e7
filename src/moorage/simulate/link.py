"""A simulated device's MQTT connection: `moorage_mqtt` on a socket."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from moorage_mqtt import (
    V5,
    V311,
    Acknowledged,
    ClientConnection,
    ConnAck,
    Delivery,
    Disconnect,
    Event,
    Failed,
    Publish,
    Subscription,
)

ANSWER_S = 20.0
OnCommand = Callable[[str, bytes], None]


class LinkRefused(ConnectionError):
    """The platform does not let the device in."""


class LinkLost(ConnectionError):
    """The connection is over."""


@dataclass(frozen=True)
class MqttDoor:
    """Where the platform takes MQTT; `context` is for TLS."""

    host: str
    port: int
    context: ssl.SSLContext | None = None


class Link(asyncio.Protocol):
    """One connection from CONNECT to its end; make it with `connect`."""

    def __init__(self, client: ClientConnection, on_command: OnCommand) -> None:
        self._client = client
        self._on_command = on_command
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._numbers = itertools.count()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self.opened: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send CONNECT."""
        self._transport = cast("asyncio.Transport", transport)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        for event in self._client.receive(data, self._loop.time()):
            self._process(event)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everybody who waits."""
        if self._timer is not None:
            self._timer.cancel()
        lost = LinkLost("The connection was lost.")
        for future in (self.opened, *self._waiting.values()):
            if not future.done():
                future.set_exception(lost)
        self._waiting.clear()
        if self.opened.done() and not self.opened.cancelled():
            self.opened.exception()
        if not self.closed.done():
            self.closed.set_result(None)

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send a message with QoS 1 and wait for its PUBACK.

        Raises:
            LinkLost: it did not come; the message may have arrived all the same.
            LinkRefused: the platform does not take it.
        """
        if self._client.is_closed:
            raise LinkLost("The connection is closed.")
        name = str(next(self._numbers))
        done = self._waiting[name] = self._loop.create_future()
        try:
            sent = self._client.publish(
                topic, payload, now=self._loop.time(), qos=1, reference=name
            )
            if sent is Delivery.TOO_LARGE:
                raise LinkRefused("The message is longer than the platform takes.")
            self._flush()
            async with asyncio.timeout(ANSWER_S):
                await done
        except TimeoutError as late:
            self.abort()
            raise LinkLost("No PUBACK came.") from late
        finally:
            self._waiting.pop(name, None)

    def close(self) -> None:
        """Say goodbye."""
        self._client.disconnect()
        self._flush()

    def abort(self) -> None:
        """Go without a word, as a device does that loses its power."""
        if self._transport is not None:
            self._transport.abort()

    def _process(self, event: Event) -> None:
        if isinstance(event, ConnAck):
            if event.reason_code:
                self._refuse(self.opened, f"CONNECT was answered with {event.reason_code:#x}.")
                return
            self._client.subscribe(Subscription("v1/op/#", qos=1))
            if not self.opened.done():
                self.opened.set_result(None)
        elif isinstance(event, Acknowledged):
            future = self._waiting.get(event.reference or "")
            if future is not None and event.reason_code >= 0x80:
                self._refuse(future, f"PUBLISH was answered with {event.reason_code:#x}.")
            elif future is not None and not future.done():
                future.set_result(None)
        elif isinstance(event, Publish):
            if event.qos:
                self._client.acknowledge(event.packet_id)
            self._on_command(event.topic, event.payload)
        elif isinstance(event, Failed | Disconnect):
            self._flush()
            self.abort()

    @staticmethod
    def _refuse(future: asyncio.Future[None], why: str) -> None:
        if not future.done():
            future.set_exception(LinkRefused(why))

    def _flush(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if data := self._client.take():
            self._transport.write(data)
        if self._client.is_closed:
            self._transport.close()
            return
        if self._timer is not None:
            self._timer.cancel()
        if (deadline := self._client.deadline) is not None:
            self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        for event in self._client.tick(self._loop.time()):
            self._process(event)
        self._flush()


async def connect(door: MqttDoor, name: str, secret: str, on_command: OnCommand) -> Link:
    """Connect as a device with its key and subscribe to its commands.

    Every other device, by its name, speaks MQTT 3.1.1 instead of 5.

    Raises:
        LinkRefused: the platform does not let it in.
        OSError: there is no connection.
    """
    loop = asyncio.get_running_loop()
    client = ClientConnection(
        name,
        now=loop.time(),
        version=V5 if sum(name.encode()) % 2 else V311,
        keep_alive_s=60,
        username=secret,
    )
    async with asyncio.timeout(ANSWER_S):
        _, link = await loop.create_connection(
            lambda: Link(client, on_command), door.host, door.port, ssl=door.context
        )
        await link.opened
    return link
