"""Sharing targets among workers: whoever holds a target's lock delivers to it."""

from __future__ import annotations

import asyncio
import random
from uuid import UUID

import structlog

from moorage.kit.db import FACTS_CHANNEL, DatabaseUnavailable
from moorage.kit.doorbell import Doorbells
from moorage.kit.locks import Locks, locks

from .. import store
from .deliver import Means, Runner

log = structlog.get_logger()

LOOK_EVERY_S = 1.0


class Dispatch:
    """Runs a deliverer for each target that has something waiting and is not held elsewhere."""

    def __init__(self, means: Means, doorbells: Doorbells) -> None:
        self._means = means
        self._running: dict[UUID, tuple[Runner, asyncio.Task[None]]] = {}
        self._rung: set[UUID] = set()
        self._look_at_all = True
        self._wake = asyncio.Event()
        doorbells.on(store.OUTBOX_CHANNEL, self._outbox)
        doorbells.on(FACTS_CHANNEL, self._facts)

    def _outbox(self, names: str) -> None:
        if not names:
            self._look_at_all = True
            for runner, _task in self._running.values():
                runner.ring()
        for name in names.split(",") if names else ():
            target_id = UUID(hex=name)
            if target_id in self._running:
                self._running[target_id][0].ring()
            else:
                self._rung.add(target_id)
        if self._rung or self._look_at_all:
            self._wake.set()

    def _facts(self, names: str) -> None:
        if not names or any(name.startswith("targets.") for name in names.split(",")):
            for runner, _task in self._running.values():
                runner.reload()
            self._look_at_all = True
            self._wake.set()

    async def run(self) -> None:
        """Work until cancelled; what is under way is finished and written down first."""
        while True:
            try:
                # Two workers that start together shall not both take every target.
                await asyncio.sleep(random.uniform(0, 0.1))  # noqa: S311
                async with locks(self._means.database, "targets") as held:
                    try:
                        await self._work(held)
                    finally:
                        await self._stop()
            except DatabaseUnavailable as lost:
                log.warning("dispatch_interrupted", error=str(lost))
                await asyncio.sleep(LOOK_EVERY_S)

    async def _work(self, held: Locks) -> None:
        self._look_at_all = True
        while True:
            self._wake.clear()
            await self._reap(held)
            rung, self._rung = self._rung, set()
            look_at_all, self._look_at_all = self._look_at_all, False
            if look_at_all or rung:
                async with self._means.database.begin() as tx:
                    due = await store.due_targets(tx, None if look_at_all else rung)
                for target_id in due:
                    if target_id not in self._running and await held.take(target_id):
                        self._start(target_id)
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._wake.wait()
            except TimeoutError:
                # Finds what another worker let go, and notices when this connection is lost.
                await held.check()
                self._look_at_all = True

    def _start(self, target_id: UUID) -> None:
        runner = Runner(self._means, target_id)
        task = asyncio.create_task(runner.run(), name=f"target-{target_id}")
        task.add_done_callback(lambda _done: self._wake.set())
        self._running[target_id] = runner, task

    async def _reap(self, held: Locks) -> None:
        """Let go of targets whose deliverer ended; log why, if it failed."""
        for target_id, (_runner, task) in list(self._running.items()):
            if not task.done():
                continue
            del self._running[target_id]
            failed = task.exception() if not task.cancelled() else None
            if failed is not None:
                # One target's trouble stops no other; it is begun anew by the next look.
                log.error("target_deliverer_failed", target_id=target_id, exc_info=failed)
            await held.release(target_id)

    async def _stop(self) -> None:
        tasks = [task for _runner, task in self._running.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._running.clear()
