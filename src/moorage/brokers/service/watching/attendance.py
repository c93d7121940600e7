"""Who is at a broker that tells of its connections, noted as the platform's own door does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from moorage import devices, ingest, sources
from moorage.kit.db import Database, DatabaseUnavailable

from ...model import Registered
from ..guard import ITSELVES

WRITE_EVERY_S = 0.5
ASK_AGAIN_S = 0.5
MOST_NAMES = 100_000


@dataclass(frozen=True, slots=True)
class Visit:
    """A connection, as the broker tells of it.

    Attributes:
        key: by which the broker knows it.
        name: the user name, or the device's id where `certified`.
    """

    key: str
    name: str
    client_id: str = ""
    address: str = ""
    protocol: str = "mqtt"
    version: str = ""
    tls: bool = False
    certified: bool = False


@dataclass(frozen=True, slots=True)
class _Present:
    visit: Visit
    number: int
    came_at: float


class Attendance:
    """The devices at one broker, while this process watches it.

    Args:
        broker: which one.
        database: where it is noted who is there, so that commands go there.
        door: knows devices, and notes who comes and goes.
        end: ends a connection; the device has to sign in anew.
    """

    def __init__(
        self,
        broker: Registered,
        database: Database,
        door: ingest.Door,
        end: Callable[[Visit], Awaitable[None]],
    ) -> None:
        self._broker = broker
        self._database, self._door, self._end = database, door, end
        self._present: dict[str, _Present] = {}
        # By which names devices were here: others that are unknown are the operator's own.
        self._names: dict[str, None] = {}
        self._ended: set[str] = set()
        # What ended while the broker was listing its connections.
        self._gone: dict[str, float] = {}
        self._came: set[int] = set()
        self._went: set[int] = set()

    async def came(self, visit: Visit) -> None:
        """Note a connection; that of a device that may be there no longer is ended."""
        if visit.name in ITSELVES or visit.key in self._present:
            return
        sender = await self._sender(visit)
        if sender is None:
            if visit.name in self._names:
                await self._end(visit)
            return
        self._names[visit.name] = None
        if len(self._names) > MOST_NAMES:
            del self._names[next(iter(self._names))]
        self._present[visit.key] = _Present(visit, sender.number, time.monotonic())
        self._went.discard(sender.number)
        self._came.add(sender.number)
        self._note(visit, sender.number, "")

    def went(self, key: str, cause: str) -> None:
        """Note that a connection ended."""
        self._gone[key] = time.monotonic()
        gone = self._present.pop(key, None)
        if gone is None:
            return
        if key in self._ended:
            self._ended.discard(key)
            cause = "revoked"
        if all(one.number != gone.number for one in self._present.values()):
            self._came.discard(gone.number)
            self._went.add(gone.number)
        self._note(gone.visit, gone.number, cause)

    async def are(self, visits: Mapping[str, Visit], asked_at: float) -> None:
        """Take what the broker lists: the connections there were when it was asked.

        Args:
            visits: by their keys.
            asked_at: by the monotonic clock.
        """
        for key, one in list(self._present.items()):
            if key not in visits and one.came_at < asked_at:
                self.went(key, "lost")
        for key, visit in visits.items():
            if self._gone.get(key, asked_at) <= asked_at:
                await self.came(visit)
        self._gone = {key: at for key, at in self._gone.items() if at > asked_at}

    async def changed(self, numbers: Sequence[int]) -> None:
        """End the connections of devices that have changed.

        The broker has no other way to find out whether what they proved still holds, and NATS and
        RabbitMQ remember what a connection may.
        """
        wanted = set(numbers)
        for one in list(self._present.values()):
            if one.number in wanted:
                self._ended.add(one.visit.key)
                await self._end(one.visit)

    def leave(self) -> None:
        """Note that this process watches no longer."""
        for key in list(self._present):
            self.went(key, "shutdown")

    async def write_for_ever(self) -> None:
        """Write who came and went, until cancelled."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            came, went = self._came.copy(), self._went.copy()
            if not (came or went):
                continue
            try:
                async with self._database.begin() as tx:
                    if came:
                        await sources.signed_in(tx, {self._broker.id: came})
                    if went:
                        await sources.left(tx, self._broker.id, went)
            except DatabaseUnavailable:
                continue
            self._came -= came
            self._went -= went

    async def _sender(self, visit: Visit) -> devices.Sender | None:
        """Find who it is; None if he may not be there."""
        while True:
            try:
                sender = await self._door.named(visit.name, certified=visit.certified)
                if sender is None and self._broker.certified and not visit.certified:
                    sender = await self._door.named(visit.name, certified=True)
            except DatabaseUnavailable:
                await asyncio.sleep(ASK_AGAIN_S)
                continue
            whose = self._broker.organization_id
            is_served = sender is not None and whose in (None, sender.organization_id)
            return sender if is_served else None

    def _note(self, visit: Visit, number: int, cause: str) -> None:
        self._door.present(
            ingest.Presence(
                device=number,
                connected=not cause,
                at_us=time.time_ns() // 1000,
                client_id=visit.client_id,
                protocol=visit.protocol,
                version=visit.version,
                address=visit.address,
                tls=visit.tls,
                cause=cause,
            )
        )
