"""Closed days, rewritten into a block a device."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta

import msgspec

from moorage import devices
from moorage.kit.db import Tx

from .. import store
from ..model import Block, Envelope, Position, by_device, pack_block

# A day is rewritten into blocks so long after its end, about so many bytes at once.
CLOSED_AFTER = timedelta(hours=1)
STRETCH_BYTES = 32_000_000


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


async def stored_bytes(tx: Tx, numbers: Collection[int]) -> int:
    """Count the bytes that devices' messages of closed days take; for quotas."""
    return await store.stored_bytes(tx, numbers)
