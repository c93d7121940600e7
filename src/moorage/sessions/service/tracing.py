"""The rules of tracing: who watches a device's packets, and what listeners write for them.

A watch is a row; listeners read whose packets are watched when the doorbell rings, and write these
as rows that the processes of the API read. Nothing is written while nobody watches.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

from moorage import devices
from moorage.kit.caller import Caller
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.doorbell import Doorbells
from moorage.kit.ids import uuid7
from moorage.organizations import Permission

from .. import store
from ..errors import TooManyTraces
from ..facts import DeviceTraced
from ..model import TracedBatch, Watch

WATCHES_CHANNEL = "moorage_watches"
PACKETS_CHANNEL = "moorage_packets"
LONGEST = timedelta(minutes=15)
# A watch that nobody keeps alive is over; whoever watches says so every few seconds.
ALIVE = timedelta(seconds=15)
KEEP_PACKETS = timedelta(minutes=1)
MOST_TRACES = 10


async def start_trace(tx: Tx, caller: Caller, device_id: UUID) -> tuple[Watch, dict[UUID, int]]:
    """Begin to watch a device's packets; who watches whom is announced.

    Payloads and the values of properties are for those who may read the device's messages.

    Gives the watch, and how far listeners have written for others who watch it: for
    `read_packets`.

    Raises:
        DeviceUnknown: there is none, or the caller may not see it.
        TooManyTraces: the caller watches enough.
    """
    device = await devices.get(tx, caller, device_id)
    if await store.traces.count_of(tx, caller.id) >= MOST_TRACES:
        raise TooManyTraces(limit=MOST_TRACES)
    watch = Watch(
        uuid7(), device.number, device.id, tx.now + LONGEST, _shows_content(caller, device)
    )
    await store.traces.add(tx, watch, caller.id, tx.now + ALIVE)
    after = {"content": watch.shows_content, "until": watch.ends_at}
    tx.announce(DeviceTraced(device.id, device.organization_id, after=after))
    await _ring(tx)
    return watch, await store.traces.places(tx, device.number)


async def read_packets(
    tx: Tx, caller: Caller, watch: Watch, shown: Mapping[UUID, int]
) -> tuple[Watch, list[TracedBatch]]:
    """Read what listeners have written of a device's packets after what was shown, in order.

    Gives the watch as well, with the rights that the caller has now.

    Raises:
        DeviceUnknown: the device is gone, or the caller may not see it any more.
    """
    device = await devices.get(tx, caller, watch.device_id)
    watch = replace(watch, shows_content=_shows_content(caller, device))
    return watch, await store.traces.read(tx, watch.number, shown)


async def keep_alive(tx: Tx, caller: Caller, watch: Watch) -> None:
    """Have a watch go on for some seconds. Raises DeviceUnknown."""
    await devices.get(tx, caller, watch.device_id)
    await store.traces.keep_alive(tx, watch.id, min(tx.now + ALIVE, watch.ends_at))
    await store.traces.forget_packets(tx, watch.number, tx.now - KEEP_PACKETS)


async def end_trace(tx: Tx, watch: Watch) -> None:
    """End a watch; with the last one of a device what was written for it goes."""
    await store.traces.remove(tx, watch.id)
    await store.traces.forget_unwatched(tx)
    await _ring(tx)


async def end_left_behind(tx: Tx) -> None:
    """Remove watches whose process has died, and what was written for them; for the schedule."""
    await store.traces.remove_dead(tx)
    await store.traces.forget_unwatched(tx)


def _shows_content(caller: Caller, device: devices.Device) -> bool:
    return caller.may(Permission.READ_MESSAGES, *device.scope)


async def _ring(tx: Tx) -> None:
    await tx.execute("SELECT pg_notify(:channel, '')", {"channel": WATCHES_CHANNEL})


# --- For listeners ----------------------------------------------------------


async def watched(tx: Tx) -> Mapping[int, frozenset[str]]:
    """Tell whose packets are watched, and by which names these devices may sign in."""
    numbers = await store.traces.watched(tx)
    return await devices.names_of(tx, numbers) if numbers else {}


async def write_packets(tx: Tx, batches: Sequence[TracedBatch]) -> None:
    """Write packets of devices that are still watched, and tell those who watch."""
    if await store.traces.write(tx, batches):
        await tx.execute("SELECT pg_notify(:channel, '')", {"channel": PACKETS_CHANNEL})


# --- For those who watch ----------------------------------------------------


@dataclass(eq=False, slots=True)
class Watcher:
    """One who watches, in this process.

    Attributes:
        bell: something was written, or rights may be others.
        rights_changed: it must be asked anew what may be seen.
    """

    bell: asyncio.Event = field(default_factory=asyncio.Event)
    rights_changed: bool = False

    async def wait(self, timeout_s: float) -> bool:
        """Wait until the bell rings, at most `timeout_s`; tell whether it did."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.bell.wait()
        rang = self.bell.is_set()
        self.bell.clear()
        return rang


class Traces:
    """Those who watch, in one process."""

    def __init__(self, database: Database, doorbells: Doorbells) -> None:
        self._database = database
        self._watchers: set[Watcher] = set()
        self._ending: set[asyncio.Task[None]] = set()
        doorbells.on(PACKETS_CHANNEL, lambda _payload: self._ring())
        doorbells.on_rights(self._ask_anew)

    def _ring(self) -> None:
        for watcher in self._watchers:
            watcher.bell.set()

    def _ask_anew(self) -> None:
        for watcher in self._watchers:
            watcher.rights_changed = True
        self._ring()

    @contextlib.contextmanager
    def told(self, watch: Watch) -> Iterator[Watcher]:
        """Be told of what happens for the length of the block; with it the watch ends."""
        watcher = Watcher()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            # By itself: whoever has gone away waits for nothing more.
            ending = asyncio.create_task(self._end(watch))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def _end(self, watch: Watch) -> None:
        with contextlib.suppress(DatabaseUnavailable):  # Then it ends for want of life.
            async with self._database.begin() as tx:
                await end_trace(tx, watch)
