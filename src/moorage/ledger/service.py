"""The message log: durable appends in envelopes, reading by position, days that come and go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from operator import itemgetter

import msgspec
import structlog

from moorage import devices, groups
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.organizations import Kept

from . import store
from .errors import DayMissing, LedgerUnavailable, PositionGone
from .model import (
    Appended,
    Block,
    Envelope,
    Frame,
    LogName,
    Position,
    RawMessage,
    Standing,
    by_device,
    pack,
    pack_block,
    unpack,
    unpack_block,
)

log = structlog.get_logger()

Done = Callable[[Exception | None], None]

_messages = msgspec.msgpack.Decoder(list[RawMessage])
_frame = msgspec.msgpack.Encoder().encode

FIRST_DAY = date(2000, 1, 1)
# A transaction that began before midnight may take its position after one that began later: a
# position may lie in the day before that of the one before it.
MIDNIGHT = timedelta(days=1)
# What was derived lives on in the history; its log is for consumers.
DERIVED_KEPT = timedelta(days=4)
# Where an application does not say.
KEPT = timedelta(days=90)
# A day is rewritten into blocks so long after its end, about so many bytes at once.
CLOSED_AFTER = timedelta(hours=1)
STRETCH_BYTES = 32_000_000
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


def messages(envelope: Envelope) -> list[RawMessage]:
    """Decode an envelope of the raw log."""
    return _messages.decode(unpack(envelope.body))


def frame_of(message: RawMessage) -> Frame:
    """Make the frame of a message; a sender's own id becomes its key."""
    return Frame(_frame(message), message.id if message.own_id else None)


class Writer:
    """Gathers frames for one partition and commits them in envelopes, one at a time.

    What arrives while one envelope is being committed makes the next, so batches grow with the
    load and a lone message waits for nothing. After a lost answer the
    same envelope is sent again under the same sequence number, which the database recognises:
    nothing is kept twice.
    """

    def __init__(self, database: Database, log_name: LogName = LogName.RAW, partition: int = 0):
        self._database = database
        self._pen = store.Pen(database, log_name, partition)
        self._waiting: list[tuple[Sequence[Frame], Done]] = []
        self._relieved: list[Callable[[], None]] = []
        self._wake = asyncio.Event()
        self._closing = False
        self.frames = 0
        self.bytes = 0
        self.overloaded = False
        self.committed = 0

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
        self.committed += len(frames)
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
                await self._pen.append(frames)
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


class PostgresLog:
    """The ledger behind the `Log` port."""

    def __init__(self, database: Database, log_name: LogName = LogName.RAW) -> None:
        self._database = database
        self._log = log_name
        self._pens: dict[int, store.Pen] = {}
        self._turn = asyncio.Lock()

    @classmethod
    async def at(cls, url: str) -> PostgresLog:
        """Open the raw log of a database. Raises DatabaseUnavailable."""
        database = Database(url, pool_size=1, name="moorage-log")
        async with database.begin() as tx:
            await open_log(tx, 1)
        return cls(database)

    async def append(self, partition: int, frames: Sequence[Frame]) -> Appended:
        """Keep frames durably, together. Raises LedgerUnavailable."""
        async with self._turn:
            pen = self._pens.setdefault(partition, store.Pen(self._database, self._log, partition))
            try:
                return await pen.append(frames)
            except (DayMissing, LedgerUnavailable):
                # A pen in doubt takes only the same frames again.
                await self._pens.pop(partition).close()
                raise

    async def close(self) -> None:
        """Give the connections back."""
        for pen in self._pens.values():
            await pen.close()
        await self._database.close()

    async def read(self, partition: int, after: int, limit: int) -> list[Envelope]:
        """Read from a position on, in order."""
        async with self._database.begin() as tx:
            return await store.read(tx, self._log, partition, after, FIRST_DAY, limit)

    async def trim(self, partition: int, before: int) -> None:
        """Forget envelopes that end before the position."""
        async with self._database.begin() as tx:
            await store.trim(tx, self._log, partition, before)


# --- Consumers ------------------------------------------------------------


async def open_log(tx: Tx, partitions: int) -> int:
    """Make partitions and days on a new installation; give the number of partitions."""
    await make_days(tx)
    return await store.open_partitions(tx, partitions)


async def position_of(
    tx: Tx, consumer: str, log_name: LogName, partition: int, *, from_start: bool = True
) -> Position:
    """Tell where a consumer stands; a new one begins at the start of what is kept."""
    return await store.position_of(tx, consumer, log_name, partition, from_start=from_start)


async def end_of(tx: Tx, log_name: LogName, partition: int) -> Position:
    """Give the position the next frame will get."""
    return Position(await store.next_position(tx, log_name, partition), tx.now.date())


async def partitions_of(tx: Tx) -> list[int]:
    """List the partitions of the logs."""
    return await store.partitions_of(tx)


async def standings(tx: Tx) -> list[Standing]:
    """Tell how far each log has come, and how far behind each consumer is; for operators."""
    return await store.standings(tx)


async def read(
    tx: Tx, log_name: LogName, partition: int, position: Position, limit: int
) -> list[Envelope]:
    """Read whole envelopes from a position on, about `limit` frames."""
    since = position.day - MIDNIGHT
    return await store.read(tx, log_name, partition, position.next, since, limit)


def after(envelope: Envelope) -> Position:
    """Give the position behind an envelope."""
    return Position(envelope.first + envelope.count, envelope.day)


async def read_back(
    tx: Tx, log_name: LogName, partition: int, before: Position, most: int
) -> list[Envelope]:
    """Read at most so many whole envelopes that begin before a place, the newest first."""
    return await store.read_back(tx, log_name, partition, before, most)


async def move(
    tx: Tx, consumer: str, log_name: LogName, partition: int, was: Position, now: Position
) -> None:
    """Move a consumer on in the transaction that keeps what it derived. Raises PartitionLost."""
    await store.move(tx, consumer, log_name, partition, was, now)


async def place(tx: Tx, log_name: LogName, partition: int, frames: Sequence[bytes]) -> int:
    """Append frames within the caller's transaction; give the first position."""
    return await store.place(tx, log_name, partition, len(frames), pack(frames))


async def get(tx: Tx, device: int, partition: int, position: int) -> RawMessage:
    """Read one message as received; the caller has checked access to the device.

    Raises:
        PositionGone: it is past its retention, or another device's.
    """
    place = partition, position
    found = await get_many(tx, {place: device})
    if place not in found:
        raise PositionGone(position=position)
    return found[place]


async def get_many(
    tx: Tx, wanted: Mapping[tuple[int, int], int]
) -> dict[tuple[int, int], RawMessage]:
    """Read messages, given as device by (partition, position); what is gone is left out."""
    found: dict[tuple[int, int], RawMessage] = {}
    for partition, piece in await store.find(tx, wanted) if wanted else ():
        for n, message in _opened(piece):
            if wanted.get((partition, n)) == message.device:
                found[partition, n] = message
    return dict(sorted(found.items()))


async def read_of(
    tx: Tx, devices: Collection[int], partition: int, position: Position, until: date, limit: int
) -> tuple[list[tuple[int, RawMessage]], Position]:
    """Read what devices sent, from a position to the end of a day, wherever it lies.

    Gives at most about `limit` messages with their positions, perhaps none, and where to go on:
    where it began once there is nothing more.
    """
    since = Position(position.next, position.day - MIDNIGHT)
    pieces = await store.read_of(tx, devices, partition, since, until, limit) if devices else []
    found = [
        (n, message)
        for piece in pieces
        for n, message in _opened(piece, position.next)
        if message.device in devices
    ]
    if not pieces:
        return [], position
    found.sort(key=itemgetter(0))
    last = pieces[-1]
    if isinstance(last, Envelope):
        return found, Position(last.first + last.count, last.day)
    if len(found) <= limit:
        return found, Position(last.next, last.day)
    return found[:limit], Position(found[limit][0], last.day)


def _opened(piece: Envelope | Block, start: int = 0) -> list[tuple[int, RawMessage]]:
    """Decode what is not before position `start`."""
    if isinstance(piece, Block):
        return unpack_block(piece, start)
    skip = max(0, start - piece.first)
    return list(enumerate(messages(piece)[skip:], piece.first + skip))


# --- Days -----------------------------------------------------------------


async def make_days(tx: Tx) -> None:
    """Make the logs' partitions for yesterday to three days ahead."""
    today = tx.now.date()
    await store.make_days(tx, today - timedelta(days=1), today + timedelta(days=3))


async def make_day_tables(tx: Tx, tables: Sequence[str], first: date, last: date) -> None:
    """Make day partitions for another slice's tables."""
    await store.make_day_tables(tx, tables, first, last)


async def day_tables(tx: Tx, table: str) -> dict[date, str]:
    """Name the day partitions of another slice's table, the oldest first."""
    return {day: store.day_table(table, day) for day in await store.days_of(tx, table)}


async def drop_old(tx: Tx) -> None:
    """Drop what is past its retention, and days that were rewritten into blocks.

    Messages are kept as long as the application of their device says, whole UTC days; what was
    derived lives on in the history, and its log goes once every consumer has read it.
    """
    today = tx.now.date()
    for day in await store.days_of(tx, store.TABLE[LogName.RAW].name):
        # Yesterday's may still be written by a transaction that began then.
        if day < today - timedelta(days=1) and await store.is_empty(tx, day):
            await store.drop_day(tx, store.TABLE[LogName.RAW].name, day)
    needed = await store.slowest(tx, LogName.DERIVED)
    for day in await store.days_of(tx, store.TABLE[LogName.DERIVED].name):
        if day < today - DERIVED_KEPT and (needed is None or day < needed.day):
            await store.drop_day(tx, store.TABLE[LogName.DERIVED].name, day)
    periods = await groups.periods(tx, Kept.MESSAGES)
    numbers = await devices.numbers_in(tx, periods)
    for application_id, mine in numbers.items():
        await store.forget_blocks(tx, mine, (tx.now - periods[application_id]).date())
    own = [number for mine in numbers.values() for number in mine]
    await store.forget_other_blocks(tx, own, (tx.now - KEPT).date())
    await store.forget(tx)


async def stored_bytes(tx: Tx, numbers: Collection[int]) -> int:
    """Count the bytes that devices' messages of closed days take; for quotas."""
    return await store.stored_bytes(tx, numbers)


async def is_behind(tx: Tx, most: int) -> bool:
    """Tell whether more than `most` entries of what was received wait to be processed."""
    received = [one for one in await store.standings(tx) if one.log is LogName.RAW]
    return any(count > most for one in received for count in one.waiting.values())


# --- Blocks ---------------------------------------------------------------


async def seal(tx: Tx) -> int:
    """Rewrite the next stretch of a closed day into a block a device; give how many messages.

    Only what every consumer is past is taken. What removed devices sent is left out.
    """
    await store.lock_blocks(tx)
    for partition in await store.partitions_of(tx):
        run = await store.next_run(tx, partition, (tx.now - CLOSED_AFTER).date())
        if run is None:
            continue
        at, until = run
        stretch = _Stretch(at.next)
        while not stretch.full and (
            envelopes := await store.envelopes_of(
                tx, partition, Position(stretch.next, at.day), until
            )
        ):
            await asyncio.to_thread(stretch.take, envelopes)
        if stretch.next == stretch.first:
            continue
        known = await devices.known(tx, stretch.frames)
        made = await asyncio.to_thread(stretch.blocks, at.day, known)
        await store.put_blocks(tx, partition, at.day, made, (stretch.first, stretch.next - 1))
        return stretch.next - stretch.first
    return 0


class _Stretch:
    """Frames of consecutive envelopes, gathered by device."""

    def __init__(self, first: int) -> None:
        self.first = self.next = first
        self.frames: dict[int, list[tuple[int, msgspec.Raw]]] = {}
        self.full = False
        self._bytes = 0

    def take(self, envelopes: Sequence[Envelope]) -> None:
        """Take what there is room for; an envelope is taken whole or not at all."""
        for envelope in envelopes:
            until = envelope.first + envelope.count
            if until - self.first > store.LARGEST_STRETCH or self._bytes > STRETCH_BYTES:
                self.full = True
                return
            for device, n, frame in by_device(envelope):
                self.frames.setdefault(device, []).append((n, frame))
                self._bytes += len(memoryview(frame))
            self.next = until

    def blocks(self, day: date, known: Iterable[int]) -> list[Block]:
        """Make the blocks of the devices that are known."""
        return [
            Block(device, self.first, self.next, day, pack_block(self.first, self.frames[device]))
            for device in known
        ]
