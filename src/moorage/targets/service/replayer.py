"""From the ledger of what was received into one target's outbox, for a period gone by."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from moorage import devices, ledger
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.doorbell import Doorbells

from .. import store
from ..model import Replay, ReplayState
from .decoding import Deriver, decode
from .expand import take_in
from .intake import Sources

BATCH = 1_000
# Messages that may wait to be processed while replays go on.
MOST_WAITING = 20_000


class Replayer:
    """Works replays off, a batch per transaction; it goes on where it stopped.

    What was received is derived anew: documents are kept nowhere for long, and a period that was
    decoded wrongly can be sent again with the decoder mended.
    """

    def __init__(
        self, database: Database, doorbells: Doorbells, partitions: int, deriver: Deriver
    ) -> None:
        self._database = database
        self._partitions = partitions
        self._deriver = deriver
        self._sources = Sources(doorbells)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                if not await self.step():
                    await asyncio.sleep(1)
            except DatabaseUnavailable:
                await asyncio.sleep(1)

    async def step(self) -> bool:
        """Put the next batch of the oldest replay into the outbox; False if there is none now.

        What is sent anew waits as long as what comes in has to: it is the first to make room.
        """
        async with self._database.begin() as tx:
            replay = await store.take_replay(tx)
            if replay is None or await ledger.is_behind(tx, MOST_WAITING):
                return False
            partition, was = _where(replay)
            until = replay.to_at.date() + timedelta(days=1)
            numbers = await _devices_of(tx, replay.target_id)
            entries, now = await ledger.read_of(tx, numbers, partition, was, until, BATCH)
        start_us, end_us = (int(at.timestamp() * 1e6) for at in (replay.from_at, replay.to_at))
        chosen = [entry for entry in entries if start_us <= entry[1].received_us < end_us]
        messages = await self._deriver(chosen)
        async with self._database.begin() as tx:
            arrivals = await self._sources.arrivals_of(tx, partition, messages)
        wanted = self._sources.routes.choose(arrivals, only_target=replay.target_id)
        decoded = await decode(self._deriver, wanted)
        over = now.next == was.next
        done = over and partition + 1 >= self._partitions
        async with self._database.begin() as tx:
            # Decoding takes its time: it may have been cancelled, or another worker was first.
            if await store.hold_replay(tx, replay):
                rows = await take_in(tx, decoded, replay=replay.id)
                await store.move_replay(
                    tx,
                    replay.id,
                    state=ReplayState.DONE if done else ReplayState.RUNNING,
                    enqueued=rows,
                    position=f"{partition + 1}:0" if over else f"{partition}:{now.next}",
                )
        return True


async def _devices_of(tx: Tx, target_id: UUID) -> frozenset[int]:
    """Give the numbers of the devices that routes of a target may take."""
    routes = await store.enabled_routes(tx, target_id)
    found: set[int] = set()
    everywhere = {route.application_id for route in routes if route.device_ids is None}
    for numbers in (await devices.numbers_in(tx, everywhere)).values():
        found.update(numbers)
    named = {device_id for route in routes for device_id in route.device_ids or ()}
    found.update((await devices.numbers_of(tx, named)).values())
    return frozenset(found)


def _where(replay: Replay) -> tuple[int, ledger.Position]:
    """Read a replay's position: the partition and the place in it."""
    partition, _, next_n = (replay.position or "0:0").partition(":")
    return int(partition), ledger.Position(int(next_n), replay.from_at.date())
