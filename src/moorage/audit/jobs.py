"""Sealing facts as they come, and carrying warnings of this process into the system log."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import re
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from moorage.kit.db import FACTS_CHANNEL, Database, DatabaseUnavailable, Tx
from moorage.kit.doorbell import Doorbells
from moorage.kit.outbound import Outbound
from moorage.kit.secrets import Sealer

from . import service
from .model import SEALED_CHANNEL, NewSystemEntry

log = structlog.get_logger()

PAUSE_S = 0.1
LOOK_EVERY_S = 20.0
# More than this waits while the database is away; the rest is only on stdout.
LONGEST_QUEUE = 2000
BATCH = 200
EVERY_S = 1.0
_SECRET = re.compile("passw|secret|token|authorization|cookie|api_?key|private")
_META = frozenset({"event", "level", "timestamp", "part", "logger", "_record", "_from_structlog"})


async def trim(tx: Tx) -> None:
    """Delete what the system log keeps no longer; every ten minutes."""
    await service.trim(tx)


class Sealing:
    """Seals facts as soon as they are committed, signs and drops by the clock.

    For one worker at a time; a second one would only wait for the first.
    """

    def __init__(self, database: Database, doorbells: Doorbells, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._wake = asyncio.Event()
        self._look_at = 0.0
        doorbells.on(FACTS_CHANNEL, lambda _names: self._wake.set())

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                wait_s = await self.step()
            except DatabaseUnavailable:
                wait_s = EVERY_S
            except Exception:
                # What one fact or key does wrong must not end the sealing of all others for good.
                log.exception("sealing_failed")
                wait_s = EVERY_S
            if wait_s > PAUSE_S:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait_s)
            # Facts come in flocks; one seal for many costs as much as for one.
            await asyncio.sleep(PAUSE_S)

    async def step(self) -> float:
        """Seal what is there, sign what is due; tells for how long to sleep at most."""
        self._wake.clear()
        async with self._database.begin() as tx:
            await service.seal(tx)
            waiting = await service.any_waiting(tx)
        if self._look_at <= (now := asyncio.get_running_loop().time()):
            self._look_at = now + LOOK_EVERY_S
            async with self._database.begin() as tx:
                await service.sign_due(tx, self._sealer)
        # An older transaction that still runs holds back what waits.
        return PAUSE_S if waiting else LOOK_EVERY_S

    async def drop(self, tx: Tx) -> None:
        """Drop what is kept no longer; hourly."""
        await service.drop_due(tx, self._sealer)


class Sending:
    """Sends to every collector what it has not taken, and writes checkpoints into a directory.

    For one worker at a time.

    Args:
        database: where records and positions are.
        doorbells: ring when facts were sealed, and when collectors changed.
        sealer: opens tokens.
        outbound: opens connections, as far as the operator allows.
        host_name: of this installation.
        directory: where checkpoints go as files, each in one; None for nowhere.
    """

    def __init__(
        self,
        database: Database,
        doorbells: Doorbells,
        sealer: Sealer,
        outbound: Outbound,
        host_name: str,
        directory: Path | None,
    ) -> None:
        self._database, self._sealer, self._outbound = database, sealer, outbound
        self._host_name, self._directory = host_name, directory
        self._wake = asyncio.Event()
        self._running: dict[UUID, tuple[service.Sender, asyncio.Task[None]]] = {}
        doorbells.on(SEALED_CHANNEL, lambda _payload: self._wake.set())

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            while True:
                self._wake.clear()
                try:
                    await self._look()
                    await self._write_checkpoints()
                except DatabaseUnavailable:
                    await asyncio.sleep(EVERY_S)
                except OSError as failed:
                    log.warning("checkpoints_not_written", error=str(failed))
                    await asyncio.sleep(LOOK_EVERY_S)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), LOOK_EVERY_S)
        finally:
            await self._end(list(self._running))

    async def _look(self) -> None:
        """Begin, end and wake senders, as the collectors are now."""
        async with self._database.begin() as tx:
            found = {one.id: one for one in await service.active(tx)}
        changed = [
            id_
            for id_, (sender, task) in self._running.items()
            if id_ not in found or found[id_].updated_at != sender.version or task.done()
        ]
        await self._end(changed)
        for id_, one in found.items():
            if id_ not in self._running:
                sender = service.Sender(
                    self._database, self._sealer, self._outbound, one, self._host_name
                )
                self._running[id_] = sender, asyncio.create_task(sender.run())
            self._running[id_][0].wake.set()

    async def _end(self, ids: list[UUID]) -> None:
        ended = [self._running.pop(id_)[1] for id_ in ids]
        for task in ended:
            task.cancel()
        for failed in await asyncio.gather(*ended, return_exceptions=True):
            if isinstance(failed, Exception):
                log.error("sender_failed", exc_info=failed)

    async def _write_checkpoints(self) -> None:
        """Write each checkpoint that is not there yet into a file of its own."""
        if self._directory is None:
            return
        directory = self._directory
        names = await asyncio.to_thread(_names_in, directory)
        last = max((int(name) for name in names), default=0)
        async with self._database.begin() as tx:
            lines = await service.checkpoint_lines(tx, last)
        for id_, line in lines:
            await asyncio.to_thread(_write_file, directory / f"{id_:012d}.ndjson", line + b"\n")


def _names_in(directory: Path) -> list[str]:
    directory.mkdir(parents=True, exist_ok=True)
    return [path.stem for path in directory.glob("*.ndjson") if path.stem.isdigit()]


def _write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    draft = path.with_suffix(".new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


class SystemLogHandler(logging.Handler):
    """Queues warnings and errors; never blocks, and drops what does not fit."""

    def __init__(self, part: str) -> None:
        super().__init__(logging.WARNING)
        self.part = part
        self.waiting: queue.Queue[NewSystemEntry] = queue.Queue(LONGEST_QUEUE)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue one record."""
        with contextlib.suppress(queue.Full):
            self.waiting.put_nowait(self._entry(record))

    def _entry(self, record: logging.LogRecord) -> NewSystemEntry:
        detail: dict[str, Any] = {}
        event = ""
        if isinstance(record.msg, Mapping):
            event = str(record.msg.get("event", ""))
            detail = {k: _shown(k, v) for k, v in record.msg.items() if k not in _META}
        else:
            event = record.getMessage()
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if error is not None:
            detail["error"] = f"{type(error).__name__}: {error}"[:1000]
        return NewSystemEntry(
            at=datetime.fromtimestamp(record.created, UTC),
            part=self.part,
            component=record.name,
            level=record.levelname.lower(),
            event=event[:500].replace("\x00", ""),
            detail=detail,
        )


@contextlib.asynccontextmanager
async def system_log_kept(database: Database, *, part: str) -> AsyncIterator[None]:
    """Write this process's warnings and errors into the system log while the block runs."""
    handler = SystemLogHandler(part)
    logging.getLogger().addHandler(handler)
    writing = asyncio.create_task(_write(database, handler))
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        writing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing
        await _write_once(database, handler)


async def write_waiting(database: Database, handler: SystemLogHandler) -> None:
    """Write what waits; after a failure the batch is lost, since it stands on stdout too."""
    batch: list[NewSystemEntry] = []
    while len(batch) < BATCH:
        try:
            batch.append(handler.waiting.get_nowait())
        except queue.Empty:
            break
    if batch:
        async with database.begin() as tx:
            await service.keep_entries(tx, batch)


async def _write(database: Database, handler: SystemLogHandler) -> None:
    while True:
        await asyncio.sleep(EVERY_S)
        await _write_once(database, handler)


async def _write_once(database: Database, handler: SystemLogHandler) -> None:
    try:
        async with asyncio.timeout(10):
            await write_waiting(database, handler)
    except Exception as failed:
        # The loop must survive; logging it would feed the queue that could not be written.
        print(f"system log not written: {failed!r}", file=sys.stderr)  # noqa: T201


def _shown(name: str, value: Any) -> Any:
    """Give a field's value; nobody logs secrets, and if somebody does they stay on stdout."""
    return "***" if _SECRET.search(name.lower()) else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float) or value is None:
        return value if value == value else None  # noqa: PLR0124  (NaN has no JSON form.)
    return str(value)[:1000].replace("\x00", "")
