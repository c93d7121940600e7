"""A broker in front of the platform: who is there, and commands on their way down."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from uuid import UUID

import moorage_mqtt as mqtt
from moorage import devices, ingest, sessions
from moorage.kit.db import Database, DatabaseUnavailable
from moorage.kit.doorbell import Doorbells

from .. import store
from ..model import Source
from .events import Event, read_event
from .wire import Wire

WRITE_EVERY_S = 1.0
ASK_AGAIN_S = 0.5
# MQTT 5, section 3.4.2.1: taken, but nobody has subscribed.
_NOBODY = 0x10
_FAILED = 0x80
_SENT = (mqtt.Delivery.SENT, mqtt.Delivery.QUEUED)


class Fronts:
    """The brokers in front that this process holds; commands go to where their device is.

    Args:
        door: hands the commands over.
        doorbells: ring when somebody signs in at a broker that asked another process.
    """

    def __init__(self, door: ingest.Door, doorbells: Doorbells) -> None:
        self._open: list[Front] = []
        door.follow(self._here, self._deliver, _ignore, lost=_ignore, due=_ignore, met=_meet)
        doorbells.on(store.arrivals.CHANNEL, self._arrived)

    def opened(self, front: Front) -> None:
        """Take a broker up once it is connected."""
        self._open.append(front)

    def closed(self, front: Front) -> None:
        """Let a broker go whose connection is lost; what was not sent is claimed again."""
        if front in self._open:
            self._open.remove(front)

    def _arrived(self, source_id: str) -> None:
        for front in self._open:
            if source_id in ("", str(front.source.id)):
                front.look()

    def _here(self) -> Sequence[int]:
        return list(set[int]().union(*(front.here for front in self._open)))

    def _deliver(self, command: ingest.Command) -> bool:
        return any(front.send(command) for front in self._open if command.device in front.here)


class Front:
    """One broker in front, while one of the connections to it is held.

    Attributes:
        leads: whether it is the first, by which commands go down and the broker tells who is there;
            the others note whom they hear.
        here: the numbers of the devices that are there, as far as can be told.
    """

    def __init__(
        self, source: Source, database: Database, door: ingest.Door, *, leads: bool = True
    ) -> None:
        self.source, self.leads = source, leads
        self.here: set[int] = set()
        self._database = database
        self._door = door
        self._wire: Wire | None = None
        self._came: set[int] = set()
        self._went: set[int] = set()
        self._to_look = asyncio.Event()
        self._clients: dict[str, int] = {}

    # --- Commands ---------------------------------------------------------

    def connected(self, wire: Wire) -> None:
        """Send over this connection from now on."""
        self._wire = wire
        self.look()

    def lost(self) -> None:
        """Send nothing until there is another connection."""
        self._wire = None

    def send(self, command: ingest.Command) -> bool:
        """Publish a command; False if that cannot be done now."""
        if self._wire is None or self._wire.lost.done():
            return False
        sent = self._wire.machine.publish(
            f"v1/devices/{command.device_id}/op/{command.id}",
            command.payload,
            qos=1,
            now=time.monotonic(),
            properties={"content_type": command.meta["content_type"]},
            reference=str(command.id),
        )
        self._wire.flush()
        return sent in _SENT

    def acknowledged(self, event: mqtt.Acknowledged) -> None:
        """Note what the broker took over; what it has nobody for is handed over again later."""
        if event.reference and event.reason_code < _FAILED and event.reason_code != _NOBODY:
            self._door.taken(UUID(event.reference))

    # --- Who is there -----------------------------------------------------

    def heard(self, number: int) -> None:
        """Note that a device sent something."""
        self._went.discard(number)
        if number not in self.here:
            self.here.add(number)
            self._came.add(number)
            self._door.look_for_commands()

    def look(self) -> None:
        """Read soon who signed in."""
        self._to_look.set()

    async def told(self, publish: mqtt.Publish) -> None:
        """Take what the broker tells of its clients, where it tells anything."""
        assert self.source.front is not None
        event = read_event(self.source.front, publish.topic, publish.payload)
        if event is None:
            return
        if event.name is None:
            number = self._clients.get(event.client_id)
        else:
            number = await self._number(event.name)
        if number is not None:
            self._note(number, event)

    async def _number(self, name: str) -> int | None:
        """Find whose user name it is, or whose id where the broker knows its clients by that."""
        while True:
            try:
                sender = await self._door.named(name)
                sender = sender or await self._door.named(name, certified=True)
            except DatabaseUnavailable:
                await asyncio.sleep(ASK_AGAIN_S)
                continue
            return sender.number if sender is not None and self._is_ours(sender) else None

    def _is_ours(self, sender: devices.Sender) -> bool:
        return self.source.organization_id in (None, sender.organization_id)

    def _note(self, number: int, event: Event) -> None:
        if event.connected:
            self._clients[event.client_id] = number
            self.heard(number)
            self._door.look_for_commands()
        else:
            self._clients.pop(event.client_id, None)
            if number not in self._clients.values():
                self.here.discard(number)
                self._came.discard(number)
                self._went.add(number)
        self._door.present(
            ingest.Presence(
                device=number,
                connected=event.connected,
                at_us=time.time_ns() // 1000,
                client_id=event.client_id,
                version=event.version,
                address=event.address,
                cause=event.cause,
            )
        )

    async def follow(self) -> None:
        """Write who came and went, and read who signed in, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WRITE_EVERY_S):
                    await self._to_look.wait()
            if not (self._to_look.is_set() or self._came or self._went):
                continue
            is_to_look = self._to_look.is_set()
            self._to_look.clear()
            try:
                await self._write(is_to_look)
            except DatabaseUnavailable:
                if is_to_look:
                    self._to_look.set()
                await asyncio.sleep(ASK_AGAIN_S)

    async def _write(self, is_to_look: bool) -> None:
        came, went = set(self._came), set(self._went)
        async with self._database.begin() as tx:
            await store.arrivals.came(tx, self.source.id, await devices.known(tx, sorted(came)))
            if came and not self.leads:
                await store.arrivals.ring(tx, self.source.id)
            await store.arrivals.went(tx, self.source.id, went)
            found = (
                set(await store.arrivals.devices_at(tx, self.source.id)) if is_to_look else set()
            )
        self._came -= came
        self._went -= went
        if is_to_look:
            known, self.here = self.here, (found - self._went) | self._came
            if self.here - known:
                self._door.look_for_commands()


def _meet(_others: Sequence[sessions.Listener], _is_complete: bool) -> int:
    """Leave other listeners alone: nothing of theirs passes here."""
    return 0


def _ignore(_numbers: Sequence[int]) -> None:
    """Leave alone who is connected there: no session of theirs is kept here."""
