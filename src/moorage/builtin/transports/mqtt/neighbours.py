"""Other listeners: where a device is at home that comes here, and its connection to there.

All that concerns a device's sessions happens at one listener, its home (decision 24). Who comes to
another one is asked for there: the home lets go of the device, its former connection ended, if no
other connection of it is open there; else it takes this connection too, its bytes carried over one
connection between the listeners. That begins with a `_Hello`, answered by one byte.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING, cast
from uuid import UUID

import msgspec
import structlog

from moorage.plugin import Listener, Peers, Sender
from moorage_mqtt import ReasonCode

from .figures import encryption_of
from .following import Follower
from .line import UNREAD
from .link import Link
from .scram import Proved

if TYPE_CHECKING:
    from .door import Door

log = structlog.get_logger()

_HELLO_S = 5.0
_PATIENCE_S = 10.0
_TRY_AGAIN_S = 0.2
_LENGTH = 2
# DISCONNECT, the same in both versions.
_GOODBYE = b"\xe0\x00"


class _Hello(msgspec.Struct, array_like=True, tag="device"):
    """What a listener says to another: for whom it asks, who the client is, and what it proved."""

    listener_id: UUID
    device: int
    client_id: str
    address: str
    tls: bool
    encryption: tuple[str, str]
    certificate: bytes
    vouched: Proved | None


class _Follow(msgspec.Struct, array_like=True, tag="follow"):
    """What a listener says to another that it follows (see `following`): to whom, and who."""

    listener_id: UUID
    follower_id: UUID


class _Answer(Enum):
    """What the other one says."""

    YOURS = b"y"  # The device is at home nowhere now.
    HERE = b"h"  # It stays; what follows are the client's bytes.
    NOT_ME = b"n"  # The listener asked for is gone, or going.


_encode = msgspec.msgpack.Encoder().encode
_hello = msgspec.msgpack.Decoder(_Hello | _Follow).decode


class Neighbours:
    """What a door and those of other listeners have to do with each other."""

    def __init__(self, door: Door, peers: Peers) -> None:
        self._door = door
        self._peers = peers
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Let others come."""
        self._server = await asyncio.start_server(
            self._meet,
            sock=self._peers.socket,
            ssl=self._peers.accepting,
            ssl_handshake_timeout=_HELLO_S,
        )

    def close(self) -> None:
        """Let nobody come any more; a door may be cancelled before it has let anybody."""
        if self._server is not None:
            self._server.close()

    # --- A device that comes here ---------------------------------------------------------------

    async def bring_home(self, link: Link, sender: Sender, client_id: str) -> bool:
        """Have a device at home here; False if its connection ended, or is carried elsewhere.

        Raises:
            DatabaseUnavailable: it cannot be told just now where it is at home.
        """
        door, patience = self._door, self._door.time() + _PATIENCE_S
        while not link.ended:
            where = await door.keeper.load(sender.number, sender)
            if where is None:
                return True
            if link.is_carried or where.address is None or door.time() > patience:
                text = "The listener that holds the device's sessions does not answer; try again."
                link.end("protocol", ReasonCode.SERVER_BUSY, text)
                break
            if await self._ask(link, where, sender.number, client_id):
                break
        return False

    async def _ask(self, link: Link, where: Listener, device: int, client_id: str) -> bool:
        """Ask a device's home for it; tell whether the connection is carried there now."""
        client = client_id, link.address, link.tls, encryption_of(link)
        hello = _Hello(where.id, device, *client, link.certificate, link.vouched)
        refused = False
        try:
            async with asyncio.timeout(_HELLO_S):
                reader, writer = await self._dial(where, hello)
                answer = _Answer(await reader.readexactly(1))
        except (OSError, EOFError, ValueError) as failed:  # A time that is up is an OSError.
            log.warning("listener_not_reached", name=where.name, error=str(failed))
            answer, refused = _Answer.NOT_ME, isinstance(failed, ConnectionRefusedError)
        else:
            if answer is _Answer.HERE and not link.ended:
                transport = cast("asyncio.Transport", writer.transport)
                link.carry(Carrier(link, transport, device, client_id))
                return True
            writer.close()
        if answer is _Answer.NOT_ME and not await self._door.host.bury(where.id, refused=refused):
            await asyncio.sleep(_TRY_AGAIN_S)
        return False

    async def dial(self, listener: Listener) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Begin to follow a listener. Raises OSError."""
        own = self._door.host.listener_id
        if own is None:
            raise ConnectionAbortedError
        return await self._dial(listener, _Follow(listener.id, own))

    async def _dial(
        self, listener: Listener, hello: _Hello | _Follow
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = str(listener.address).rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=self._peers.dialling())
        said = _encode(hello)
        writer.write(len(said).to_bytes(_LENGTH, "big") + said)
        return reader, writer

    # --- A device that comes elsewhere ----------------------------------------------------------

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer another listener."""
        try:
            async with asyncio.timeout(_HELLO_S):
                length = int.from_bytes(await reader.readexactly(_LENGTH), "big")
                hello = _hello(await reader.readexactly(length))
        except (OSError, EOFError, msgspec.MsgspecError) as failed:
            peer = writer.get_extra_info("peername")
            log.warning("peer_refused", address=peer[0] if peer else "", error=str(failed))
            writer.transport.abort()
            return
        if isinstance(hello, _Follow):
            if hello.listener_id == self._door.host.listener_id and not self._door.is_closing:
                await Follower(self._door, hello.follower_id, reader, writer).run()
            writer.transport.abort()
            return
        answer = await self._decide(hello)
        writer.write(answer.value)
        if answer is not _Answer.HERE:
            writer.close()
            return
        link = Link(
            self._door,
            tls=hello.tls,
            certificate=hello.certificate,
            carried_from=hello.address,
            vouched=hello.vouched,
        )
        link.carried_over = hello.encryption
        writer.transport.set_protocol(link)
        link.connection_made(writer.transport)

    async def _decide(self, hello: _Hello) -> _Answer:
        """Say where a device is to be at home, its former connection ended if it is the same."""
        door = self._door
        if door.is_closing or hello.listener_id != door.host.listener_id:
            return _Answer.NOT_ME
        links = [(one.client_id, one.link) for one in door.broker.of(hello.device)]
        if any(link and client_id != hello.client_id for client_id, link in links):
            return _Answer.HERE
        for _, link in links:
            if link is not None:
                link.take_over()
        return _Answer.YOURS if await door.keeper.give_up(hello.device) else _Answer.HERE


class Carrier(asyncio.Protocol):
    """The way of a client's bytes to the home of its device, and back."""

    def __init__(
        self, link: Link, transport: asyncio.Transport, device: int, client_id: str
    ) -> None:
        self.link, self.device, self.client_id = link, device, client_id
        link.door.carried.add(self)
        self._transport = transport
        transport.set_protocol(self)

    def write(self, data: bytes) -> None:
        """Carry what the client sends."""
        self._transport.write(data)

    def close(self, *, is_ours: bool) -> None:
        """End the connection there; by our own doing as if the client had said goodbye."""
        if is_ours:
            self._transport.write(_GOODBYE)  # Its will is not published then.
        self._transport.close()

    def pause_reading(self) -> None:
        """Fetch nothing more for a client that does not read."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on when it does."""
        self._transport.resume_reading()

    # --- Of the connection between the listeners -------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Carry what is for the client."""
        if not self.link.ended:
            self.link.transport.write(data)

    def pause_writing(self) -> None:
        """Read no more from the client than its home takes."""
        self.link.stop(UNREAD)

    def resume_writing(self) -> None:
        """Go on when it does."""
        self.link.go_on(UNREAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the client's connection when its home has."""
        self.link.door.carried.discard(self)
        self.link.end("lost")
