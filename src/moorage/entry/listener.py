"""The part that takes devices' connections."""

from __future__ import annotations

import asyncio

from moorage import ingest, ledger
from moorage.entry import database as databases
from moorage.entry import tls
from moorage.entry.lifeline import Lifeline
from moorage.entry.settings import Settings
from moorage.entry.transports import transports_of
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells


async def serve(settings: Settings, line: Lifeline) -> None:
    """Listen until told to stop."""
    database = Database(databases.url_of(settings), pool_size=6, name="moorage-listen")
    doorbells = Doorbells(database, name="moorage-listen-bell")
    async with database.begin() as tx:
        partitions = await ledger.open_log(tx, settings.ledger.partitions)
    door = ingest.Door(database, doorbells, settings.ingest, partitions)
    transports = transports_of(settings, tls.server_certificate(settings))
    waiting = {transport.name for transport in transports}

    def ready(name: str) -> None:
        waiting.discard(name)
        if not waiting:
            line.ready()

    try:
        async with asyncio.TaskGroup() as tasks:
            floor = [tasks.create_task(doorbells.run()), tasks.create_task(door.run())]
            doors = [
                tasks.create_task(transport.run(door, lambda name=transport.name: ready(name)))
                for transport in transports
            ]
            await line.stop.wait()
            # The doors close first, so that what they took in is still committed and answered.
            for task in doors:
                task.cancel()
            await asyncio.gather(*doors, return_exceptions=True)
            for task in floor:
                task.cancel()
    finally:
        await database.close()
