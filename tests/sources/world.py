"""A small world for the tests of sources: an organisation, devices, brokers, and who fetches."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from moorage import devices, groups, ingest, ledger, organizations, sources, telemetry
from moorage.kit.caller import Caller, CallerKind, Grant
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells
from moorage.kit.ids import uuid7
from moorage.kit.outbound import LOOPBACK, Outbound
from moorage.kit.pages import PageRequest
from moorage.kit.secrets import Sealer, load_sealer
from moorage.sections import IngestSettings
from moorage.sources import service
from moorage.sources.model import LogEntry
from ports import free_port
from targets.servers import until_listening

ROOT = Caller(CallerKind.PERSON, uuid7(), "root", (Grant(frozenset(organizations.Permission)),))
NETWORK = Outbound(LOOPBACK)
ROOT_KEY = bytes(range(32))
BY_NAME = devices.CalledBy.NAME


class Broker:
    """Debian's Mosquitto, which can be killed and started again with what it had kept."""

    def __init__(self, directory: Path, *lines: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self.directory = directory
        head = [
            f"listener {self.port} 127.0.0.1",
            "user root",
            "persistence true",
            f"persistence_location {directory}/",
            "max_queued_messages 0",
        ]
        self._config = directory / "mosquitto.conf"
        self._config.write_text("\n".join([*head, *(lines or ("allow_anonymous true",)), ""]))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, or start it again with what it had kept."""
        executable = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        assert executable, "Mosquitto is not installed; run scripts/system-packages test."
        with (self.directory / "mosquitto.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                executable, "-v", "-c", str(self._config), stdout=log, stderr=log
            )
        await until_listening(self.port)

    async def stop(self) -> None:
        """Stop it in peace; it keeps its sessions."""
        if self._process is not None:
            self._process.terminate()
            await self._process.wait()
            self._process = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self.directory / "mosquitto.log").read_text(errors="replace")

    async def publish(
        self,
        topic: str,
        *payloads: str | bytes,
        qos: int = 1,
        retain: bool = False,
        **more: str,
    ) -> None:
        """Publish with mosquitto_pub, one payload a line; `more` are further options."""
        options = [word for name, value in more.items() for word in (f"--{name}", value)]
        options += ["--retain"] if retain else []
        text = b"\n".join(p.encode() if isinstance(p, str) else p for p in payloads) + b"\n"
        process = await asyncio.create_subprocess_exec(
            "mosquitto_pub", "-p", str(self.port), "-h", "127.0.0.1", "-q", str(qos), "-t", topic,
            "-l", *options, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        _out, error = await process.communicate(text)
        assert process.returncode == 0, error.decode()


@contextlib.asynccontextmanager
async def a_broker(directory: Path, *lines: str, port: int | None = None) -> AsyncIterator[Broker]:
    broker = Broker(directory, *lines, port=port)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


@dataclass
class World:
    """What a test stands on."""

    database: Database
    sealer: Sealer
    organization: organizations.Organization
    application: groups.Application

    async def a_device(
        self, name: str, application_id: UUID | None = None, **others: Any
    ) -> devices.Device:
        async with self.database.begin(ROOT) as tx:
            new = devices.NewDevice(application_id or self.application.id, name, **others)
            return await devices.enrol(tx, ROOT, new)

    async def another_application(self, name: str = "Elsewhere") -> groups.Application:
        """Make an application of another organisation."""
        async with self.database.begin(ROOT) as tx:
            new = organizations.NewOrganization(f"{name} {uuid7().hex[-8:]}")
            other = await organizations.found(tx, ROOT, new)
            return await groups.make(tx, ROOT, groups.NewApplication(other.id, name))

    async def a_source(self, url: str, *topics: str, **others: Any) -> sources.Source:
        qos = others.pop("qos", 1)
        asked = tuple(sources.Subscription(topic, qos) for topic in topics)
        given = {"called_by": BY_NAME, "subscriptions": asked, **others}
        name = given.pop("name", f"Source {uuid7().hex[-8:]}")
        new = sources.NewSource(self.organization.id, name, url, **given)
        async with self.database.begin(ROOT) as tx:
            return await sources.add(tx, ROOT, new, self.sealer)

    async def change(self, source: sources.Source, **changes: Any) -> sources.Source:
        async with self.database.begin(ROOT) as tx:
            return await service.change(tx, ROOT, source.id, changes, self.sealer)

    async def get(self, source: sources.Source) -> sources.Source:
        async with self.database.begin(ROOT) as tx:
            return await sources.get(tx, ROOT, source.id)

    async def log(self, source: sources.Source, *, refused: bool = False) -> list[LogEntry]:
        async with self.database.begin(ROOT) as tx:
            asked = PageRequest(limit=500)
            return (await service.log_of(tx, ROOT, source.id, asked, refused=refused)).items

    async def stored(self) -> list[ledger.RawMessage]:
        """Read every message in the ledger, in order."""
        async with self.database.begin() as tx:
            found: list[ledger.RawMessage] = []
            position = ledger.Position(1, ledger.FIRST_DAY)
            while envelopes := await ledger.read(tx, ledger.LogName.RAW, 0, position, 50_000):
                for envelope in envelopes:
                    found += ledger.messages(envelope)
                position = ledger.after(envelopes[-1])
        return found

    async def payloads(self, device: devices.Device) -> list[str]:
        """Read what is stored of a device, in order."""
        return [m.payload.decode() for m in await self.stored() if m.device == device.number]

    async def until(self, holds: Callable[[], Awaitable[Any]], timeout_s: float = 30) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(timeout_s):
            while not await holds():
                await asyncio.sleep(0.02)

    async def until_connected(self, source: sources.Source) -> None:
        async def holds() -> bool:
            health = (await self.get(source)).health
            return health.state is sources.State.CONNECTED

        await self.until(holds)

    async def until_failing(self, source: sources.Source) -> str:
        """Wait until a source fails, and give why."""

        async def holds() -> bool:
            return (await self.get(source)).health.state is sources.State.FAILING

        await self.until(holds)
        return (await self.get(source)).health.error

    async def until_stored(self, count: int) -> None:
        async def holds() -> bool:
            return len(await self.stored()) >= count

        await self.until(holds)

    async def until_counted(self, source: sources.Source, **wanted: int) -> None:
        """Wait until the source's counts are as wanted."""

        async def holds() -> bool:
            health = (await self.get(source)).health
            return all(getattr(health, name) == number for name, number in wanted.items())

        await self.until(holds)


@contextlib.asynccontextmanager
async def a_world(database_url: str) -> AsyncIterator[World]:
    database = Database(database_url, pool_size=8)
    try:
        async with database.begin(ROOT) as tx:
            await ledger.open_log(tx, 1)
            await telemetry.make_days(tx)
            sealer = await load_sealer(tx, ROOT_KEY)
            new = organizations.NewOrganization(f"Town {uuid7().hex[-8:]}")
            organization = await organizations.found(tx, ROOT, new)
            made = groups.NewApplication(organization.id, "Plant")
            application = await groups.make(tx, ROOT, made)
        yield World(database, sealer, organization, application)
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def fetching(world: World, **settings: Any) -> AsyncIterator[ingest.Door]:
    """Run what the listener runs for sources."""
    doorbells = Doorbells(world.database)
    door = ingest.Door(world.database, doorbells, IngestSettings(**settings), 1)
    keeper = sources.Keeper(world.database, doorbells, door, world.sealer, NETWORK)
    floor = [asyncio.create_task(part.run()) for part in (doorbells, door)]
    keeping = asyncio.create_task(keeper.run())
    try:
        yield door
    finally:
        for tasks in ([keeping], floor):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def each_once(payloads: list[str], count: int) -> bool:
    """Tell whether the numbers below `count` are there, each once."""
    return Counter(payloads) == Counter(str(n) for n in range(count))
