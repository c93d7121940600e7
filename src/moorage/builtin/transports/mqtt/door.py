"""The door: its connections, the batch on its way to the ledger, one timer, commands down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Hashable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from math import ceil
from typing import Any
from uuid import UUID

import structlog

from moorage.plugin import (
    Command,
    Host,
    Measured,
    MoorageError,
    Presence,
    RawMessage,
    Refusal,
    Sender,
    Service,
    Uplink,
    uuid7,
)
from moorage_mqtt import V5, Broker, Publish, ReasonCode, Wheel, Will

from . import subscriptions
from .catching import Catching
from .figures import figures_of, terms_of
from .keeper import Keeper
from .line import OVERLOAD, SHUTDOWN, Line
from .link import Link
from .messages import to_messages
from .neighbours import Carrier, Neighbours
from .porch import Porch
from .proxied import Doorstep
from .routes import Routes
from .sessions import SERVICES, Kept, Mark, WillAs
from .settings import DoorSettings
from .system import System
from .tap import Tap

log = structlog.get_logger()

_GOODBYE_S = 1.0
# The device is at home at another listener, that took this one for dead.
LISTENER_LOST = "listener-lost"
# Wills of connections that end by our own doing are not published.
_OUR_DOING = frozenset({"revoked", SHUTDOWN, LISTENER_LOST})
_TRY_AGAIN_S = 1.0


class Door:
    """What the connections of one running door share."""

    def __init__(self, settings: DoorSettings, host: Host) -> None:
        self.settings = settings
        self.host = host
        self._loop = asyncio.get_running_loop()
        self.time = self._loop.time
        self.broker: Broker[Kept] = Broker(
            settings.limits,
            settings.bounds,
            Kept,
            self._publish_will,
            self._discarded,
            self.time(),
            merges=not settings.is_open,
        )
        self.keeper = Keeper(self)
        self.catching = Catching(self)
        self.routes = Routes(self)
        self.system = System(self)
        peers = settings.peers
        self.neighbours = None if peers is None else Neighbours(self, peers)
        self.is_closing = False
        self.links: set[Line] = set()
        """The open connections, those that have not been let in yet among them."""
        self.handshakes: set[Doorstep | Porch] = set()
        """Connections that are not through with a proxy's header, or with TLS."""
        self._wheel: Wheel[Line] = Wheel(self.time())
        self._tasks: set[asyncio.Task[None]] = set()
        # Messages of this turn of the event loop, and where each came from.
        self._messages: list[RawMessage] = []
        self._sources: list[tuple[Line | None, int]] = []
        # Those of them that somebody subscribes to.
        self._routes: list[tuple[Kept, Publish, Uplink]] = []
        self._wills: list[tuple[Kept, Publish]] = []  # Those of them that are wills.
        self._sending = False
        self._committing = 0
        self._changed = asyncio.Event()  # A connection has gone, or a batch was committed.
        self._overloaded: set[Line] = set()
        self.carried: set[Carrier] = set()
        """Those whose device is at home at another listener."""
        self.traced: Mapping[int, frozenset[str]] = {}
        """The devices whose packets somebody watches, and how they may call themselves."""

    # --- Connections --------------------------------------------------------------------------

    def has_room(self, address: str) -> bool:
        """Tell whether one more connection may come; if not, that is listed."""
        if len(self.links) + len(self.handshakes) < self.settings.connections:
            return True
        text = f"More than {self.settings.connections} connections at once."
        self.host.refused(Refusal("overload", text, "mqtt", address))
        return False

    def admit(self, link: Line) -> bool:
        """Count a new connection in, or say that there are too many."""
        if not self.has_room(link.address):
            return False
        self.links.add(link)
        self.watch(link, self.time() + self.settings.limits.connect_timeout_s)
        return True

    def gone(self, link: Line) -> None:
        """Forget a connection whose socket has closed."""
        self.links.discard(link)
        self.system.gone(link)
        self._overloaded.discard(link)
        self._changed.set()

    def arrived(self, link: Line, kept: Kept) -> None:
        """Tell the host that a device has connected, and watch its keep-alive."""
        self._present(link, kept, connected=True)
        if link.tap is not None:
            link.tap.let_go()
        elif kept.number in self.traced:
            link.tap = Tap(link, kept.number)
        if (deadline := link.core.deadline) is not None:
            self.watch(link, deadline)

    def left(self, link: Line, kept: Kept, cause: str) -> None:
        """Tell the host that a connection has ended, and start its session's clocks."""
        self.host.leave(kept.sender)
        self._present(link, kept, connected=False, cause=cause)
        will = None if cause in _OUR_DOING else link.core.will
        expiry_s = link.core.session_expiry_s
        self.broker.detach(kept, will, expiry_s, self.time())
        if expiry_s and not self.settings.is_open and cause != LISTENER_LOST:
            kept.lasts_s = expiry_s
            self.keeper.note(kept)
        self.send_later()

    def watch(self, link: Line, deadline: float) -> None:
        """Have `link.tick` called after the deadline, or before."""
        self._wheel.put(link, deadline)

    def overload(self, link: Line) -> None:
        """Stop reading from a connection until the host is relieved."""
        link.stop(OVERLOAD)
        if not self._overloaded:
            self.host.when_relieved(self._relieved)
        self._overloaded.add(link)

    def make_client_id(self) -> str:
        """Make an id for a client that has none."""
        return f"auto-{uuid7().hex}"

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a connection's work beside the others."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def now_us(self) -> int:
        """Give microseconds since 1970."""
        return time.time_ns() // 1000

    async def serve(self) -> None:
        """Turn the wheel."""
        while True:
            now = self.time()
            await asyncio.sleep(ceil(now) - now + 0.001)  # The wheel turns with the full second.
            now = self.time()
            for link in self._wheel.due(now):
                link.tick(now)
            self.broker.tick(now)
            self.system.tick(now)
            self.send_later()

    async def close(self) -> None:
        """Take nothing more in, wait for what is being committed, say goodbye."""
        self.is_closing = True
        for link in self.links:
            link.stop(OVERLOAD)
        if self._messages:
            self._commit()
        await self._until(lambda: not self._committing, self.settings.stop_timeout_s)
        for task in self._tasks:
            task.cancel()
        for link in list(self.links):
            link.end(SHUTDOWN, ReasonCode.SERVER_SHUTTING_DOWN, "The server is stopping.")
            link.transport.close()
        self.routes.close()
        await self._until(lambda: not self.links, _GOODBYE_S)
        kept: asyncio.Future[None] = self._loop.create_future()
        self.keeper.then(lambda _error: None if kept.done() else kept.set_result(None))
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.stop_timeout_s):
                await kept
        for link in list(self.links):
            link.transport.abort()
        for early in list(self.handshakes):
            early.abort()

    async def _until(self, done: Callable[[], bool], timeout_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not done():
                    self._changed.clear()
                    await self._changed.wait()

    def _present(self, link: Line, kept: Kept, *, connected: bool, cause: str = "") -> None:
        if isinstance(kept.sender, Service):
            return
        version = "5" if link.core.version == V5 else "3.1.1"
        self.host.present(
            Presence(
                kept.sender.number,
                connected,
                self.now_us(),
                kept.client_id,
                "mqtt",
                version,
                link.address,
                link.tls,
                cause,
                terms_of(link) if connected else None,
                None if connected else figures_of(link),
            )
        )

    def measure(self, devices: Collection[int]) -> Sequence[Measured]:
        """Measure the open connections of devices, and those that are carried from here."""
        found = [
            Measured(kept.number, kept.client_id, figures_of(kept.link))
            for device in devices
            for kept in self.broker.of(device)
            if kept.link is not None and not kept.link.ended
        ]
        for one in self.carried:
            if one.device in devices:
                found.append(Measured(one.device, one.client_id, figures_of(one.link)))
        return found

    def trace(self, traced: Mapping[int, frozenset[str]]) -> None:
        """Read along on the connections of these devices from now on, and of no others."""
        before, self.traced = self.traced, traced
        for device in before.keys() ^ traced.keys():
            for kept in self.broker.of(device):
                if kept.link is not None and not kept.link.ended:
                    kept.link.tap = Tap(kept.link, device) if device in traced else None

    def _relieved(self) -> None:
        links = list(self._overloaded)
        self._overloaded.clear()
        for link in links:
            link.go_on(OVERLOAD)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        with suppress(asyncio.CancelledError):
            if (error := task.exception()) is not None:
                log.error("mqtt_task_failed", exc_info=error)

    # --- Messages up --------------------------------------------------------------------------

    def put(self, message: RawMessage, link: Line | None, packet_id: int) -> None:
        """Gather a message; all of one turn of the event loop go to the ledger together."""
        if not self._messages:
            self._loop.call_soon(self._commit)
        self._messages.append(message)
        self._sources.append((link, packet_id))

    def _commit(self) -> None:
        messages, sources, routes = self._messages, self._sources, self._routes
        if not messages:
            return
        self._messages, self._sources, self._routes = [], [], []
        wills = self._wills
        if wills:
            self._wills = []
        self._committing += 1
        self.host.accept(messages, partial(self._committed, sources, routes, wills))

    def _committed(
        self,
        sources: list[tuple[Line | None, int]],
        routes: list[tuple[Kept, Publish, Uplink]],
        wills: list[tuple[Kept, Publish]],
        error: Exception | None,
    ) -> None:
        if error is None and routes:
            self._route(routes)
        for kept, will in wills:
            self._will_settled(kept, will, error)
        for kept, _, _ in routes:
            self.keeper.unpin(kept.number)
        if error is None and routes and self.keeper.has_changes:
            # Who sent it may forget it only when those who wait for it can no longer miss it.
            self.keeper.then(partial(self._acknowledge, sources))
            return
        self._acknowledge(sources, error)

    def _route(self, routes: Sequence[tuple[Kept, Publish, Uplink]]) -> None:
        for kept, publish, uplink in routes:
            code = self._publish(kept, publish, uplink)
            is_own = uplink.space is None
            if is_own and publish.retain and code != ReasonCode.QUOTA_EXCEEDED:
                self.keeper.retained(kept.number, publish)
        self._send()
        for kept, publish, _ in routes:
            self._note_taken(kept, publish)

    def _publish(self, kept: Kept, publish: Publish, uplink: Uplink) -> int:
        """Send a message to those who see its topic, services among them; give its reason code."""
        now, space = self.time(), uplink.space
        shown = self._shown(publish, uplink)
        if space is None:
            code = self.broker.publish(kept.space, publish, now, kept)
            if shown is not None:
                self.broker.publish(SERVICES, shown, now, kept)
            return code
        inner = publish._replace(topic=uplink.topic) if uplink.topic else publish
        mark = self.routes.mark(publish.qos)
        code = self.broker.publish(space, inner, now, kept, mark=mark, retains=False)
        if shown is not None:
            self.broker.publish(SERVICES, shown, now, kept, mark=mark)
        self.routes.share(kept, space, inner, mark)
        return code

    def relay(self, space: Hashable, publish: Publish, mark: Mark, shared: str) -> None:
        """Send on what was published at another listener."""
        self.broker.relay(space, publish, self.time(), mark, shared)
        self.send_later()

    def _shown(self, publish: Publish, uplink: Uplink) -> Publish | None:
        """Give a message as services see it; None if none of them is anywhere."""
        if not self.broker.has_subscribers(SERVICES):
            return None
        topic = self.host.shown_topic(uplink, publish.topic)
        return None if topic is None else publish._replace(topic=topic, retain=False)

    def is_heard(self, kept: Kept, publish: Publish, uplink: Uplink) -> bool:
        """Tell whether anybody subscribes to a message, or may elsewhere, or it is retained."""
        if uplink.space is not None and publish.qos and self.routes.writes:
            return True
        space = kept.space if uplink.space is None else uplink.space
        if self.broker.is_heard(space, publish):
            return True
        shown = self._shown(publish, uplink)
        return shown is not None and self.broker.is_heard(SERVICES, shown)

    def pass_on(self, kept: Kept, publish: Publish, uplink: Uplink, line: Line | None) -> None:
        """Send on what is not kept, and acknowledge it once sessions that last have it."""
        self._publish(kept, publish, uplink)
        self._send()
        self._note_taken(kept, publish)
        if line is None or not publish.qos:
            return

        def settle(error: Exception | None) -> None:
            code = ReasonCode.QUOTA_EXCEEDED if error else ReasonCode.SUCCESS
            line.committed([publish.packet_id], code)

        if self.keeper.has_changes:
            self.keeper.then(settle)
        else:
            settle(None)

    def _note_taken(self, kept: Kept, publish: Publish) -> None:
        """Have a message of QoS 2 marked as taken in what is about to be written.

        Its sender's session is written with those who wait for it, so that none of them hears it
        twice.
        """
        if self.keeper.has_changes and publish.qos == 2 and publish.packet_id and kept.lasts_s:
            kept.session.take(publish.packet_id)
            self.keeper.note(kept)

    def forget_topics(self, application_id: UUID | None) -> None:
        """Have connections look again where messages go: of an application's devices, or of all."""
        for link in self.links:
            kept = link.kept
            if kept is None or not isinstance(kept.sender, Sender):
                continue
            if application_id in (None, kept.sender.application_id):
                link.forget_topics()

    def _acknowledge(
        self, sources: Sequence[tuple[Line | None, int]], error: Exception | None
    ) -> None:
        self._committing -= 1
        self._changed.set()
        code = ReasonCode.SUCCESS if error is None else ReasonCode.QUOTA_EXCEEDED
        previous: Line | None = None
        packet_ids: list[int] = []
        for link, packet_id in sources:
            if error is not None:
                self.host.shed("overload")
                text = "Messages cannot be stored just now."
                self.host.refused(Refusal("overload", text, "mqtt", link.address if link else ""))
            if link is not previous:
                if previous is not None:
                    previous.committed(packet_ids, code)
                previous, packet_ids = link, []
            if packet_id:
                packet_ids.append(packet_id)
        if previous is not None:
            previous.committed(packet_ids, code)

    def route(self, kept: Kept | None, publish: Publish, uplink: Uplink) -> None:
        """Send a message on to those who subscribe to it, once it is stored with this turn's."""
        if kept is not None and self.is_heard(kept, publish, uplink):
            self._routes.append((kept, publish, uplink))
            self.keeper.pin(kept.number)

    def route_again(self, line: Line, publish: Publish, uplink: Uplink) -> None:
        """Send on a message that is stored already, then acknowledge it.

        Its listener may have died between storing it and writing down who waits for it.
        """
        self._committing += 1
        settle = partial(self._acknowledge, [(line, publish.packet_id)])
        if line.kept is not None and self.is_heard(line.kept, publish, uplink):
            self._route([(line.kept, publish, uplink)])
            if self.keeper.has_changes:
                self.keeper.then(settle)
                return
        settle(None)

    def may_publish(self, sender: Sender | Service, topic: str) -> bool:
        """Tell whether the sender may publish to a topic."""
        return self.settings.is_open or self.host.uplink(sender, topic) is not None

    def send_later(self) -> None:
        """Have what the broker has for connections sent at the end of this turn."""
        if self.broker.touched and not self._sending:
            self._sending = True
            self._loop.call_soon(self._send)

    def _send(self) -> None:
        self._sending = False
        touched, self.broker.touched = self.broker.touched, set()
        for kept in touched:
            if kept.link is not None and not kept.link.ended:
                kept.link.flush()
            elif kept.lasts_s and kept.session.changed:
                self.keeper.note(kept)

    def _discarded(self, kept: Kept) -> None:
        self.keeper.discarded(kept)

    def _publish_will(self, kept: Kept, will: Will) -> None:
        publish = Publish(
            will.topic, will.payload, will.qos, will.retain, properties=will.message_properties
        )
        if self.settings.is_open:
            self.broker.publish(kept.space, publish, self.time(), kept)
            return
        if kept.will_as is not None:
            kept.going = will
            self.keeper.pin(kept.number)
            self._put_will(kept, publish, kept.will_as)
            return
        uplink = self.host.uplink(kept.sender, will.topic)
        if uplink is not None and not uplink.is_kept:
            self.pass_on(kept, publish, uplink, None)
        elif uplink is not None:
            for message in to_messages(publish, uplink, self.now_us()):
                self.put(message, None, 0)
            self.route(kept, publish, uplink)

    def _put_will(self, kept: Kept, publish: Publish, will_as: WillAs) -> None:
        for message in to_messages(publish, will_as.uplink, self.now_us(), will_as.id):
            self.put(message, None, 0)
        self._wills.append((kept, publish))
        self.route(kept, publish, will_as.uplink)

    def _will_settled(self, kept: Kept, publish: Publish, error: Exception | None) -> None:
        """Forget a will that is stored; try again with one that could not be."""
        if error is not None and kept.will_as is not None:
            put = partial(self._put_will, kept, publish, kept.will_as)
            self._loop.call_later(_TRY_AGAIN_S, put)
            return
        kept.going = None
        if kept.lasts_s and self.broker.find(kept.number, kept.client_id) is kept:
            self.keeper.note(kept)
        else:
            self.keeper.discarded(kept)
        self.keeper.unpin(kept.number)

    # --- Other listeners ----------------------------------------------------------------------

    async def bring_home(self, link: Link, sender: Sender, client_id: str) -> bool:
        """Take up what was kept for a device; False if another listener serves its connection.

        Raises:
            DatabaseUnavailable: it cannot be told just now where it is at home.
        """
        if self.neighbours is not None:
            await self.routes.joined()
            return await self.neighbours.bring_home(link, sender, client_id)
        await self.keeper.load(sender.number, sender)
        return True

    def lost(self, devices: Sequence[int]) -> None:
        """End the connections of devices that are at home elsewhere by now; forget them."""
        for device in devices:
            links = [kept.link for kept in self.broker.of(device)]
            self.keeper.lost(device)
            for link in links:
                if link is not None:
                    text = "Another listener has taken the device over."
                    link.end(LISTENER_LOST, ReasonCode.SERVER_BUSY, text)

    def due(self, devices: Sequence[int]) -> None:
        """Take up devices that have something to say, or to hear, and are at home nowhere."""
        for device in devices:
            self.spawn(self._take_up(device))

    async def _take_up(self, device: int) -> None:
        """Take up what was kept for a device: the clocks of its sessions and wills go on here."""
        with self.keeper.pinned(device), suppress(MoorageError):
            await self.keeper.load(device)

    # --- Commands down ------------------------------------------------------------------------

    def commanded(self) -> Sequence[int]:
        """List the devices that take commands now."""
        numbers: set[int] = set()
        for kept in self.broker.connected():
            numbers.update(subscriptions.commanded(kept, self.host))
        return list(numbers)

    def deliver(self, command: Command) -> bool:
        """Send a command on every connection of the device, or its gateway, that wants it."""
        takers = self.broker.of(command.device)
        if command.gateway is not None:
            takers += self.broker.of(command.gateway)
        links = [kept.link for kept in takers]
        sent = [link.command(command) for link in links if link is not None]
        return True in sent

    def cut(self, devices: Sequence[int]) -> None:
        """End the connections of whoever has other credentials or rights than before."""
        for device in devices:
            for kept in self.broker.of(device):
                if kept.link is not None:
                    text = "Credentials or rights have changed."
                    kept.link.end("revoked", ReasonCode.ADMINISTRATIVE_ACTION, text)
