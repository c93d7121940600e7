"""A small world for the tests of targets: an organisation, an application, devices, a worker."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

import past
from moorage import decoders, devices, groups, ingest, ledger, organizations, targets, telemetry
from moorage.kit.caller import Caller, CallerKind, Grant
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells
from moorage.kit.ids import uuid7, uuid7_bytes
from moorage.kit.outbound import LOOPBACK, Outbound
from moorage.kit.secrets import Sealer, load_sealer
from moorage.targets import service
from moorage.targets.service import catalogue
from moorage.targets.service.catalogue import Kinds

ROOT = Caller(CallerKind.PERSON, uuid7(), "root", (Grant(frozenset(organizations.Permission)),))
KINDS = targets.find_kinds()
NETWORK = Outbound(LOOPBACK)
ROOT_KEY = bytes(range(32))


@dataclass
class World:
    """What a test stands on."""

    database: Database
    sealer: Sealer
    organization: organizations.Organization
    application: groups.Application
    devices: list[devices.Device] = field(default_factory=list)

    async def a_device(self, name: str, *tags: str) -> devices.Device:
        async with self.database.begin(ROOT) as tx:
            new = devices.NewDevice(self.application.id, name, tags=tags)
            device = await devices.enrol(tx, ROOT, new)
        self.devices.append(device)
        return device

    async def a_target(self, url: str = "http://127.0.0.1:9/", **others: Any) -> targets.Target:
        settings = {"url": url, **others.pop("settings", {})}
        name = others.pop("name", f"Target {uuid7().hex[-8:]}")
        kind = others.pop("kind", "http")
        new = targets.NewTarget(self.application.id, name, kind, settings, **others)
        async with self.database.begin(ROOT) as tx:
            return await targets.add(tx, ROOT, new, KINDS, self.sealer)

    async def a_route(self, target: targets.Target, **others: Any) -> targets.Route:
        async with self.database.begin(ROOT) as tx:
            return await targets.connect(tx, ROOT, targets.NewRoute(target.id, "Route", **others))

    async def a_decoder(self, source: str, **others: Any) -> decoders.Decoder:
        """Make a decoder in JavaScript."""
        workshop = a_workshop(self.database, Doorbells(self.database))
        organization_id = others.pop("organization_id", self.organization.id)
        new = decoders.NewDecoder(
            organization_id, f"Decoder {uuid7().hex[-8:]}", source=source, **others
        )
        try:
            return await decoders.make(workshop, ROOT, new)
        finally:
            await workshop.close()

    async def receive(
        self, device: devices.Device, *payloads: bytes, **others: Any
    ) -> list[telemetry.Derived]:
        """Put messages into the ledger; unless not `derived`, also as processing passes them on.

        They have no document then: their device has no decoder that could do them.
        """
        made = []
        for payload in payloads:
            message = past.a_message(device.number, "")
            message.payload = payload
            message.received_us = others.get("received_us", time.time_ns() // 1000)
            message.channel, message.meta = others.get("channel", ""), others.get("meta")
            message.content_type = others.get("content_type", "")
            n = await past.put(self.database, past.TODAY, message)
            made.append(
                telemetry.Derived(
                    n, device.number, message.id, message.received_us, message.received_us,
                    message.channel, None, None, [],
                )
            )  # fmt: skip
        if others.get("derived", True):
            await self.derive(*made)
        return made

    async def derive(self, *messages: telemetry.Derived, partition: int = 0) -> None:
        """Put messages into the derived log, as processing does."""
        encode = msgspec.msgpack.Encoder().encode
        async with self.database.begin() as tx:
            await ledger.place(tx, ledger.LogName.DERIVED, partition, [encode(m) for m in messages])

    async def get(self, target: targets.Target) -> targets.Target:
        async with self.database.begin(ROOT) as tx:
            return await targets.get(tx, ROOT, target.id)

    async def statement(self, target: targets.Target) -> Any:
        async with self.database.begin(ROOT) as tx:
            zone = await catalogue.zone_of(tx, target.organization_id)
            month = tx.now.astimezone(zone).strftime("%Y-%m")
            return await service.statement(tx, ROOT, target.id, month)

    async def letters(self, target: targets.Target) -> list[Any]:
        async with self.database.begin(ROOT) as tx:
            from moorage.kit.pages import PageRequest

            return (await service.list_letters(tx, ROOT, target.id, PageRequest(limit=500))).items

    async def until(self, holds: Callable[[], Any], timeout_s: float = 60) -> None:
        """Wait until an awaitable question is answered with true."""
        async with asyncio.timeout(timeout_s):
            while not await holds():
                await asyncio.sleep(0.02)

    async def until_letters(self, target: targets.Target, count: int) -> None:
        """Wait until a target has so many dead letters."""

        async def holds() -> bool:
            return (await self.get(target)).dead_letters == count

        await self.until(holds)

    async def until_pending(self, target: targets.Target, count: int = 0) -> None:
        """Wait until so many messages wait for a target."""

        async def holds() -> bool:
            return (await self.get(target)).pending == count

        await self.until(holds)


@contextlib.asynccontextmanager
async def a_world(database_url: str) -> AsyncIterator[World]:
    database = Database(database_url, pool_size=8)
    try:
        async with database.begin(ROOT) as tx:
            await ledger.open_log(tx, 1)
            await targets.make_days(tx)
            sealer = await load_sealer(tx, ROOT_KEY)
            new = organizations.NewOrganization(f"Town {uuid7().hex[-8:]}")
            organization = await organizations.found(tx, ROOT, new)
            application = await groups.make(
                tx, ROOT, groups.NewApplication(organization.id, "Bins")
            )
        yield World(database, sealer, organization, application)
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def a_worker(world: World, kinds: Kinds = KINDS) -> AsyncIterator[targets.Intake]:
    """Run what the worker process runs of targets."""
    doorbells = Doorbells(world.database)
    workshop = a_workshop(world.database, doorbells)
    deriver = ingest.Deriver(world.database, doorbells, workshop)
    intake = targets.Intake(world.database, doorbells, 0, deriver)
    means = targets.Means(world.database, kinds, world.sealer, NETWORK, deriver)
    dispatch = targets.Dispatch(means, doorbells)
    tasks = [asyncio.create_task(part.run()) for part in (doorbells, intake, dispatch)]
    try:
        yield intake
    finally:
        for task in reversed(tasks):
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await workshop.close()


def a_workshop(database: Database, doorbells: Doorbells) -> decoders.Workshop:
    return decoders.Workshop(database, doorbells, decoders.find_runtimes(workers=1))


def a_message(
    device: devices.Device, values: dict[str, Any] | None = None, **others: Any
) -> telemetry.Derived:
    """Make an entry of the derived log."""
    values = values or {"temperature": 21.5}
    now_us = int(datetime.now(UTC).timestamp() * 1_000_000)
    received_us = others.pop("received_us", now_us)
    return telemetry.Derived(
        n=others.pop("n", 1),
        device=device.number,
        id=others.pop("id", uuid7_bytes()),
        received_us=received_us,
        at_us=received_us,
        channel=others.pop("channel", ""),
        decoder=None,
        document=msgspec.json.encode(others.pop("document", values)),
        points=[telemetry.Point(received_us, values, {"temperature": "Cel"})],
        **others,
    )


def documents(requests: Sequence[Any], field: str = "n") -> list[Any]:
    """Give one field of the documents in the envelopes a server was sent."""
    return [msgspec.json.decode(r.body)["document"][field] for r in requests]


def message_id(message: telemetry.Derived) -> str:
    return str(UUID(bytes=message.id))
