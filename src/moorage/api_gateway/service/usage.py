"""What everybody asks of the API, counted in memory and added to the hours every few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

import structlog

from moorage.kit import pages
from moorage.kit.caller import Caller
from moorage.kit.db import Database, DatabaseUnavailable, Tx
from moorage.kit.ids import uuid7
from moorage.organizations import Permission

from ..model import Asker, Counts, Total, Usage, WantedUsage
from ..store import usage as store

log = structlog.get_logger()

WRITE_EVERY_S = 5.0
BATCH = 5_000
MOST_TOTALS = 500
_HOUR_S = 3_600
_TOO_MANY = 429


class Meter:
    """The counts of one process that are not in the database yet.

    A killed process loses what it counted in the last few seconds; nothing is counted twice.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._id = uuid7()
        self._batch = 0
        self._counts: dict[tuple[int, Asker], Counts] = {}
        # What is being added; kept until that is known, under the number of its batch.
        self._leaving: dict[tuple[int, Asker], Counts] = {}
        self._writing = asyncio.Lock()

    def note(self, caller: Caller, area: str, status: int, bytes_in: int, bytes_out: int) -> None:
        """Count a request that has been answered."""
        asker = Asker(caller.kind.value, caller.id, caller.client_id, caller.home, area)
        key = int(self._clock()) // _HOUR_S, asker
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = Counts()
        counts.calls += 1
        counts.bytes_in += bytes_in
        counts.bytes_out += bytes_out
        if status == _TOO_MANY:
            counts.refused += 1
        elif status >= 500 or not status:
            counts.failures += 1
        elif status >= 400:
            counts.errors += 1

    async def run(self) -> None:
        """Add the counts to the database, until cancelled; and then the rest."""
        try:
            while True:
                await asyncio.sleep(WRITE_EVERY_S)
                await self.write()
        finally:
            await self.write()

    async def write(self) -> None:
        """Add what was counted to the database; what cannot be added now waits."""
        async with self._writing:
            try:
                if self._leaving:
                    await self._add()
                if self._counts:
                    self._leaving, self._counts = self._counts, {}
                    self._batch += 1
                    await self._add()
            except DatabaseUnavailable:
                log.warning("usage_waits", count=len(self._leaving) + len(self._counts))

    async def _add(self) -> None:
        counts = {
            (datetime.fromtimestamp(hour * _HOUR_S, UTC), asker): counted
            for (hour, asker), counted in self._leaving.items()
        }
        async with self._database.begin() as tx:
            # Of a commit whose answer was lost it is told here whether it took place.
            if await store.claim_batch(tx, self._id, self._batch):
                await store.add(tx, counts)
        self._leaving = {}


async def list_usage(
    tx: Tx, caller: Caller, asked: pages.PageRequest, wanted: WantedUsage
) -> pages.Page[Usage]:
    """List what was asked by the hour: one's own, and of organisations whose users one reads."""
    seen = caller.reach(Permission.READ_USERS)
    return await store.list_usage(tx, seen, caller.id, asked, wanted)


async def export_usage(
    database: Database, caller: Caller, wanted: WantedUsage
) -> AsyncIterator[Sequence[Usage]]:
    """Give all that `list_usage` would list, oldest first, in batches.

    Each batch is a transaction of its own, so that a slow reader holds none open.
    """
    seen, after = caller.reach(Permission.READ_USERS), None
    while True:
        async with database.begin(caller) as tx:
            batch = await store.usage_after(tx, seen, caller.id, wanted, after, BATCH)
        if batch:
            yield batch
        if len(batch) < BATCH:
            return
        after = batch[-1].hour, batch[-1].id


async def totals(tx: Tx, caller: Caller, wanted: WantedUsage, limit: int) -> Sequence[Total]:
    """Add up what `list_usage` would list, by caller and client, the most calls first."""
    seen = caller.reach(Permission.READ_USERS)
    return await store.totals(tx, seen, caller.id, wanted, min(limit, MOST_TOTALS))
