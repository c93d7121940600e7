"""Sharing sources among processes: whoever holds a connection's lock fetches its messages."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from moorage import ingest
from moorage.kit.db import FACTS_CHANNEL, Database, DatabaseUnavailable
from moorage.kit.doorbell import Doorbells
from moorage.kit.errors import MoorageError
from moorage.kit.locks import Locks, locks
from moorage.kit.outbound import Outbound
from moorage.kit.secrets import Sealer

from .. import store
from ..errors import SourceUnknown
from ..model import Share
from . import catalogue
from .front import Fronts
from .intake import Intake
from .means import Means
from .roster import Roster

log = structlog.get_logger()

LOOK_EVERY_S = 1.0
# Looks after which a process takes what nobody else took, above its share.
PATIENT_LOOKS = 3


@dataclass(frozen=True, slots=True)
class _Running:
    intake: Intake
    task: asyncio.Task[None]
    updated_at: datetime


class Keeper:
    """Fetches by the connections of sources that are not paused and not held by another process.

    Each process takes its share of them, and gives up what it has above that when others come. The
    locks end with the connection that holds them, so whoever dies is followed by another within
    seconds.
    """

    def __init__(
        self,
        database: Database,
        doorbells: Doorbells,
        door: ingest.Door,
        sealer: Sealer,
        network: Outbound,
    ) -> None:
        self._database = database
        roster = Roster(database, doorbells, door)
        fronts = Fronts(door, doorbells)
        self._means = Means(database, door, sealer, network, roster, fronts)
        self._running: dict[Share, _Running] = {}
        # How often each was found free while this process had its share already.
        self._left: Counter[Share] = Counter()
        # For whom there was given up last; nobody may have taken it.
        self._yielded: tuple[frozenset[int], frozenset[Share]] | None = None
        self._wake = asyncio.Event()
        doorbells.on(FACTS_CHANNEL, self._facts)

    def _facts(self, names: str) -> None:
        if not names or any(name.startswith("sources.") for name in names.split(",")):
            self._wake.set()

    async def run(self) -> None:
        """Hold sources until cancelled; what is under way is committed first."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._means.roster.follow_changes())
            tasks.create_task(self._hold())

    async def _hold(self) -> None:
        while True:
            try:
                # Two processes that start together shall not both take every source.
                await asyncio.sleep(random.uniform(0, 0.1))  # noqa: S311
                async with locks(self._database, "sources") as held:
                    try:
                        await held.attend()
                        await self._work(held)
                    finally:
                        await self._stop(list(self._running))
            except DatabaseUnavailable as lost:
                log.warning("sources_interrupted", error=str(lost))
                await asyncio.sleep(LOOK_EVERY_S)

    async def _work(self, held: Locks) -> None:
        while True:
            self._wake.clear()
            async with self._database.begin() as tx:
                wanted = await store.to_hold(tx)
            over = [
                share
                for share, running in self._running.items()
                if running.task.done() or wanted.get(share) != running.updated_at
            ]
            await self._mark_removed(over, wanted)
            await self._let_go(held, over)
            await self._share_out(held, wanted)
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._wake.wait()
            except TimeoutError:
                # Finds what another process let go, and notices when this connection is lost.
                await held.check()

    async def _share_out(self, held: Locks, wanted: Mapping[Share, datetime]) -> None:
        """Take what is free as long as no other process has less, and give up what is too much."""
        if not wanted:
            return
        others = await held.others()
        least = min(others.values(), default=len(wanted))
        asked = frozenset(others), frozenset(wanted)
        if len(self._running) > least + 1 and self._yielded != asked:
            self._yielded = asked
            # Commands go down by the first connection, so it is the last to move.
            shares = sorted(self._running, key=lambda share: share.number, reverse=True)
            await self._let_go(held, shares[: (len(shares) - least) // 2])
            return
        for share in _spread(wanted, self._running):
            if not await held.take(_lock_of(share)):
                del self._left[share]
                continue
            if len(self._running) > least and self._left[share] < PATIENT_LOOKS:
                self._left[share] += 1
                await held.release(_lock_of(share))
                continue
            del self._left[share]
            if not await self._start(share):
                await held.release(_lock_of(share))

    async def _start(self, share: Share) -> bool:
        try:
            async with self._database.begin() as tx:
                source = await store.get(tx, share.source_id)
                secrets = await catalogue.secrets_of(tx, share.source_id, self._means.sealer)
            intake = Intake(self._means, source, secrets, share.number)
        except DatabaseUnavailable:
            raise
        except MoorageError as failed:
            log.error("source_not_begun", source_id=share.source_id, error=str(failed))
            return False
        task = asyncio.create_task(intake.run(), name=f"source-{share.source_id}-{share.number}")
        self._running[share] = _Running(intake, task, source.updated_at)
        return True

    async def _mark_removed(self, over: list[Share], wanted: Mapping[Share, datetime]) -> None:
        """Have the broker forget us where a source is gone for good."""
        for share in over:
            if share not in wanted:
                async with self._database.begin() as tx:
                    try:
                        await store.get(tx, share.source_id)
                    except SourceUnknown:
                        self._running[share].intake.is_removed = True

    async def _let_go(self, held: Locks, shares: list[Share]) -> None:
        await self._stop(shares)
        for share in shares:
            await held.release(_lock_of(share))

    async def _stop(self, shares: list[Share]) -> None:
        """Stop fetching, and say why one failed; it is begun anew by the next look."""
        stopped = {share: self._running.pop(share).task for share in shares}
        for task in stopped.values():
            task.cancel()
        if stopped:
            await asyncio.wait(stopped.values())
        for share, task in stopped.items():
            if not task.cancelled() and (failed := task.exception()) is not None:
                log.error("source_failed", source_id=share.source_id, exc_info=failed)


def _spread(wanted: Iterable[Share], running: Iterable[Share]) -> list[Share]:
    """Give what is not running, those of sources first of which the fewest are."""
    own = set(running)
    counted = Counter(share.source_id for share in own)
    free = [share for share in wanted if share not in own]
    return sorted(free, key=lambda share: (counted[share.source_id], share.number))


def _lock_of(share: Share) -> UUID:
    """Give what is locked for a connection; of the first it is the source itself."""
    return UUID(int=share.source_id.int ^ share.number)
