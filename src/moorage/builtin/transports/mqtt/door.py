"""The door: its connections, one timer, what comes down to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from math import ceil
from typing import Any
from uuid import UUID

import structlog

from moorage.plugin import (
    Command,
    Ending,
    Host,
    MoorageError,
    Presence,
    Refusal,
    Sender,
    Service,
    digest_of,
    uuid7,
)
from moorage_mqtt import V5, Broker, ReasonCode, Wheel, Will

from . import subscriptions
from .catching import Catching
from .denied import Denied
from .figures import figures_of, terms_of
from .keeper import Keeper
from .line import OVERLOAD, SHUTDOWN, Line
from .link import Link
from .neighbours import Carrier, Neighbours
from .passage import Passage
from .porch import Porch
from .proxied import Doorstep
from .routes import Routes
from .sessions import Kept
from .settings import DoorSettings
from .system import System, is_reserved
from .tap import Tap
from .wills import Wills

log = structlog.get_logger()

_GOODBYE_S = 1.0
# How much is passed on before what came of it is sent.
_AT_ONCE_BYTES = 262_144
# The device is at home at another listener, that took this one for dead.
LISTENER_LOST = "listener-lost"
# Wills of connections that end by our own doing are not published.
_OUR_DOING = frozenset({"revoked", SHUTDOWN, LISTENER_LOST})


class Door:
    """What the connections of one running door share."""

    def __init__(self, settings: DoorSettings, host: Host) -> None:
        self.settings = settings
        self.host = host
        self.loop = asyncio.get_running_loop()
        self.time = self.loop.time
        self.broker: Broker[Kept] = Broker(
            settings.limits,
            settings.bounds,
            Kept,
            self._publish_will,
            self._discarded,
            self.time(),
            copies=settings.copies,
        )
        self.keeper = Keeper(self)
        self.catching = Catching(self)
        self.routes = Routes(self)
        self.passage = Passage(self)
        self.wills = Wills(self)
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
        self._sending = False
        self._changed = asyncio.Event()  # A connection has gone, or a batch was committed.
        self._overloaded: set[Line] = set()
        self.carried: set[Carrier] = set()
        """Those whose device is at home at another listener."""
        self.denied = Denied()
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
        self._wheel.drop(link)
        self.system.gone(link)
        self._overloaded.discard(link)
        self.has_changed()

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

    def spawn(self, work: Coroutine[Any, Any, None], link: Line | None = None) -> None:
        """Run work beside that of others; where it fails unforeseen, its connection ends, since
        what waits for it would wait for ever.
        """
        task = self.loop.create_task(work)
        self._tasks.add(task)
        ended = self._finished if link is None else partial(self._finished_for, link)
        task.add_done_callback(ended)

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
        self.passage.hand_in()
        await self._until(lambda: not self.passage.committing, self.settings.stop_timeout_s)
        for task in self._tasks:
            task.cancel()
        for link in list(self.links):
            link.end(SHUTDOWN, ReasonCode.SERVER_SHUTTING_DOWN, "The server is stopping.")
            link.transport.close()
        await self._until(lambda: not self.links, _GOODBYE_S)
        self.routes.close()  # After what programs of a group have left to others of it.
        kept: asyncio.Future[None] = self.loop.create_future()
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
        if self.settings.is_open:
            return  # Nobody is told, and the figures have to be asked of the kernel.
        key_id = kept.sender.caller.id if isinstance(kept.sender, Service) else None
        version = "5" if link.core.version == V5 else "3.1.1"
        self.host.present(
            Presence(
                kept.sender.number if key_id is None else 0,
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
                key_id,
            )
        )

    def end(self, ending: Ending) -> None:
        """End a connection because somebody has asked for it."""
        if ending.key_id is None:
            found = self.broker.of(ending.number)
        else:
            found = [
                kept
                for kept in self.broker.connected()
                if isinstance(kept.sender, Service) and kept.sender.caller.id == ending.key_id
            ]
        for kept in found:
            if kept.link is not None and digest_of(kept.client_id) == ending.digest:
                text = "Somebody has ended the connection."
                kept.link.end("ended", ReasonCode.ADMINISTRATIVE_ACTION, text)

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

    def _finished_for(self, link: Line, task: asyncio.Task[None]) -> None:
        self._finished(task)
        if not task.cancelled() and task.exception() is not None:
            link.fail()

    # --- Messages down ------------------------------------------------------------------------

    def may_publish(self, sender: Sender | Service, topic: str) -> bool:
        """Tell whether the sender may publish to a topic; what the listener says it alone says."""
        if self.settings.is_open:
            return not is_reserved(topic)
        return self.host.uplink(sender, topic) is not None

    def forget_topics(self, application_id: UUID | None) -> None:
        """Have connections look again where messages go: of an application's devices, or of all."""
        for link in self.links:
            kept = link.kept
            if kept is None or not isinstance(kept.sender, Sender):
                continue
            if application_id in (None, kept.sender.application_id):
                link.forget_topics()

    def send_later(self) -> None:
        """Have what the broker has for connections sent at the end of this turn.

        A turn may bring megabytes, and many may have subscribed: then it is sent at once, so that
        those who do not read are known before there is a copy of it all for each.
        """
        if self.broker.passed_on_bytes > _AT_ONCE_BYTES:
            self.send()
        elif self.broker.touched and not self._sending:
            self._sending = True
            self.loop.call_soon(self.send)

    def note(self) -> None:
        """Have sessions written that last and that the broker has something for."""
        for kept in self.broker.touched:
            if kept.lasts_s and kept.session.changed:
                self.keeper.note(kept)

    def send(self) -> None:
        """Send what the broker has for connections."""
        self._sending = False
        self.broker.passed_on_bytes = 0
        touched, self.broker.touched = self.broker.touched, set()
        for kept in touched:
            if kept.link is not None and not kept.link.ended:
                kept.link.flush()
            elif kept.lasts_s and kept.session.changed:
                self.keeper.note(kept)

    def has_changed(self) -> None:
        """Look again for what `close` waits for."""
        self._changed.set()

    def _publish_will(self, kept: Kept, will: Will) -> None:
        self.wills.publish(kept, will)

    def _discarded(self, kept: Kept) -> None:
        self.keeper.discarded(kept)

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
