"""Both message logs pass the same suite."""

from __future__ import annotations

from moorage import ledger
from moorage.builtin.logs.memory import MemoryLog
from moorage.kit.db import Database
from moorage.testing import logs


async def test_the_log_in_memory_is_a_log() -> None:
    async def make() -> ledger.Log:
        return MemoryLog()

    await logs.check_log(make)


async def test_the_ledger_is_a_log(database: Database) -> None:
    made: list[ledger.PostgresLog] = []

    async def make() -> ledger.Log:
        async with database.begin() as tx:
            await tx.execute("DELETE FROM ledger_raw")
            await tx.execute("DELETE FROM ledger_keys")
            await ledger.open_log(tx, 1)
        made.append(ledger.PostgresLog(database))
        return made[-1]

    await logs.check_log(make)
    for log in made:
        await log.close()
