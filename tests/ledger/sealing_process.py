"""Rewriting of closed days, as a process that is killed within a transaction."""

from __future__ import annotations

import asyncio
import sys

from moorage import ledger
from moorage.kit.db import Database
from moorage.ledger.service import blocks


async def main(url: str) -> None:
    """Rewrite two stretches, then hang before a third is committed, and say so."""
    blocks.STRETCH_BYTES = 500
    database = Database(url, pool_size=2)
    for _ in range(2):
        async with database.begin() as tx:
            await ledger.seal(tx)
    async with database.begin() as tx:
        await ledger.seal(tx)
        sys.stdout.write("inside\n")
        sys.stdout.flush()
        await asyncio.sleep(3_600)


asyncio.run(main(sys.argv[1]))
