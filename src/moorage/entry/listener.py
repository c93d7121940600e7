"""The part that takes devices' connections."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl

import structlog

from moorage import ingest, ledger
from moorage.audit.jobs import system_log_kept
from moorage.entry import database as databases
from moorage.entry import tls
from moorage.entry.lifeline import Lifeline
from moorage.entry.settings import Settings
from moorage.kit import plugins
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells

log = structlog.get_logger()


async def serve(settings: Settings, line: Lifeline) -> None:
    """Listen until told to stop."""
    database = Database(databases.url_of(settings), pool_size=6, name="moorage-listen")
    doorbells = Doorbells(database, name="moorage-listen-bell")
    if not await databases.await_answer(database, line):
        return await database.close()
    async with database.begin() as tx:
        partitions = await ledger.open_log(tx, settings.ledger.partitions)
    name = f"{socket.gethostname()}:{settings.mqtt.port}"
    room = databases.room_of(settings)
    door = ingest.Door(database, doorbells, settings.ingest, partitions, name=name, room=room)
    transports: list[ingest.Transport] = _open(settings)
    waiting = {transport.name for transport in transports}
    if not waiting:
        log.warning("no_transport_installed")
        line.ready()

    def ready(name: str) -> None:
        waiting.discard(name)
        if not waiting:
            line.ready()

    try:
        async with system_log_kept(database, part="listen"), asyncio.TaskGroup() as tasks:
            floor = [tasks.create_task(doorbells.run()), tasks.create_task(door.run())]
            doors = [
                tasks.create_task(transport.run(door, functools.partial(ready, transport.name)))
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


def _open(settings: Settings) -> list[ingest.Transport]:
    """Open every transport that is installed."""
    made = tls.server_certificate(settings)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(made.certificate, made.key)
    mqtt = settings.mqtt
    listening = ingest.Listening(
        mqtt.host,
        mqtt.port,
        mqtt.tls_host,
        mqtt.tls_port,
        context,
        settings.ingest.largest_message,
    )
    return [
        kind.open(listening)
        for kind in plugins.find("moorage.transports", ["open"]).plugins.values()
    ]
