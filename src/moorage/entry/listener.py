"""The part that takes devices' connections."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from importlib.metadata import version
from ipaddress import ip_network

import structlog

from moorage import brokers, ingest, ledger, sources
from moorage.audit.jobs import system_log_kept
from moorage.entry import database as databases
from moorage.entry import decision_point, disk_room, root_key, tls
from moorage.entry.anchors import Anchors, ask_for_certificates
from moorage.entry.lifeline import Lifeline
from moorage.entry.peers import PeerContexts
from moorage.entry.settings import Settings
from moorage.kit import plugins, secrets
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells
from moorage.kit.errors import MoorageError
from moorage.kit.outbound import Outbound

log = structlog.get_logger()

LOOK_AT_CERTIFICATE_S = 3600.0


async def serve(settings: Settings, line: Lifeline) -> None:
    """Listen until told to stop."""
    database = Database(databases.url_of(settings), pool_size=6, name="moorage-listen")
    doorbells = Doorbells(database, name="moorage-listen-bell")
    if not await databases.await_answer(database, line):
        return await database.close()
    # Each by itself: both wait for other processes that start and do the same.
    async with database.begin() as tx:
        sealer = await secrets.load_sealer(tx, root_key.load(settings))
    async with database.begin() as tx:
        partitions = await ledger.open_log(tx, settings.ledger.partitions)
    met = socket.create_server((settings.mqtt.peer_host, settings.mqtt.peer_port))
    room = disk_room.room_of(settings)
    door = ingest.Door(
        database,
        doorbells,
        settings.ingest,
        partitions,
        name=f"{socket.gethostname()}:{settings.mqtt.port}",
        address=f"{settings.mqtt.peer_host}:{met.getsockname()[1]}",
        version=version("moorage"),
        room=room,
        decisions=decision_point.of(settings),
        decoy_key=sealer.derive("moorage.mqtt.decoys"),
    )
    outbound = Outbound(settings.reachable)
    keeper = sources.Keeper(database, doorbells, door, sealer, outbound)
    registry = brokers.Registry(database, doorbells)
    guard = brokers.Guard(door, registry)
    callouts = brokers.Callouts(database, doorbells, door, guard, sealer, outbound)
    watches = brokers.Watches(database, door, sealer, outbound)
    learning = functools.partial(root_key.load, settings)
    certificate = Certificate(settings)
    anchors = Anchors(certificate.context, doorbells)
    await anchors.load(database)
    contexts = PeerContexts(sealer)
    peers = ingest.Peers(met, contexts.accepting, contexts.dialling)
    transports: list[ingest.Transport] = _open(settings, certificate.context, peers)

    def adjust(changed: Settings) -> None:
        door.adjust(changed.ingest)
        room.adjust(**disk_room.shares_of(changed))
        certificate.refresh()
        outbound.allow(changed.reachable)

    line.adjusted.append(adjust)
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
            floor = [
                tasks.create_task(work)
                for work in (
                    doorbells.run(),
                    door.run(),
                    registry.run(),
                    certificate.keep_fresh(),
                    anchors.follow(database),
                    secrets.keep_learning(database, sealer, learning, contexts.learn),
                )
            ]
            doors = [
                tasks.create_task(transport.run(door, functools.partial(ready, transport.name)))
                for transport in transports
            ]
            doors += [tasks.create_task(part.run()) for part in (keeper, callouts, watches)]
            await line.stop.wait()
            # The doors close first, so that what they took in is still committed and answered.
            for task in doors:
                task.cancel()
            await asyncio.gather(*doors, return_exceptions=True)
            for task in floor:
                task.cancel()
    finally:
        met.close()
        await database.close()


class Certificate:
    """The doors' certificate, read again when it was renewed; open connections keep theirs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._read: tuple[float, ...] = ()
        self.context = tls.server_context()
        ask_for_certificates(self.context)
        self._load()

    async def keep_fresh(self) -> None:
        """Look every hour until cancelled."""
        while True:
            await asyncio.sleep(LOOK_AT_CERTIFICATE_S)
            self.refresh()

    def refresh(self) -> None:
        """Renew what is ours and near its end; read the files if they changed."""
        try:
            self._load()
        except (MoorageError, OSError, ValueError) as failed:
            log.error("certificate_not_read", error=str(failed))

    def _load(self) -> None:
        made = tls.server_certificate(self._settings)
        written = tuple(path.stat().st_mtime for path in (made.certificate, made.key))
        if written != self._read:
            self.context.load_cert_chain(made.certificate, made.key)
            self._read = written


def _open(
    settings: Settings, context: ssl.SSLContext, peers: ingest.Peers
) -> list[ingest.Transport]:
    """Open every transport that is installed."""
    mqtt = settings.mqtt
    listening = ingest.Listening(
        mqtt.host,
        mqtt.port,
        mqtt.tls_host,
        mqtt.tls_port,
        context,
        settings.ingest.largest_message,
        peers,
        [ip_network(text) for text in mqtt.trusted_proxies],
    )
    return [kind.open(listening) for kind in plugins.find("moorage.transports").plugins.values()]
