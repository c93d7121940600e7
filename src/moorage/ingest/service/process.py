"""From raw messages to readings: a batch per transaction, in order, once.

The steps stand in `Process.step`, top to bottom. The position moves in the transaction that keeps
what was derived, so a batch is derived once however often the worker dies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import structlog

from moorage import decoders, devices, ledger, operations, telemetry
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.doorbell import Doorbells
from moorage.kit.errors import MoorageError

from .decoding import Decoding, instant

log = structlog.get_logger()

CONSUMER = "process"
BATCH = 4_000
_encode = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Decoder().decode


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
        self.processed = 0
        doorbells.on(ledger.CHANNEL[ledger.LogName.RAW], lambda _payload: self._bell.set())
        doorbells.on("moorage_devices", lambda _payload: self._decoding.look_again())
        doorbells.on(telemetry.STALE_CHANNEL, lambda _payload: self._look_at_latest())

    async def run(self) -> None:
        """Work until cancelled; starts over from the stored position after any trouble."""
        # What an earlier run remembers may be of a transaction that was broken off.
        self._start_over()
        while True:
            try:
                if not await self.step():
                    async with asyncio.timeout(1):
                        await self._bell.wait()
            except TimeoutError:
                continue
            except (DatabaseUnavailable, ledger.PartitionLost) as lost:
                log.warning("process_interrupted", partition=self._partition, error=str(lost))
                self._start_over()
                await asyncio.sleep(0.5)

    def _look_at_latest(self) -> None:
        self._stale = True
        self._bell.set()

    def _start_over(self) -> None:
        self._position = None
        self._stale = True
        self._keeper = telemetry.Keeper(self._partition)
        self._decoding.contexts.clear()

    async def step(self) -> int:
        """Process what has come in since; give the number of messages."""
        self._bell.clear()
        if self._stale:
            await self._renew_latest()
        async with self._database.begin() as tx:
            was = await self._where(tx)
            envelopes = await ledger.read(tx, ledger.LogName.RAW, self._partition, was, BATCH)
            entries, now = opened(envelopes, was)
            await self._decoding.learn(tx, entries)
        if not entries:
            return 0
        self._decoding.failures.clear()
        derived = await self._decoding.decode(entries)
        async with self._database.begin() as tx:
            await ledger.move(tx, CONSUMER, ledger.LogName.RAW, self._partition, was, now)
            await self._keeper.append(tx, derived)
            await ledger.place(
                tx, ledger.LogName.DERIVED, self._partition, [_encode(d) for d in derived]
            )
            await devices.seen(tx, {d.device: instant(d.received_us) for d in derived})
            await self._report_operations(tx, entries)
            await decoders.note_problems(tx, self._decoding.failures)
            await self._locate(tx, derived)
            await self._judge(tx, derived)
        self._position = now
        self.processed += len(derived)
        return len(derived)

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

    async def _report_operations(
        self, tx: Tx, entries: Sequence[tuple[int, ledger.RawMessage]]
    ) -> None:
        """Hand over what devices answered; a wrong answer is logged and stops nothing."""
        for _n, message in entries:
            if not message.channel.startswith("op/"):
                continue
            try:
                operation_id = UUID(message.channel.split("/")[1])
                state, result, problem = operations.read_report(_body(message.payload))
                await operations.report(tx, message.device, operation_id, state, result, problem)
            except (ValueError, MoorageError) as wrong:
                log.warning("operation_report_refused", device=message.device, error=str(wrong))

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
        limited = (
            {n: c for n, c in self._decoding.contexts.items() if c.thresholds} if derived else {}
        )
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


def _body(payload: bytes) -> Any:
    """Read a report's body: JSON, or text if it is none."""
    try:
        return _json(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return payload.decode("utf-8", "replace")


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
        now = ledger.Position(envelope.first + envelope.count, envelope.day)
    return entries, now
