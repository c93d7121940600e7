"""Sharing sources among processes: whoever holds a source's lock fetches its messages."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
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
from . import catalogue
from .front import Fronts
from .intake import Intake, Means
from .roster import Roster

log = structlog.get_logger()

LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class _Running:
    intake: Intake
    task: asyncio.Task[None]
    updated_at: datetime


class Keeper:
    """Fetches for each source that is not paused and not held by another process.

    The locks end with the connection that holds them, so whoever dies is followed by another
    within seconds.
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
        self._running: dict[UUID, _Running] = {}
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
                source_id
                for source_id, running in self._running.items()
                if running.task.done() or wanted.get(source_id) != running.updated_at
            ]
            await self._mark_removed(over, wanted)
            await self._stop(over)
            for source_id in over:
                await held.release(source_id)
            for source_id in wanted:
                if source_id in self._running or not await held.take(source_id):
                    continue
                if not await self._start(source_id):
                    await held.release(source_id)
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._wake.wait()
            except TimeoutError:
                # Finds what another process let go, and notices when this connection is lost.
                await held.check()

    async def _start(self, source_id: UUID) -> bool:
        try:
            async with self._database.begin() as tx:
                source = await store.get(tx, source_id)
                secrets = await catalogue.secrets_of(tx, source_id, self._means.sealer)
            intake = Intake(self._means, source, secrets)
        except DatabaseUnavailable:
            raise
        except MoorageError as failed:
            log.error("source_not_begun", source_id=source_id, error=str(failed))
            return False
        task = asyncio.create_task(intake.run(), name=f"source-{source_id}")
        self._running[source_id] = _Running(intake, task, source.updated_at)
        return True

    async def _mark_removed(self, over: list[UUID], wanted: Mapping[UUID, datetime]) -> None:
        """Have the broker forget us where a source is gone for good."""
        for source_id in over:
            if source_id not in wanted:
                async with self._database.begin() as tx:
                    try:
                        await store.get(tx, source_id)
                    except SourceUnknown:
                        self._running[source_id].intake.is_removed = True

    async def _stop(self, source_ids: list[UUID]) -> None:
        """Stop sources, and say why one failed; it is begun anew by the next look."""
        stopped = {source_id: self._running.pop(source_id).task for source_id in source_ids}
        for task in stopped.values():
            task.cancel()
        if stopped:
            await asyncio.wait(stopped.values())
        for source_id, task in stopped.items():
            if not task.cancelled() and (failed := task.exception()) is not None:
                log.error("source_failed", source_id=source_id, exc_info=failed)
