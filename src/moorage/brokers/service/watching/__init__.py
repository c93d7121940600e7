"""Watching brokers that tell of their connections: presence, and an end for whoever has changed."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import nats
import structlog

from moorage import ingest, sources
from moorage.kit.db import Database, DatabaseUnavailable
from moorage.kit.errors import MoorageError
from moorage.kit.locks import Locks, locks
from moorage.kit.outbound import Outbound
from moorage.kit.secrets import Sealer
from moorage.sources import BrokerKind

from ... import store
from ...model import Watched
from .. import signing
from . import nats_server, rabbitmq
from .attendance import Attendance, Visit

log = structlog.get_logger()

LOOK_EVERY_S = 1.0
LONGEST_PAUSE_S = 30.0
# A watch that held for so long was a good one: the next pause is short again.
STEADY_S = 10.0


class _Watching(Protocol):
    """A broker's own way to tell."""

    async def end(self, visit: Visit) -> None:
        """End a connection."""

    async def watch(self, attendance: Attendance) -> None:
        """Follow who comes and goes, as long as the broker can be reached."""


class Watches:
    """Watches each broker that no other process watches, until cancelled."""

    def __init__(
        self, database: Database, door: ingest.Door, sealer: Sealer, network: Outbound
    ) -> None:
        self._database, self._door = database, door
        self._sealer, self._network = sealer, network
        self._running: dict[UUID, tuple[Watched, asyncio.Task[None]]] = {}
        self._open: dict[UUID, Attendance] = {}
        self._ending: set[asyncio.Task[None]] = set()
        door.follow(list, _never, self._cut, lost=_ignore, due=_ignore, met=_meet)

    async def run(self) -> None:
        """Hold what is free."""
        while True:
            try:
                async with locks(self._database, "brokers") as held:
                    try:
                        await self._work(held)
                    finally:
                        await self._stop(list(self._running))
            except DatabaseUnavailable as lost:
                log.warning("watches_interrupted", error=str(lost))
                await asyncio.sleep(LOOK_EVERY_S)

    async def _work(self, held: Locks) -> None:
        while True:
            async with self._database.begin() as tx:
                wanted = {one.broker.id: one for one in await store.watched(tx)}
            over = [
                broker_id
                for broker_id, (watched, task) in self._running.items()
                if task.done() or wanted.get(broker_id) != watched
            ]
            await self._stop(over)
            for broker_id in over:
                await held.release(broker_id)
            for broker_id, watched in wanted.items():
                if broker_id not in self._running and await held.take(broker_id):
                    task = asyncio.create_task(self._hold(watched), name=f"watch-{broker_id}")
                    self._running[broker_id] = watched, task
            await asyncio.sleep(LOOK_EVERY_S)
            await held.check()

    async def _stop(self, broker_ids: list[UUID]) -> None:
        stopped = {broker_id: self._running.pop(broker_id)[1] for broker_id in broker_ids}
        for task in stopped.values():
            task.cancel()
        if stopped:
            await asyncio.wait(stopped.values())
        for broker_id, task in stopped.items():
            if not task.cancelled() and (failed := task.exception()) is not None:
                log.error("watch_failed", broker_id=broker_id, exc_info=failed)

    async def _hold(self, watched: Watched) -> None:
        """Watch one broker; comes back after each loss."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                watching = await self._watching(watched)
                if watching is None:
                    log.info("watch_needs_a_source", broker_id=watched.broker.id)
                    await asyncio.Event().wait()
                    return
                await self._watch(watched, watching)
            except (
                MoorageError, OSError, ValueError, nats.errors.Error, TimeoutError
            ) as lost:  # fmt: skip
                failures = 0 if time.monotonic() - began > STEADY_S else failures
                if not failures:
                    words = {"broker_id": watched.broker.id, "error": str(lost) or repr(lost)}
                    log.warning("watch_failing", **words)
            failures += 1
            most = min(LONGEST_PAUSE_S, 2.0 ** min(failures, 5) / 2)
            await asyncio.sleep(random.uniform(most / 2, most))  # noqa: S311

    async def _watching(self, watched: Watched) -> _Watching | None:
        """Make what asks a broker; None if it is not known how to sign in there."""
        broker = watched.broker
        if broker.kind is BrokerKind.NATS and watched.sealed_secrets is not None:
            secret = signing.opened(self._sealer, broker.id, watched.sealed_secrets)
            return nats_server.Watching(self._network, watched.url, secret.token)
        if broker.kind is BrokerKind.RABBITMQ and watched.source_id is not None:
            async with self._database.begin() as tx:
                login = await sources.login_of(tx, watched.source_id, self._sealer)
            return rabbitmq.Watching(self._network, watched.url, *login)
        return None

    async def _watch(self, watched: Watched, watching: _Watching) -> None:
        broker = watched.broker
        attendance = Attendance(broker, self._database, self._door, watching.end)
        writing = asyncio.create_task(attendance.write_for_ever())
        self._open[broker.id] = attendance
        log.info("watch_begun", broker_id=broker.id)
        try:
            await watching.watch(attendance)
        finally:
            del self._open[broker.id]
            attendance.leave()
            writing.cancel()

    def _cut(self, numbers: Sequence[int]) -> None:
        """End, at every broker that is watched, the connections of devices that have changed."""
        for attendance in self._open.values():
            task = asyncio.create_task(_changed(attendance, numbers))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


async def _changed(attendance: Attendance, numbers: Sequence[int]) -> None:
    try:
        await attendance.changed(numbers)
    except (MoorageError, OSError, nats.errors.Error) as failed:
        log.warning("connection_not_ended", error=str(failed) or repr(failed))


def _never(_command: ingest.Command) -> bool:
    """Hand nothing over: commands go down by what fetches the messages."""
    return False


def _ignore(_numbers: Sequence[int]) -> None:
    """Leave alone who is connected there: no session of theirs is kept here."""


def _meet(_others: Sequence[object], _is_complete: bool) -> int:
    """Leave other listeners alone: nothing of theirs passes here."""
    return 0
