"""A running application for tests, with people in it who hold what a test says."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from httpx2 import ASGITransport, AsyncClient

from moorage import ingest, ledger, organizations, sessions, telemetry, users
from moorage.api_gateway import Limits, Rate
from moorage.builtin.transports.mqtt import DoorSettings, MqttDoor
from moorage.entry.api import Application, build_app
from moorage.entry.settings import Settings, read
from moorage.kit.caller import Caller, CallerKind, Grant
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells
from moorage.kit.mail import Postman
from moorage.kit.secrets import load_sealer
from moorage.organizations import (
    MemberKind,
    NewOrganization,
    NewPermissionGroup,
    Organization,
    Permission,
    Role,
)
from moorage.users import NewUser, User
from moorage.users import jobs as users_jobs

ROOT_KEY = bytes(range(32))
WIDE = Limits(signed=Rate(100_000, 10_000), unsigned=Rate(100_000, 10_000))
# Whoever sets a test up; its rights are not what a test is about.
OPERATOR = Caller(
    CallerKind.SYSTEM, UUID(int=1), "operator", (Grant(frozenset(p.value for p in Permission)),)
)

_document: dict[str, Any] = {}


def settings_of(directory: Path, **environment: str) -> Settings:
    """Give settings of a directory with nothing in it."""
    return read({"MOORAGE_DATA_DIR": str(directory), **environment}).settings


@dataclass
class World:
    """An application, its database, and helpers that people it.

    Attributes:
        origin: the network address requests seem to come from.
    """

    app: Application
    database: Database
    settings: Settings
    clients: list[AsyncClient] = field(default_factory=list)
    origin: str = "192.0.2.7"

    def client(self, **headers: str) -> AsyncClient:
        """Give a client of nobody, with some headers."""
        made = AsyncClient(
            transport=ASGITransport(self.app, client=(self.origin, 40000)),
            base_url="http://localhost:8080",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        self.clients.append(made)
        return made

    def openapi(self) -> dict[str, Any]:
        """Give the OpenAPI document, written once a process: all worlds have the same routes."""
        if not _document:
            _document.update(self.app.openapi())
        return _document

    async def organization(self, name: str) -> Organization:
        """Found an organisation."""
        async with self.database.begin(OPERATOR) as tx:
            return await organizations.found(tx, OPERATOR, NewOrganization(name))

    async def group(
        self,
        organization_id: UUID | None,
        *roles: Role,
        permissions: tuple[Permission, ...] = (),
    ) -> UUID:
        """Make a permission group."""
        new = NewPermissionGroup(
            organization_id, f"group {secrets.token_hex(4)}", roles, permissions
        )
        async with self.database.begin(OPERATOR) as tx:
            return (await organizations.make_group(tx, OPERATOR, new)).id

    async def user(self, email: str, *group_ids: UUID) -> User:
        """Make a user."""
        new = NewUser(email, email.partition("@")[0].title(), permission_group_ids=group_ids)
        async with self.database.begin(OPERATOR) as tx:
            return (await users.add(tx, OPERATOR, new))[0]

    async def person(self, email: str, organization_id: UUID | None, *roles: Role) -> AsyncClient:
        """Make a user with roles in an organisation, signed in."""
        group_ids = (await self.group(organization_id, *roles),) if roles else ()
        await self.user(email, *group_ids)
        return await self.sign_in(email)

    async def sign_in(self, email: str) -> AsyncClient:
        """Sign a user in to the console by a one-time link."""
        async with self.database.begin(OPERATOR) as tx:
            _, link = await users.link_for(tx, email)
        client = self.client()
        answer = await client.post("/api/v1/auth/link", json={"token": link.token})
        assert answer.status_code == 204, answer.text
        me = (await client.get("/api/v1/auth/me")).json()
        client.headers["X-CSRF-Token"] = me["csrfToken"]
        return client

    async def admin(self) -> AsyncClient:
        """Make a GlobalAdmin, signed in."""
        new = NewUser("admin@example.org", "Admin")
        async with self.database.begin(OPERATOR) as tx:
            await users.add_from_command_line(tx, new, admin=True)
        return await self.sign_in(new.email)

    async def work(self) -> int:
        """Process what devices sent, as the worker does; give the number of messages."""
        state = self.app.state
        async with self.database.begin() as tx:
            await telemetry.make_days(tx)
            partitions = await ledger.partitions_of(tx)
        processes = [
            ingest.Process(self.database, Doorbells(self.database), state.workshop, partition)
            for partition in partitions
        ]
        return sum([await process.step() for process in processes])

    async def deliver(self) -> int:
        """Write and send what mail is due, as the worker does; give how many letters were tried."""
        state = self.app.state
        async with self.database.begin() as tx:
            await users_jobs.answer_wishes(tx, state.post)
        doorbells = Doorbells(self.database)
        postman = Postman(self.database, doorbells, state.sealer, self.settings.mail_server)
        tried = 0
        while await postman.step():
            tried += 1
        return tried

    @asynccontextmanager
    async def mqtt(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
        """Have the application listen for MQTT too, as `moorage listen` does; give the port.

        With a context it is the port of MQTT over TLS.
        """
        host = self.app.state.uplink.door
        async with self.database.begin(OPERATOR) as tx:
            host.begin_life(await sessions.start_listener(tx, "test"))
        door = MqttDoor(DoorSettings(port=0, tls_port=0, tls=tls, stop_timeout_s=1.0))
        ready = asyncio.Event()
        running = asyncio.create_task(door.run(host, ready.set))
        await ready.wait()
        try:
            yield door.ports[-1]
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def join(self, group_id: UUID, user_id: UUID) -> None:
        """Put a user into a permission group."""
        async with self.database.begin(OPERATOR) as tx:
            await organizations.grant(tx, OPERATOR, group_id, MemberKind.USER, user_id)


@asynccontextmanager
async def running(
    database_url: str, directory: Path, *, limits: Limits = WIDE, **environment: str
) -> AsyncIterator[World]:
    """Run the application on a database of its own; `environment` has further settings."""
    database = Database(database_url, pool_size=5, name="moorage-test")
    settings = settings_of(directory, **environment)
    try:
        async with database.begin() as tx:
            sealer = await load_sealer(tx, ROOT_KEY)
        app = build_app(settings, database, sealer, limits=limits)
        world = World(app, database, settings)
        async with app.router.lifespan_context(app):
            try:
                yield world
            finally:
                for client in world.clients:
                    await client.aclose()
    finally:
        await database.close()
