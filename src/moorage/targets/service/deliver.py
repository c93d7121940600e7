"""Delivering to one target: rows read in order, sent side by side, settled in batches."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from moorage.kit import trace
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.errors import MoorageError
from moorage.kit.outbound import Outbound
from moorage.kit.secrets import Sealer
from moorage.kit.text import storable

from .. import store
from ..errors import TargetUnknown
from ..model import (
    LOGGED_FAILURES,
    Content,
    Delivery,
    Health,
    HealthState,
    Outcome,
    Pending,
    Reason,
    Result,
    Target,
)
from ..ports import TargetSender
from . import catalogue
from .decoding import Deriver, decode_again, undecoded_of
from .health import note
from .lines import FIRST_PAUSE_S, LONGEST_PAUSE_S, Lines, Policy, Settled

log = structlog.get_logger()
_content = msgspec.msgpack.Decoder(Content).decode

# Results gather this long before they are written; the target has been called already.
GATHER_S = 0.05
# A target with nothing to do is let go, connection and all, after this long.
IDLE_S = 300.0
# What is being sent when the worker stops has this long to end; then it is sent again later.
STOP_S = 3.0
# Rows are read once there is room for so many.
ROOM_TO_FILL = 200
LOGGED_SUCCESSES_PER_S = 5


@dataclass(frozen=True)
class Means:
    """What a deliverer needs beside the target itself."""

    database: Database
    kinds: catalogue.Kinds
    sealer: Sealer
    network: Outbound
    deriver: Deriver


class Runner:
    """Delivers to one target while it holds the target's lock.

    `ring` says that something was put into the outbox, `reload` that the target may have changed.
    """

    def __init__(self, means: Means, target_id: UUID) -> None:
        self._means = means
        self._target_id = target_id
        self._wake = asyncio.Event()
        self._more = True
        self._stale = False
        self._stopping = False
        self._failed: Exception | None = None

    def ring(self) -> None:
        """Read the outbox again."""
        self._more = True
        self._wake.set()

    def reload(self) -> None:
        """Look whether the target was changed, paused or removed."""
        self._stale = True
        self._wake.set()

    async def run(self) -> None:
        """Deliver until the target is paused or removed, or has been idle for a while."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                target, secrets = await self._load()
            except TargetUnknown:
                return
            if target.paused:
                return
            try:
                sender = await catalogue.open_sender(
                    target, secrets, self._means.kinds, self._means.network, trial=False
                )
            except MoorageError as failed:
                async with self._means.database.begin() as tx:
                    await note(tx, target, target.health, _unopened(target, failed, pause_s))
                await self._sleep(pause_s)
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
                continue
            pause_s = FIRST_PAUSE_S
            try:
                if not await self._deliver(target, sender):
                    return
            finally:
                await sender.close()

    async def _load(self) -> tuple[Target, dict[str, str]]:
        self._stale = False
        async with self._means.database.begin() as tx:
            target = await store.get(tx, self._target_id)
            return target, await catalogue.secrets_of(tx, self._target_id, self._means.sealer)

    async def _deliver(self, target: Target, sender: TargetSender) -> bool:
        """Deliver with one sender; True if the target must be loaded again."""
        policy = Policy(target.max_attempts, target.max_age_s, target.concurrency, sender.batch)
        lines = Lines(policy)
        books = _Books(self._means.database, target, lines)
        writer = asyncio.create_task(books.run(), name=f"target-books-{target.id}")
        sending: set[asyncio.Task[None]] = set()
        self._more, self._stopping = True, False
        idle_since = time.monotonic()
        expired_at = 0.0
        try:
            while True:
                self._wake.clear()
                now = time.monotonic()
                if now - expired_at >= 1.0:
                    expired_at = now
                    books.add(lines.expire(time.time()))
                if self._failed is not None:
                    raise self._failed
                if writer.done():
                    writer.result()
                if self._stale and not await self._unchanged(target):
                    return True
                await self._fill(lines, books)
                while batch := lines.next(time.monotonic()):
                    task = asyncio.create_task(self._send(sender, batch, lines, books))
                    sending.add(task)
                    task.add_done_callback(sending.discard)
                if lines.idle and books.empty and not self._more:
                    if time.monotonic() - idle_since > IDLE_S:
                        return False
                else:
                    idle_since = time.monotonic()
                await self._rest(lines)
        finally:
            self._stopping = True
            if sending:
                await asyncio.wait(sending, timeout=STOP_S)
                for task in sending:
                    task.cancel()
            await books.close()
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer

    async def _unchanged(self, target: Target) -> bool:
        self._stale = False
        async with self._means.database.begin() as tx:
            try:
                return (await store.get(tx, target.id)).updated_at == target.updated_at
            except TargetUnknown:
                return False

    async def _fill(self, lines: Lines, books: _Books) -> None:
        """Read what there is room for: first of devices that fell behind, then in order."""
        try:
            for device, after in lines.to_catch_up():
                if (room := lines.room) == 0:
                    return
                async with self._means.database.begin() as tx:
                    rows = await store.claim(
                        tx, self._target_id, after=after, upto=lines.cursor, limit=room,
                        only=[device],
                    )  # fmt: skip
                ready = await self._decoded(rows, books)
                lines.catch_up(device, ready, upto=rows[-1].n if len(rows) == room else None)
            room = lines.room
            if not self._more or room < ROOM_TO_FILL:
                return
            self._more = False
            async with self._means.database.begin() as tx:
                rows = await store.claim(
                    tx, self._target_id, after=lines.cursor, limit=room, without=list(lines.behind)
                )
            if rows:
                lines.add(await self._decoded(rows, books), upto=rows[-1].n)
            self._more = self._more or len(rows) == room
        except DatabaseUnavailable:
            self._more = True
            await asyncio.sleep(0.5)

    async def _decoded(self, rows: Sequence[Pending], books: _Books) -> Sequence[Pending]:
        """Decode the rows that are dead letters sent again; those that fail anew are set aside."""
        undecoded = undecoded_of(rows)
        if not undecoded:
            return rows
        async with self._means.database.begin() as tx:
            decoders = await store.decoders_of(tx, self._target_id)
        ready, failed = await decode_again(self._means.deriver, rows, undecoded, decoders)
        books.add(
            [
                Settled(row, Result(Outcome.REFUSED, detail=why), row.attempts, Reason.DECODER)
                for row, why in failed
            ]
        )
        return ready

    async def _rest(self, lines: Lines) -> None:
        """Wait for a ring, a result, or the time of the next attempt; a second at most."""
        wake_at = lines.wake_at()
        wait_s = 1.0 if wake_at is None else min(1.0, max(0.0, wake_at - time.monotonic()))
        await self._sleep(wait_s)

    async def _sleep(self, seconds: float) -> None:
        if not self._wake.is_set():
            loop = asyncio.get_running_loop()
            timer = loop.call_later(seconds, self._wake.set)
            await self._wake.wait()
            timer.cancel()

    async def _send(
        self, sender: TargetSender, batch: list[tuple[Pending, int]], lines: Lines, books: _Books
    ) -> None:
        """Send a batch, then whatever is next, until nothing is ready."""
        try:
            while batch:
                with trace.span("messages.deliver", messages=len(batch)):
                    results = await _sent(sender, batch)
                now = time.monotonic()
                books.add(lines.settle(batch, results, now, time.time()))
                batch = [] if self._stale or self._stopping else lines.next(now)
                if lines.room > ROOM_TO_FILL and self._more:
                    self._wake.set()
        except Exception as failed:  # A bug must stop this target's loop, not vanish.
            self._failed = failed
        self._wake.set()


async def _sent(sender: TargetSender, batch: Sequence[tuple[Pending, int]]) -> Sequence[Result]:
    """Send a batch; what its kind of target cannot cope with has failed, and is seen to have."""
    traceparent = trace.current()
    try:
        return await sender.send(
            [
                Delivery(str(row.key), _content(row.content), attempt, traceparent)
                for row, attempt in batch
            ]
        )
    except Exception as failed:
        log.exception("target_sender_failed", messages=len(batch))
        why = f"The message could not be sent ({type(failed).__name__}: {failed})"[:500]
        return [Result(Outcome.FAILED, detail=storable(why))] * len(batch)


class _Books:
    """Writes what deliveries led to, many in one transaction."""

    def __init__(self, database: Database, target: Target, lines: Lines) -> None:
        self._database = database
        self._target = target
        self._lines = lines
        self._settled: list[tuple[datetime, Settled]] = []
        self._filled = asyncio.Event()
        self._health = target.health
        self._writing = False
        self._budget_at = 0
        self._budget = {True: 0, False: 0}

    @property
    def empty(self) -> bool:
        """Whether everything is written."""
        return not self._settled and not self._writing

    def add(self, settled: Sequence[Settled]) -> None:
        """Take what is to be written."""
        if settled:
            at = datetime.now(UTC)
            self._settled.extend((at, one) for one in settled)
            self._filled.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._filled.wait()
            await asyncio.sleep(GATHER_S)
            await self._flush()

    async def close(self) -> None:
        """Write what is left; what cannot be written is delivered again under the same key."""
        try:
            async with asyncio.timeout(10):
                while not self.empty:
                    if self._writing:
                        await asyncio.sleep(GATHER_S)
                    else:
                        await self._flush()
        except TimeoutError:
            log.warning("target_results_lost", target_id=self._target.id, rows=len(self._settled))

    async def _flush(self) -> None:
        self._filled.clear()
        batch, self._settled = self._settled, []
        if not batch:
            return
        self._writing = True
        try:
            while True:
                try:
                    async with self._database.begin() as tx:
                        await self._write(tx, batch)
                    return
                except DatabaseUnavailable:
                    await asyncio.sleep(0.5)
        finally:
            self._writing = False

    async def _write(self, tx: Tx, batch: Sequence[tuple[datetime, Settled]]) -> None:
        # A crash of the database may bring a settled row back: it is sent again, same key.
        await tx.execute("SET LOCAL synchronous_commit = off")
        target_id = self._target.id
        tried = {
            s.row.n: s.attempt
            for _at, s in batch
            if s.result.outcome is Outcome.FAILED and s.reason is None
        }
        if ended := [(at, s) for at, s in batch if s.ended]:
            gone = await store.settle(tx, target_id, [s.row.n for _at, s in ended])
            await self._note_ends(tx, [(at, s) for at, s in ended if s.row.n in gone])
        if tried:
            await store.mark_failed(tx, target_id, tried)
        logged = [(at, s) for at, s in batch if self._logs(at, s)]
        if logged:
            await store.log_attempts(
                tx,
                target_id,
                [
                    (at, _content(s.row.content), str(s.row.key), s.attempt, s.result)
                    for at, s in logged
                ],
            )
        await self._note_health(tx, batch)

    async def _note_ends(self, tx: Tx, ended: Sequence[tuple[datetime, Settled]]) -> None:
        """Count what was accepted or given up, with receipts; keep what was given up."""
        target_id = self._target.id
        given_up = [(s.row, s.reason, s.result) for _at, s in ended if s.reason is not None]
        accepted = Counter(s.row.day for _at, s in ended if s.reason is None)
        dead = Counter(row.day for row, _reason, _result in given_up)
        for what, days in (("accepted", accepted), ("dead", dead)):
            if days:
                await store.count(tx, what, {(target_id, day): n for day, n in days.items()})
        if self._target.receipt_days and ended:
            await store.add_receipts(
                tx, target_id, [(at, s.row, s.attempt, s.reason, s.result) for at, s in ended]
            )
        if given_up:
            await store.add_letters(tx, target_id, given_up)

    def _logs(self, at: datetime, settled: Settled) -> bool:
        """Log failures and a sample of successes; the statement counts them all."""
        second = int(at.timestamp())
        if second != self._budget_at:
            self._budget_at = second
            self._budget = {True: LOGGED_SUCCESSES_PER_S, False: LOGGED_FAILURES}
        fine = settled.result.outcome is Outcome.ACCEPTED
        self._budget[fine] -= 1
        return self._budget[fine] >= 0

    async def _note_health(self, tx: Tx, batch: Sequence[tuple[datetime, Settled]]) -> None:
        was, now = self._health, self._lines.state
        accepted_at, failed_at, error = was.accepted_at, was.failed_at, was.error
        for at, settled in batch:
            if settled.result.outcome is Outcome.ACCEPTED:
                accepted_at = at
            elif settled.reason is not Reason.DECODER:
                failed_at, error = at, settled.result.detail
        retry_at = None
        if now is HealthState.OPEN and (wake_at := self._lines.wake_at()) is not None:
            retry_at = tx.now + timedelta(seconds=max(0.0, wake_at - time.monotonic()))
        since = was.since if was.state is now and was.since else tx.now
        health = Health(now, since, accepted_at, failed_at, error, retry_at)
        quiet = replace(health, accepted_at=was.accepted_at) == was
        if quiet and was.accepted_at and (tx.now - was.accepted_at).total_seconds() < 1:
            return
        await note(tx, self._target, was, health)
        self._health = health


def _unopened(target: Target, failed: MoorageError, pause_s: float) -> Health:
    now = datetime.now(UTC)
    since = target.health.since if target.health.state is HealthState.OPEN else now
    return Health(
        HealthState.OPEN,
        since,
        target.health.accepted_at,
        now,
        str(failed),
        now + timedelta(seconds=pause_s),
    )
