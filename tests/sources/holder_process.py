"""What the listener runs of sources, as a process that a test can kill."""

from __future__ import annotations

import asyncio
import sys

from moorage import ingest, sources
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells
from moorage.kit.secrets import load_sealer
from moorage.sections import IngestSettings
from sources.world import NETWORK, ROOT_KEY


async def main(url: str) -> None:
    database = Database(url, pool_size=4)
    async with database.begin() as tx:
        sealer = await load_sealer(tx, ROOT_KEY)
    doorbells = Doorbells(database)
    door = ingest.Door(database, doorbells, IngestSettings(device_burst=1_000_000), 1)
    keeper = sources.Keeper(database, doorbells, door, sealer, NETWORK)
    await asyncio.gather(doorbells.run(), door.run(), keeper.run())


asyncio.run(main(sys.argv[1]))
