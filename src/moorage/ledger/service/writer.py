"""Durable appends: what arrives while one envelope is committed makes the next."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import structlog

from moorage.kit.db import Database, DatabaseUnavailable

from .. import store
from ..errors import DayMissing, LedgerUnavailable
from ..model import Frame, LogName
from .days import make_days

log = structlog.get_logger()

Done = Callable[[Exception | None], None]

# Reading stops above the first and goes on below the second.
HIGH_WATER_FRAMES, LOW_WATER_FRAMES = 20_000, 5_000
HIGH_WATER_BYTES, LOW_WATER_BYTES = 64_000_000, 16_000_000
LARGEST_BODY = 8_000_000
STOP_TIMEOUT_S = 5.0
# After a commit: turns of the event loop, of which one reads what has come in and one brings it
# here. After a large one a pause: then many send at once, and fewer commits and fewer turns of the
# doors carry the same messages.
GATHER_TURNS = 2
LARGE_FRAMES = 50
GATHER_S = 0.001


class Writer:
    """Gathers frames for one partition and commits them in envelopes, one at a time.

    What arrives while one envelope is being committed makes the next, so batches grow with the
    load and a lone message waits for nothing. After a lost answer the
    same envelope is sent again under the same sequence number, which the database recognises:
    nothing is kept twice.
    """

    def __init__(
        self,
        database: Database,
        log_name: LogName = LogName.RAW,
        partition: int = 0,
        *,
        repeated: Callable[[int], None] | None = None,
    ) -> None:
        """Take up nothing yet; `repeated` is told how many frames were known already."""
        self._database = database
        self._pen = store.Pen(database, log_name, partition)
        self._waiting: list[tuple[Sequence[Frame], Done]] = []
        self._relieved: list[Callable[[], None]] = []
        self._wake = asyncio.Event()
        self._closing = False
        self.frames = 0
        self.bytes = 0
        self.overloaded = False
        self._repeated = repeated

    def put(self, frames: Sequence[Frame], done: Done) -> None:
        """Queue frames; `done(None)` follows their durable commit, and that of all before."""
        most = store.LARGEST_ENVELOPE
        while len(frames) > most:
            self._queue(frames[:most], _say_nothing)
            frames = frames[most:]
        self._queue(frames, done)

    def _queue(self, frames: Sequence[Frame], done: Done) -> None:
        self._waiting.append((frames, done))
        self.frames += len(frames)
        for frame in frames:
            self.bytes += len(frame.body)
        if self.frames > HIGH_WATER_FRAMES or self.bytes > HIGH_WATER_BYTES:
            self.overloaded = True
        self._wake.set()

    def when_relieved(self, call: Callable[[], None]) -> None:
        """Call once the queue is short again."""
        self._relieved.append(call)

    async def run(self) -> None:
        """Commit until cancelled; then commit what waits, for at most five seconds."""
        # A task of its own: a commit under way is never broken off, and its `done` is called.
        committing = asyncio.create_task(self._commit_all())
        try:
            await asyncio.shield(committing)
        finally:
            self._closing = True
            self._wake.set()
            await asyncio.wait([committing], timeout=STOP_TIMEOUT_S)
            committing.cancel()
            self._fail(LedgerUnavailable(reason="the platform is stopping"))
            await self._pen.close()

    async def _commit_all(self) -> None:
        while self._waiting or not self._closing:
            await self._wake.wait()
            frames = await self._commit_next()
            if frames >= LARGE_FRAMES and not self._closing:
                await asyncio.sleep(GATHER_S)
            for _ in range(GATHER_TURNS):
                await asyncio.sleep(0)

    async def _commit_next(self) -> int:
        """Commit what waits, as far as one envelope holds it; give the number of frames."""
        batch, frames = self._gather()
        if not batch:
            return 0
        if frames:
            await self._keep(frames)
        for _frames, done in batch:
            done(None)
        if self.overloaded and self.frames < LOW_WATER_FRAMES and self.bytes < LOW_WATER_BYTES:
            self.overloaded = False
            calls, self._relieved = self._relieved, []
            for call in calls:
                call()
        return len(frames)

    def _gather(self) -> tuple[list[tuple[Sequence[Frame], Done]], list[Frame]]:
        """Take from the queue what fits into one envelope."""
        taken, count, size = 0, 0, 0
        frames: list[Frame] = []
        for some, _done in self._waiting:
            if taken and (count + len(some) > store.LARGEST_ENVELOPE or size > LARGEST_BODY):
                break
            taken += 1
            count += len(some)
            for frame in some:
                size += len(frame.body)
            frames.extend(some)
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self.frames -= count
        self.bytes -= size
        if not self._waiting and not self._closing:
            self._wake.clear()
        return batch, frames

    async def _keep(self, frames: list[Frame]) -> None:
        """Append until it is done; a lost answer is asked for again."""
        pause_s = 0.05
        while True:
            try:
                appended = await self._pen.append(frames)
                if appended.repeats and self._repeated is not None:
                    self._repeated(len(appended.repeats))
                return
            except DayMissing:
                # The machine slept over midnight, or the schedule did not run.
                await self._make_days()
            except LedgerUnavailable as failed:
                log.warning("ledger_append_failed", error=str(failed), frames=len(frames))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 1.0)

    async def _make_days(self) -> None:
        with contextlib.suppress(DatabaseUnavailable):
            async with self._database.begin() as tx:
                await make_days(tx)

    def _fail(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, []
        for _frames, done in waiting:
            done(error)


def _say_nothing(_error: Exception | None) -> None:
    """Leave the answer to the last part of a long batch."""
