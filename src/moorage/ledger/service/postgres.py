"""The ledger behind the `Log` port."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from moorage.kit.db import Database

from .. import store
from ..errors import DayMissing, LedgerUnavailable
from ..model import Appended, Envelope, Frame, LogName
from .reading import FIRST_DAY, open_log


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
