"""What the worker runs of targets, as a process that a test can kill."""

from __future__ import annotations

import asyncio
import sys

from moorage import ingest, targets
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells
from moorage.kit.secrets import load_sealer
from targets.world import KINDS, NETWORK, ROOT_KEY, a_workshop


async def main(url: str) -> None:
    database = Database(url, pool_size=4)
    async with database.begin() as tx:
        sealer = await load_sealer(tx, ROOT_KEY)
    doorbells = Doorbells(database)
    deriver = ingest.Deriver(database, doorbells, a_workshop(database, doorbells))
    means = targets.Means(database, KINDS, sealer, NETWORK, deriver)
    intake = targets.Intake(database, doorbells, 0, deriver)
    dispatch = targets.Dispatch(means, doorbells)
    await asyncio.gather(doorbells.run(), intake.run(), dispatch.run())


asyncio.run(main(sys.argv[1]))
