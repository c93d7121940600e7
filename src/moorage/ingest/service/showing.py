"""What devices send by other doors than MQTT, shown to programs that subscribe (decision 38)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from uuid import UUID

import structlog

from moorage import devices, ledger
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.doorbell import Doorbells

from .. import store
from ..ports import Shown
from . import topics

log = structlog.get_logger()

BATCH = 1_000
# A pause between two reads: at high rates a read costs more than what it finds.
GATHER_S = 0.02
# How often the reader says that it still is one, and others look whether it is.
LOOK_EVERY_S = 2.0
TRY_AGAIN_S = 0.5
_MQTT = int(ledger.Protocol.MQTT)

IsWanted = Callable[[], bool]
Show = Callable[[Sequence[Shown]], None]


class Showing:
    """Reads the ledger for programs, at one listener of all, and only while any subscribes.

    Args:
        database: where the ledger is.
        doorbells: tell that it has grown.
        reader: who this process is to the others that may read.
    """

    def __init__(self, database: Database, doorbells: Doorbells, reader: UUID) -> None:
        self._database = database
        self._reader = reader
        self._doors: list[tuple[IsWanted, Show]] = []
        self._reads = False
        self._asked: list[asyncio.Future[None]] = []
        self._bell = asyncio.Event()
        doorbells.on(ledger.CHANNEL[ledger.LogName.RAW], lambda _payload: self._ring())

    def show(self, is_wanted: IsWanted, show: Show) -> None:
        """Hand over to a transport, as `Host.show` says."""
        self._doors.append((is_wanted, show))

    async def shows(self) -> None:
        """Wait until all that is stored from now on will be shown."""
        asked = asyncio.get_running_loop().create_future()
        self._asked.append(asked)
        self._bell.set()
        await asked

    async def run(self) -> None:
        """Read until cancelled."""
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S if self._is_wanted() else None):
                        await self._bell.wait()
                self._bell.clear()
                try:
                    await self._look()
                    await asyncio.sleep(GATHER_S)
                except DatabaseUnavailable as lost:
                    log.warning("showing_interrupted", error=str(lost))
                    await asyncio.sleep(TRY_AGAIN_S)
                    self._bell.set()
        finally:
            with suppress(DatabaseUnavailable):  # Then another finds out.
                await self._let_go()

    def _ring(self) -> None:
        # Of those who do not read, one may have to begin: it looks now and then.
        if self._reads:
            self._bell.set()

    def _is_wanted(self) -> bool:
        return any(is_wanted() for is_wanted, _ in self._doors)

    async def _look(self) -> None:
        """Read what is new, if it is this process's turn. Raises DatabaseUnavailable."""
        asked, self._asked = self._asked, []
        try:
            if not asked and not self._is_wanted():
                await self._let_go()
                return
            async with self._database.begin() as tx:
                shown, more = await self._read(tx)
        except DatabaseUnavailable:
            self._asked += asked
            raise
        for one in asked:
            if not one.done():
                one.set_result(None)
        if shown:
            for _, show in self._doors:
                show(shown)
        if more:
            self._bell.set()

    async def _let_go(self) -> None:
        """Let another read, from then on. Raises DatabaseUnavailable."""
        if self._reads:
            self._reads = False
            async with self._database.begin() as tx:
                await store.stop_reading(tx, self._reader)

    async def _read(self, tx: Tx) -> tuple[list[Shown], bool]:
        """Read from where it was left; tell whether there may be more."""
        places = await store.read_on(tx, self._reader)
        self._reads = places is not None
        if places is None:
            return [], False
        if not places:
            for partition in await ledger.partitions_of(tx):
                places[partition] = await ledger.end_of(tx, ledger.LogName.RAW, partition)
        found: list[ledger.RawMessage] = []
        more = False
        for partition, place in places.items():
            envelopes = await ledger.read(tx, ledger.LogName.RAW, partition, place, BATCH)
            for envelope in envelopes:
                skip = max(0, place.next - envelope.first)
                found += [one for one in ledger.messages(envelope)[skip:] if _is_others(one)]
            if envelopes:
                now = places[partition] = ledger.after(envelopes[-1])
                more = more or not ledger.at_end(now.next - place.next)
        await store.keep_places(tx, places)
        return await _shown(tx, found), more


def _is_others(message: ledger.RawMessage) -> bool:
    """Tell whether a message came by another door: the one of MQTT shows its own."""
    return message.protocol != _MQTT or (message.meta is not None and "source" in message.meta)


async def _shown(tx: Tx, found: Sequence[ledger.RawMessage]) -> list[Shown]:
    """Give messages as programs see them; those of devices that have just gone are left out."""
    if not found:
        return []
    owners = await devices.context_of(tx, {one.device for one in found})
    shown = []
    for one in found:
        if (owner := owners.get(one.device)) is None:
            continue
        topic = topics.shown(owner.application_id, owner.id, one.channel)
        port = None if one.meta is None else one.meta.get("port")
        shown.append(Shown(topic, one.payload, one.content_type, port, one.device_us))
    return shown
