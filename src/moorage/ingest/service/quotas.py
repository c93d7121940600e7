"""Quotas of applications and organisations at this door.

What may be sent a second is shared by all door processes: each tells every second how much it was
asked for, and takes of the whole what is its part of all that was asked for. So a door that nobody
uses keeps almost nothing, and all together admit no more than the quota. What may be stored is
measured by a job.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from uuid import UUID

from moorage import devices, groups, ledger, organizations, telemetry
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.organizations import QUOTAS_CHANNEL, Quota

from .. import store
from ..ports import Wait
from .allowance import Allowance

# A quota bears this many seconds' worth at once.
BURST_S = 10.0
SHARE_EVERY_S = 1.0
MEASURE_EVERY_S = 300.0
# A door that has told nothing for so long takes no part.
LOST_AFTER = timedelta(seconds=5)
# What a door may take that was asked for nothing, as a part of the quota: until it has told.
LEAST_PART = 0.02
UNITS = {
    Quota.MESSAGES: "messages a second",
    Quota.BYTES: "bytes a second",
    Quota.SERIES: "series",
    Quota.STORAGE: "bytes of storage",
}
_RATES = (Quota.MESSAGES, Quota.BYTES)


class Bucket:
    """A quota of a second, as much of it as this door has."""

    def __init__(self, most: float) -> None:
        self.most = most
        self.allowance = Allowance(most, most * BURST_S)
        self.asked = 0.0
        self.rate = 0.0

    def tell(self, elapsed_s: float) -> float:
        """Give how much was asked for a second lately."""
        self.rate = (self.rate + self.asked / elapsed_s) / 2
        self.asked = 0.0
        return self.rate

    def adjust(self, total: float, doors: int) -> None:
        """Take this door's part of the quota.

        Args:
            total: what all doors were asked for a second.
            doors: how many there are.
        """
        least = self.most * LEAST_PART
        others = max(0.0, total - self.rate) + least * (doors - 1)
        own = self.rate + least
        self.allowance.rate = self.most * own / (own + others)
        self.allowance.burst = self.allowance.rate * BURST_S


class Quotas:
    """The quotas of whoever has any."""

    def __init__(self) -> None:
        self._buckets: dict[UUID, dict[Quota, Bucket]] = {}
        self._full: dict[UUID, tuple[Quota, int]] = {}
        # They have to be read.
        self.changed = asyncio.Event()
        self.changed.set()

    def __bool__(self) -> bool:
        return bool(self._buckets or self._full)

    async def follow(self, database: Database) -> None:
        """Read the quotas when they have changed, until cancelled."""
        while True:
            await self.changed.wait()
            self.changed.clear()
            try:
                async with database.begin() as tx:
                    await self.read(tx)
            except DatabaseUnavailable:
                await asyncio.sleep(0.5)
                self.changed.set()

    async def share_for_ever(self, database: Database, door: UUID) -> None:
        """Share the quotas with the other doors once a second, until cancelled."""
        told_at = time.monotonic()
        while True:
            await asyncio.sleep(SHARE_EVERY_S)
            if not self:
                told_at = time.monotonic()
                continue
            now = time.monotonic()
            try:
                async with database.begin() as tx:
                    await self.share(tx, door, now - told_at)
            except DatabaseUnavailable:
                continue
            told_at = now

    async def read(self, tx: Tx) -> None:
        """Read the quotas, and who has used up theirs."""
        stored = await _stored(tx)
        self._buckets = {
            owner: buckets
            for owner, quotas in stored.items()
            if (buckets := self._made(owner, quotas))
        }
        used = await store.read_usage(tx)
        self._full = {
            owner: (quota, most)
            for owner, quotas in stored.items()
            for quota, most in quotas.items()
            if used.get((owner, quota.value), 0) > most
        }

    def _made(self, owner: UUID, quotas: Mapping[Quota, int]) -> dict[Quota, Bucket]:
        """Make the buckets of an owner; one that stays as it is keeps what is in it."""
        had = self._buckets.get(owner, {})
        buckets = {}
        for quota, most in quotas.items():
            if quota in _RATES:
                old = had.get(quota)
                buckets[quota] = old if old is not None and old.most == most else Bucket(most)
        return buckets

    async def share(self, tx: Tx, door: UUID, elapsed_s: float) -> None:
        """Tell what this door was asked for, and take its part of the quotas."""
        buckets = {
            (owner, quota.value): bucket
            for owner, own in self._buckets.items()
            for quota, bucket in own.items()
        }
        if not buckets:
            return
        rates = {key: bucket.tell(elapsed_s) for key, bucket in sorted(buckets.items(), key=_key)}
        await store.put_demands(tx, door, rates)
        for key, (total, doors) in (await store.sum_demands(tx, tx.now - LOST_AFTER)).items():
            if key in buckets:
                buckets[key].adjust(total, doors)

    def take(self, owners: Iterable[tuple[str, UUID]], count: int, size: int) -> Wait | None:
        """Take messages of together `size` bytes; None if every bucket had them.

        Args:
            owners: whose buckets: how to call them, and their ids.
            count: messages.
            size: bytes of their payloads.
        """
        for whose, owner in owners:
            if full := self._full.get(owner):
                quota, most = full
                return Wait(whose, UNITS[quota], most, MEASURE_EVERY_S)
            for quota, bucket in self._buckets.get(owner, {}).items():
                wanted = count if quota is Quota.MESSAGES else size
                bucket.asked += wanted
                if wait_s := bucket.allowance.take(None, wanted):
                    return Wait(whose, UNITS[quota], bucket.most, wait_s)
        return None


def _key(item: tuple[tuple[UUID, str], Bucket]) -> tuple[UUID, str]:
    return item[0]


async def _stored(tx: Tx) -> dict[UUID, Mapping[Quota, int]]:
    return await organizations.quotas(tx) | await groups.quotas(tx)


async def measure(tx: Tx) -> None:
    """Measure what those with a quota of it have stored; for the schedule only."""
    used: dict[tuple[UUID, str], int] = {}
    for owner, quotas in (await _stored(tx)).items():
        if quotas.keys() & {Quota.SERIES, Quota.STORAGE}:
            numbers = await devices.numbers_owned(tx, owner)
            if Quota.SERIES in quotas:
                used[owner, Quota.SERIES.value] = await telemetry.count_series(tx, numbers)
            if Quota.STORAGE in quotas:
                messages = await ledger.stored_bytes(tx, numbers)
                readings = await telemetry.stored_bytes(tx, numbers)
                used[owner, Quota.STORAGE.value] = messages + readings
    await store.forget_demands(tx, tx.now - timedelta(minutes=1))
    if used != await store.read_usage(tx):
        await store.put_usage(tx, used)
        await store.ring(tx, QUOTAS_CHANNEL)
