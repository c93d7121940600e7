"""A town with a device, and a broker that asks about it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from httpx2 import AsyncClient, Response

import web
from moorage import brokers, devices, groups
from moorage.devices import CredentialKind
from moorage.kit.secrets import Sealer
from moorage.sources import BrokerKind
from web import OPERATOR

TIMEOUT_S = 10.0


@dataclass
class Thing:
    """A device with a password."""

    id: str
    user_name: str
    secret: str
    credential_id: UUID


class Desk:
    """Makes devices and brokers, and asks as the brokers do."""

    def __init__(self, world: web.World, organization_id: UUID, application_id: UUID) -> None:
        self.world = world
        self.organization_id = organization_id
        self.application_id = application_id
        self.client: AsyncClient = world.client()

    async def thing(
        self, *, user_name: str | None = None, application_id: UUID | None = None, **more: Any
    ) -> Thing:
        """Make a device with a password."""
        new = devices.NewDevice(application_id or self.application_id, "Pump")
        kind = more.pop("kind", CredentialKind.PASSWORD)
        async with self.world.database.begin(OPERATOR) as tx:
            device = await devices.enrol(tx, OPERATOR, new)
            shown = await devices.make_credential(
                tx, OPERATOR, device.id, kind, user_name=user_name, **more
            )
        name = shown.credential.user_name or shown.secret
        return Thing(str(device.id), name, shown.secret, shown.credential.id)

    async def elsewhere(self) -> UUID:
        """Make an application of another organisation."""
        other = await self.world.organization(f"Elsewhere {time.time_ns()}")
        async with self.world.database.begin(OPERATOR) as tx:
            return (await groups.make(tx, OPERATOR, groups.NewApplication(other.id, "Away"))).id

    async def broker(self, kind: BrokerKind, **more: Any) -> brokers.ShownToken:
        """Register a broker of the town."""
        new = brokers.NewBroker(self.organization_id, f"{kind} {time.time_ns()}", kind)
        async with self.world.database.begin(OPERATOR) as tx:
            return await brokers.add(tx, OPERATOR, replace(new, **more), self.sealer)

    async def rotate(self, broker: brokers.Broker, **more: Any) -> brokers.ShownToken:
        """Give a broker a new token."""
        async with self.world.database.begin(OPERATOR) as tx:
            return await brokers.rotate_token(tx, OPERATOR, broker.id, self.sealer, **more)

    @property
    def sealer(self) -> Sealer:
        """The application's."""
        found: Sealer = self.world.app.state.sealer
        return found

    async def ask(
        self, token: str, name: str, form: dict[str, str] | None = None, **json: Any
    ) -> Response:
        """Ask with the token in the path, once the door knows of it."""
        more: dict[str, Any] = {"data": form} if form is not None else {"json": json}
        headers = {"vernemq-hook": more["json"].pop("hook")} if "hook" in json else {}
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            path = f"/brokers/v1/{token}/{name}"
            answer = await self.client.post(path, headers=headers, **more)
            if answer.status_code != 401 or time.monotonic() > deadline:
                return answer
            await asyncio.sleep(0.02)


async def a_desk(world: web.World) -> Desk:
    organization = await world.organization(f"Town {time.time_ns()}")
    async with world.database.begin(OPERATOR) as tx:
        made = await groups.make(tx, OPERATOR, groups.NewApplication(organization.id, "Plant"))
    return Desk(world, organization.id, made.id)
