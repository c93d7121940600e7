"""Quotas of applications and organisations at this door.

What may be sent a second is shared by all door processes: each tells every second how much it was
asked for, and takes of the whole what is its part of all that was asked for. So a door that nobody
uses keeps almost nothing, and all together admit no more than the quota. What may be stored is
measured by a job.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from uuid import UUID

from moorage import devices, groups, ledger, organizations, telemetry
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.organizations import QUOTAS_CHANNEL, Quota

from .. import store
from ..ports import Wait
from .allowance import Allowance
from .limits import DeviceLimits

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
    Quota.CONNECTS: "connects a second",
    Quota.CONNECTIONS: "connections",
    Quota.SERIES: "series",
    Quota.STORAGE: "bytes of storage",
}
_RATES = (Quota.MESSAGES, Quota.BYTES, Quota.CONNECTS)


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
    """The quotas of whoever has any.

    Args:
        devices: is told what owners say of their devices.
    """

    def __init__(self, devices: DeviceLimits) -> None:
        self._devices = devices
        self._connections: dict[UUID, int] = {}
        self._here: Counter[UUID] = Counter()
        self._elsewhere: dict[UUID, float] = {}
        self._buckets: dict[UUID, dict[Quota, Bucket]] = {}
        self._full: dict[UUID, tuple[Quota, int]] = {}
        # They have to be read.
        self.changed = asyncio.Event()
        self.changed.set()

    def __bool__(self) -> bool:
        return bool(self._buckets or self._full or self._connections)

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
        self._connections = {
            owner: quotas[Quota.CONNECTIONS]
            for owner, quotas in stored.items()
            if Quota.CONNECTIONS in quotas
        }
        self._devices.read(stored)
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
        rates = {key: bucket.tell(elapsed_s) for key, bucket in buckets.items()}
        for owner in self._connections:
            rates[owner, Quota.CONNECTIONS.value] = float(self._here[owner])
        if not rates:
            return
        await store.put_demands(tx, door, dict(sorted(rates.items())))
        for key, (total, doors) in (await store.sum_demands(tx, tx.now - LOST_AFTER)).items():
            if key in buckets:
                buckets[key].adjust(total, doors)
            elif key in rates:
                self._elsewhere[key[0]] = total - rates[key]

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
            buckets = self._buckets.get(owner)
            if buckets is None:
                continue
            for quota, wanted in ((Quota.MESSAGES, count), (Quota.BYTES, size)):
                if wait := _taken(buckets, quota, wanted, whose):
                    return wait
        return None

    def enter(self, owners: Iterable[tuple[str, UUID]]) -> Wait | None:
        """Count a connection in, of all door processes together; None if it may come.

        What the others have is known to the second.
        """
        owners = list(owners)
        for whose, owner in owners:
            most = self._connections.get(owner)
            if most is not None and self._here[owner] + self._elsewhere.get(owner, 0) >= most:
                return Wait(whose, UNITS[Quota.CONNECTIONS], most, SHARE_EVERY_S)
        for whose, owner in owners:
            if wait := _taken(self._buckets.get(owner, {}), Quota.CONNECTS, 1, whose):
                return wait
        self._here.update(owner for _, owner in owners)
        return None

    def leave(self, owners: Iterable[tuple[str, UUID]]) -> None:
        """Count a connection out."""
        for _, owner in owners:
            self._here[owner] -= 1
            if self._here[owner] <= 0:
                del self._here[owner]


def _taken(buckets: Mapping[Quota, Bucket], quota: Quota, wanted: float, whose: str) -> Wait | None:
    bucket = buckets.get(quota)
    if bucket is None:
        return None
    bucket.asked += wanted
    wait_s = bucket.allowance.take(None, wanted)
    return Wait(whose, UNITS[quota], bucket.most, wait_s) if wait_s else None


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
