"""Sealing: closed days move from hot rows to compressed columns, a batch a transaction."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import structlog

from moorage import ledger
from moorage.kit.db import Database, DatabaseUnavailable

from .. import store
from .readings import TABLE

log = structlog.get_logger()

# A day is sealed once this many have passed since; what comes later still is sealed in turn.
SEAL_AFTER_DAYS = 2
BATCH_DEVICES, BATCH_ROWS = 200, 20_000
REST_S = 3_600.0
# Between batches, so that decoding comes first.
PAUSE_S = 0.05


class Sealer:
    """Seals what is due, then rests for an hour; one at a time in an installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Seal until cancelled."""
        while True:
            try:
                await self.work()
            except DatabaseUnavailable as lost:
                log.warning("sealing_interrupted", error=str(lost))
                await asyncio.sleep(5)
                continue
            await asyncio.sleep(REST_S)

    async def work(self) -> int:
        """Seal every day that is due; give the number of rows."""
        sealed = 0
        for day in await self._due():
            while rows := await self._seal_some(day):
                sealed += rows
                await asyncio.sleep(PAUSE_S)
        return sealed

    async def _due(self) -> list[date]:
        """Find closed days with rows, the oldest first, and clear away those without.

        What the last pass left empty goes now, since nobody reads with so old a view any more.
        """
        async with self._database.begin() as tx:
            closed = tx.now.date() - timedelta(days=SEAL_AFTER_DAYS)
            tables = await ledger.day_tables(tx, TABLE)
            days = [day for day in tables if day < closed]
            due = await store.days_with_rows(tx, days)
        for day in set(days) - set(due):
            await self._clear_away(day, tables[day])
        return due

    async def _clear_away(self, day: date, table: str) -> None:
        try:
            async with self._database.begin() as tx:
                await store.empty_day(tx, day, table)
        except DatabaseUnavailable:
            # Somebody reads it for long; the next pass tries again.
            log.info("sealed_day_in_use", day=day.isoformat())

    async def _seal_some(self, day: date) -> int:
        async with self._database.begin() as tx:
            devices = await store.next_devices(tx, day, BATCH_DEVICES, BATCH_ROWS)
            return await store.seal(tx, day, devices) if devices else 0
