"""From raw messages to readings: a batch per transaction, in order, once.

The steps stand in `Process.step`, top to bottom. The position moves in the transaction that keeps
what was derived, so a batch is derived once however often the worker dies.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime

import msgspec
import structlog

from moorage import decoders, devices, ledger, operations, telemetry
from moorage.kit import trace
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.doorbell import Doorbells

from .decoding import Decoding, failed, instant

log = structlog.get_logger()

CONSUMER = "process"
BATCH = 4_000
# A pause between batches, since most of a small batch's cost does not grow with it: short as long
# as few messages come, longer when more than `BUSY_RATE` a second do.
GATHER_S, BUSY_GATHER_S = 0.006, 0.05
BUSY_RATE = 10_000
CONTACT_EVERY_US = 5_000_000
_GIVEN_UP = "The platform could not take this message in; its bytes are kept."
Entries = Sequence[tuple[int, ledger.RawMessage]]
_encode = msgspec.msgpack.Encoder().encode


class Process:
    """One worker's hold on one partition of the raw log."""

    def __init__(
        self,
        database: Database,
        doorbells: Doorbells,
        workshop: decoders.Workshop,
        partition: int,
    ) -> None:
        self._database = database
        self._decoding = Decoding(workshop)
        self._partition = partition
        self._bell = asyncio.Event()
        self._keeper = telemetry.Keeper(partition)
        self._position: ledger.Position | None = None
        self._stale = True
        self._noted: dict[int, int] = {}
        # How many messages a batch may hold; fewer after one that failed. 0: one, and that one is
        # given up.
        self._most = BATCH
        self.processed = 0
        doorbells.on(ledger.CHANNEL[ledger.LogName.RAW], lambda _payload: self._bell.set())
        doorbells.on("moorage_devices", lambda _payload: self._look_again())
        doorbells.on(telemetry.STALE_CHANNEL, lambda _payload: self._look_at_latest())

    async def run(self) -> None:
        """Work until cancelled; starts over from the stored position after any trouble."""
        # What an earlier run remembers may be of a transaction that was broken off.
        self._start_over()
        since = time.monotonic()
        while True:
            try:
                count = await self.step()
                now = time.monotonic()
                busy = count > (now - since) * BUSY_RATE
                since = now
                if count < BATCH:
                    await asyncio.sleep(BUSY_GATHER_S if busy else GATHER_S)
                if self._most == BATCH and ledger.at_end(count):
                    async with asyncio.timeout(1):
                        await self._bell.wait()
            except TimeoutError:
                continue
            except (DatabaseUnavailable, ledger.PartitionLost) as lost:
                log.warning("process_interrupted", partition=self._partition, error=str(lost))
                self._start_over()
                await asyncio.sleep(0.5)
            except Exception:
                if self._most == 0:
                    raise
                self._get_past()

    def _get_past(self) -> None:
        """Go on after a batch that failed for a reason nobody knows.

        No message may hold up those behind it: batches are halved until the one is found that is to
        blame, and of that one only the bytes are kept.
        """
        log.exception("batch_failed", partition=self._partition, most=self._most)
        self._start_over()
        self._most //= 2

    def _look_again(self) -> None:
        self._decoding.look_again()
        self._noted.clear()

    def _look_at_latest(self) -> None:
        self._stale = True
        self._bell.set()

    def _start_over(self) -> None:
        self._position = None
        self._stale = True
        self._keeper = telemetry.Keeper(self._partition)
        self._decoding.contexts.clear()
        self._decoding.failures.clear()
        self._noted.clear()

    async def step(self) -> int:
        """Process what has come in since; give the number of messages.

        What is given up is not decoded: it becomes a problem.
        """
        give_up, most = self._most == 0, max(1, self._most)
        self._bell.clear()
        if self._stale:
            await self._renew_latest()
        async with self._database.begin() as tx:
            was = await self._where(tx)
            envelopes = await ledger.read(tx, ledger.LogName.RAW, self._partition, was, most)
            if not envelopes:
                self._most = BATCH
                return 0
            entries, now = opened(envelopes, was)
            if len(entries) > most < BATCH:
                entries = entries[:most]
                now = ledger.Position(entries[-1][0] + 1, was.day)
            links = traces_of(entries) if trace.is_on() else ()
            with trace.span("messages.process", links=links, messages=len(entries)):
                if give_up:
                    derived = [failed(n, message, _GIVEN_UP) for n, message in entries]
                else:
                    derived = await self._decode(tx, entries)
                    await self._report_operations(tx, entries)
                await self._keep(tx, derived, was, now)
        self._position = now
        self._most = min(BATCH, most * 2)
        self.processed += len(entries)
        return len(entries)

    async def _decode(self, tx: Tx, entries: Entries) -> list[telemetry.Derived]:
        await self._decoding.learn(tx, entries)
        self._decoding.failures.clear()
        return await self._decoding.decode(entries)

    async def _keep(
        self,
        tx: Tx,
        derived: Sequence[telemetry.Derived],
        was: ledger.Position,
        now: ledger.Position,
    ) -> None:
        """Keep what a batch says."""
        await ledger.move(tx, CONSUMER, ledger.LogName.RAW, self._partition, was, now)
        await self._keeper.append(tx, derived)
        await ledger.place(
            tx, ledger.LogName.DERIVED, self._partition, [_encode(d) for d in derived]
        )
        await self._note_contacts(tx, derived)
        await decoders.note_problems(tx, self._decoding.failures)
        await self._locate(tx, derived)
        await self._judge(tx, derived)

    async def _renew_latest(self) -> None:
        """Take up what an applied re-decode changed, if we still hold the partition."""
        self._stale = False
        async with self._database.begin() as tx:
            was = await self._where(tx)
            await ledger.move(tx, CONSUMER, ledger.LogName.RAW, self._partition, was, was)
            more = await self._keeper.renew(tx)
        if more:
            self._look_at_latest()

    async def _where(self, tx: Tx) -> ledger.Position:
        if self._position is None:
            self._position = await ledger.position_of(
                tx, CONSUMER, ledger.LogName.RAW, self._partition
            )
        return self._position

    async def _note_contacts(self, tx: Tx, derived: Sequence[telemetry.Derived]) -> None:
        """Note who sent something; of the same device once in a while.

        All devices' whiles begin together, so that most batches have nothing to note.
        """
        noted = self._noted
        contacts: dict[int, datetime] = {}
        for message in derived:
            turn = message.received_us // CONTACT_EVERY_US
            if noted.get(message.device) != turn:
                noted[message.device] = turn
                contacts[message.device] = instant(message.received_us)
        if contacts:
            await devices.seen(tx, contacts)

    async def _report_operations(self, tx: Tx, entries: Entries) -> None:
        """Hand over what devices answered; most of it the door has handed over already."""
        for _n, message in entries:
            if message.channel.startswith("op/"):
                await operations.report_sent(tx, message.device, message.channel, message.payload)

    async def _locate(self, tx: Tx, derived: Sequence[telemetry.Derived]) -> None:
        """Move devices that said where they are."""
        places = {
            d.device: devices.Location(d.location[1], d.location[0], d.location[2])
            for d in derived
            if d.location is not None
        }
        if places:
            await devices.located(tx, places)

    async def _judge(self, tx: Tx, derived: Sequence[telemetry.Derived]) -> None:
        """Hold readings of devices that have thresholds against them."""
        contexts = self._decoding.contexts
        limited = {
            d.device: context
            for d in derived
            if (context := contexts.get(d.device)) is not None and context.thresholds
        }
        if not limited:
            return
        readings = [
            (d.device, name, float(value), instant(point.at_us))
            for d in derived
            if d.device in limited
            for point in d.points
            for name, value in point.values.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        if readings:
            await devices.judge(tx, limited, readings)


def traces_of(entries: Entries) -> list[str]:
    """Give the traces that senders said their messages belong to, not of all of a large batch."""
    found = []
    for _n, message in entries:
        if message.meta is None:
            continue
        if value := message.meta.get(trace.HEADER):
            found.append(value)
        for name, value in message.meta.get("user_properties", ()):
            if name == trace.HEADER:
                found.append(value)
        if len(found) >= trace.MOST_LINKS:
            break
    return found


def opened(
    envelopes: Sequence[ledger.Envelope], was: ledger.Position
) -> tuple[list[tuple[int, ledger.RawMessage]], ledger.Position]:
    """Decode envelopes; leave out what lies before the position."""
    entries: list[tuple[int, ledger.RawMessage]] = []
    now = was
    for envelope in envelopes:
        messages = ledger.messages(envelope)
        skip = max(0, was.next - envelope.first)
        entries.extend(enumerate(messages[skip:], envelope.first + skip))
        now = ledger.after(envelope)
    return entries, now
