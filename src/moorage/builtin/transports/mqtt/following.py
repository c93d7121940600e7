"""The two ends of a connection by which one listener follows another.

Frames of MessagePack, each after its length in four bytes. Who follows says what it wants
(`_Wanted`); who is followed confirms that (`_Known`) once all published before is written down, and
sends what is published (`_Passed`), and a sign of life each second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import structlog

from moorage.plugin import Listener
from moorage_mqtt import Outgoing, Subscribed

from .frozen import thaw_publish
from .interests import Interest
from .sessions import SERVICES, Kept, Mark

if TYPE_CHECKING:
    from .door import Door
    from .routes import Routes

log = structlog.get_logger()

LENGTH = 4
_LONGEST = 67_108_864
# Of what is wanted, in one frame; `_MORE` stands for the version where another frame follows.
_MOST_AT_ONCE, _MORE = 1_000, -1
_BEAT_S = 1.0
# Silent for so long, somebody is followed anew.
_SILENCE_S = 3.0
_TRY_AGAIN_S = 0.2
_GIVEN_UP_S = 2.0
# How long what another listener may still have to say is waited for, once it is not reached.
DOUBT_S = 10.0
# What may wait for somebody who does not read; beyond, QoS 0 is dropped, then the connection.
_UNREAD_BYTES, _UNREAD_MOST = 4_194_304, 67_108_864


class _Wanted(msgspec.Struct, array_like=True, tag=1):
    version: int
    added: Sequence[Interest]
    removed: Sequence[Interest]


class _Known(msgspec.Struct, array_like=True, tag=2):
    version: int
    place: int


class _Passed(msgspec.Struct, array_like=True, tag=3):
    """A message; `place` is 0 if it was not written down, `application_id` None for services."""

    application_id: UUID | None
    place: int
    shared: str
    message: bytes
    hops: int = 0


class _Beat(msgspec.Struct, array_like=True, tag=4):
    place: int


_encode = msgspec.msgpack.Encoder().encode
_wanted = msgspec.msgpack.Decoder(_Wanted).decode
_said = msgspec.msgpack.Decoder(_Known | _Passed | _Beat).decode


def framed(frame: msgspec.Struct) -> bytes:
    """Put its length before a frame."""
    body = _encode(frame)
    return len(body).to_bytes(LENGTH, "big") + body


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Read a frame. Raises EOFError, OSError, ValueError."""
    length = int.from_bytes(await reader.readexactly(LENGTH), "big")
    if length > _LONGEST:
        msg = f"a frame of {length} bytes"
        raise ValueError(msg)
    return await reader.readexactly(length)


class Relay(Kept):
    """Stands for another listener in one space of topics."""

    __slots__ = ("_follower",)

    is_relay = True

    def __init__(self, follower: Follower, space: Hashable) -> None:
        super().__init__(0, "")
        self.space = space
        self._follower = follower

    @property
    def is_ready(self) -> bool:
        """Whether it takes messages now."""
        return not self._follower.is_closed

    def accepts(self, message: Outgoing, mark: Hashable) -> bool:
        """Send the message to where it is wanted."""
        self._follower.routes.send(self._follower, self.space, message, mark)
        return False


class Follower:
    """A listener that follows this one."""

    def __init__(
        self,
        door: Door,
        listener_id: UUID,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.listener_id = listener_id
        self.has_told = False
        """Whether it has said what it wants."""
        self._came_at = door.time()
        self.routes = door.routes
        self._door = door
        self._reader = reader
        self._transport = writer.transport
        self._relays: dict[Hashable, Relay] = {}

    async def run(self) -> None:
        """Serve it until its connection ends."""
        self.routes.add(self)
        beating = asyncio.create_task(self._beat())
        try:
            while True:
                self._wants(_wanted(await read_frame(self._reader)))
        except (OSError, EOFError, ValueError) as ended:
            log.info("follower_lost", error=str(ended))
        finally:
            beating.cancel()
            self.routes.remove(self)
            for relay in self._relays.values():
                for topic_filter in list(relay.subscriptions):
                    self._door.broker.unsubscribe(relay, topic_filter)
            self._transport.abort()

    def close(self) -> None:
        """End the connection once all is sent."""
        self._transport.close()

    @property
    def is_new(self) -> bool:
        """Whether it came so lately that it may yet be met."""
        return self._door.time() < self._came_at + DOUBT_S

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport.is_closing()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_S)
            self._write(framed(_Beat(self.routes.sent_place)))

    def _wants(self, wanted: _Wanted) -> None:
        """Take up what it wants; confirm it once all published before is written down."""
        broker = self._door.broker
        for application_id, topic_filter in wanted.added:
            space = _space(application_id)
            relay = self._relays.get(space)
            if relay is None:
                relay = self._relays[space] = Relay(self, space)
            broker.add_relay(relay, topic_filter, Subscribed(2, False, True))
        for application_id, topic_filter in wanted.removed:
            if (relay := self._relays.get(_space(application_id))) is not None:
                broker.unsubscribe(relay, topic_filter)
        if wanted.added:
            spaces = {application_id for application_id, _ in wanted.added}
            self._door.forget_topics(spaces.pop() if len(spaces) == 1 else None)
        if wanted.version == _MORE:
            return
        self.has_told = True
        self.routes.look_again()
        place = self.routes.place
        answer = framed(_Known(wanted.version, place))
        self._door.keeper.then(lambda _error: self._write(answer))

    def send(self, space: Hashable, place: int, shared: str, message: bytes, hops: int = 0) -> None:
        """Send a message."""
        if not place and self._transport.get_write_buffer_size() > _UNREAD_BYTES:
            return  # It was not written down: QoS 0 is dropped as for any other that does not read.
        application_id = space if isinstance(space, UUID) else None
        self._write(framed(_Passed(application_id, place, shared, message, hops)))

    def _write(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > _UNREAD_MOST:
            self._transport.abort()  # It reads what it missed from where it is written down.


class Following:
    """A listener that this one follows."""

    def __init__(self, door: Door, routes: Routes, listener: Listener) -> None:
        self._door = door
        self._routes = routes
        self._listener = listener
        self._writer: asyncio.StreamWriter | None = None
        self._known = -1
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._doubted_until = door.time() + DOUBT_S
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run())

    @property
    def listener_id(self) -> UUID:
        """Who it is."""
        return self._listener.id

    @property
    def is_followed(self) -> bool:
        """Whether it knows what is wanted here, and sends it."""
        return self._known >= 0

    @property
    def is_settled(self) -> bool:
        """Whether it is followed, or given up for now."""
        return self.is_followed or self._door.time() > self._doubted_until

    def close(self) -> None:
        """Follow it no more."""
        self._task.cancel()
        self._lost()

    def tell(self, version: int, added: Sequence[Interest], removed: Sequence[Interest]) -> None:
        """Tell what is wanted here."""
        if self._writer is None:
            return
        while len(added) > _MOST_AT_ONCE:
            part, added = added[:_MOST_AT_ONCE], added[_MOST_AT_ONCE:]
            self._writer.write(framed(_Wanted(_MORE, part, ())))
        self._writer.write(framed(_Wanted(version, added, removed)))

    async def known(self, version: int) -> None:
        """Wait until that version is confirmed; not if it is not followed now."""
        if not self.is_followed or self._known >= version:
            return
        waiting = self._loop.create_future()
        self._waiting.append((version, waiting))
        try:
            async with asyncio.timeout(_SILENCE_S):
                await waiting
        except TimeoutError:
            if self._writer is not None:
                self._writer.transport.abort()

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except (OSError, EOFError, ValueError) as ended:  # A time that is up is an OSError.
                log.warning("listener_not_followed", name=self._listener.name, error=str(ended))
                refused = isinstance(ended, ConnectionRefusedError)
            except Exception:
                log.exception("following_failed")
                refused = False
            self._lost()
            await self._routes.bury(self._listener, refused=refused)
            if not self.is_settled:
                await asyncio.sleep(_TRY_AGAIN_S)
                continue
            # Given up for now; what it writes down is read now and then.
            self._routes.look_again()
            self._door.catching.all_behind()
            await asyncio.sleep(_GIVEN_UP_S)

    def _lost(self) -> None:
        """Have all that it may have sent read from where it is written down."""
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None
        waiting, self._waiting = self._waiting, []
        for _, one in waiting:
            if not one.done():
                one.set_result(None)
        if self.is_followed:
            self._known = -1
            self._doubted_until = self._door.time() + DOUBT_S
            self._door.catching.all_behind()

    async def _follow(self) -> None:
        peers = self._door.neighbours
        if peers is None:
            return
        async with asyncio.timeout(_SILENCE_S):
            reader, writer = await peers.dial(self._listener)
        self._routes.tell_changes()
        self._writer = writer
        self._routes.tell_all(self)
        while True:
            async with asyncio.timeout(_SILENCE_S):
                frame = await read_frame(reader)
            self._hear(_said(frame))

    def _hear(self, said: _Known | _Passed | _Beat) -> None:
        origin, routes = self._listener.id, self._routes
        if isinstance(said, _Passed):
            mark = Mark(origin, said.place)
            publish = thaw_publish(said.message)
            space = _space(said.application_id)
            self._door.passage.relay(space, publish, mark, said.shared, said.hops)
            place = said.place
        elif isinstance(said, _Known):
            if not self.is_followed:
                self._door.catching.all_behind()  # What it published before we followed it.
            self._known, place = said.version, said.place
        else:
            place = said.place
        if self.is_followed:
            routes.heard[origin] = max(place, routes.heard.get(origin, 0))
        if isinstance(said, _Known):
            for version, one in self._waiting:
                if version <= said.version and not one.done():
                    one.set_result(None)
            self._waiting = [one for one in self._waiting if not one[1].done()]
            routes.look_again()


def _space(application_id: UUID | None) -> Hashable:
    return SERVICES if application_id is None else application_id
