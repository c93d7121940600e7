"""The way into the ledger: one writer a partition, and what each has written lately."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from moorage import ledger, telemetry
from moorage.kit.db import Database, Tx

from ..ports import Done, Print
from .process import CONSUMER

# As many as a device may have under way (the receive maximum of the MQTT door).
REPEAT_DEPTH = 200
_encode = msgspec.msgpack.Encoder().encode


class Writing:
    """The writers of one process.

    Args:
        database: where the ledger is.
        partitions: of the ledger.
        repeated: is told how many messages were not written, since they were there.
    """

    def __init__(
        self, database: Database, partitions: int, repeated: Callable[[int], None]
    ) -> None:
        self._database = database
        self._writers = [
            ledger.Writer(database, partition=partition, repeated=repeated)
            for partition in range(partitions)
        ]

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for writer in self._writers:
                tasks.create_task(writer.run())

    def accept(self, messages: Sequence[ledger.RawMessage], done: Done) -> None:
        """Put messages into the ledger; `done` follows the commit of all of them."""
        writers = self._writers
        if len(writers) == 1:
            writers[0].put([_frame(message) for message in messages], done)
            return
        shares: dict[int, list[ledger.Frame]] = {}
        for message in messages:
            shares.setdefault(message.device % len(writers), []).append(_frame(message))
        waiting = len(shares)
        failure: Exception | None = None

        def one_done(error: Exception | None) -> None:
            nonlocal waiting, failure
            waiting -= 1
            failure = failure or error
            if not waiting:
                done(failure)

        for partition, frames in shares.items():
            writers[partition].put(frames, one_done)

    async def stored_lately(self, device: int, depth: int = REPEAT_DEPTH) -> frozenset[Print]:
        """Give the prints of a device's last entries, to recognise an MQTT PUBLISH with DUP."""
        partition = device % len(self._writers)
        # What an earlier connection handed over counts once it is committed.
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writers[partition].put([], partial(settle, settled))
        await settled
        async with self._database.begin() as tx:
            # In this order: what is processed between the two reads is seen by the second.
            known = await _not_yet_processed(tx, partition, device)
            known += await telemetry.newest_messages(tx, device, depth)
        return frozenset(print_of(message) for message in known)

    @property
    def overloaded(self) -> bool:
        """Tell whether doors should stop reading for now."""
        return any(writer.overloaded for writer in self._writers)

    def when_relieved(self, call: Callable[[], None]) -> None:
        """Call once the load is down again."""
        for writer in self._writers:
            if writer.overloaded:
                writer.when_relieved(call)
                return
        asyncio.get_running_loop().call_soon(call)


def settle(kept: asyncio.Future[None], error: Exception | None) -> None:
    """Give a future what came of a write, unless nobody waits any more."""
    if kept.done():
        return
    if error is None:
        kept.set_result(None)
    else:
        kept.set_exception(error)


def print_of(message: ledger.RawMessage) -> Print:
    """Give what a repeated PUBLISH has in common with its first."""
    return message.packet, message.channel, message.payload


async def _not_yet_processed(tx: Tx, partition: int, device: int) -> list[ledger.RawMessage]:
    """Read a device's messages that are in the ledger but not in its history yet."""
    raw = ledger.LogName.RAW
    position = await ledger.position_of(tx, CONSUMER, raw, partition)
    found: list[ledger.RawMessage] = []
    while envelopes := await ledger.read(tx, raw, partition, position, 20_000):
        for envelope in envelopes:
            found += [m for m in ledger.messages(envelope) if m.device == device]
        position = ledger.after(envelopes[-1])
    return found


def _frame(message: ledger.RawMessage) -> ledger.Frame:
    return ledger.Frame(_encode(message), message.id if message.own_id else None)
