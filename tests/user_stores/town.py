"""An installation with a user store, its administrators, and people who sign in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from httpx2 import AsyncClient

import web
from moorage import user_stores
from moorage.kit.outbound import LOOPBACK
from moorage.kit.secrets import load_sealer
from moorage.organizations import Role

STORES = "/api/v1/user-stores"


class Town:
    """An organisation, a GlobalAdmin, a user administrator, and somebody of elsewhere."""

    def __init__(self, world: web.World, organization_id: UUID) -> None:
        self.world = world
        self.organization_id = organization_id
        self.readers: UUID
        self.admin: AsyncClient
        self.anna: AsyncClient
        self.stranger: AsyncClient
        self.keeper: user_stores.Keeper

    async def store(self, status: int = 201, **fields: Any) -> Any:
        """Add a store as the GlobalAdmin."""
        answer = await self.admin.post(STORES, json=fields)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def sign_in(self, name: str, password: str) -> tuple[AsyncClient, int]:
        """Sign in to the console; give the client and the status."""
        client = self.world.client()
        answer = await client.post(
            "/api/v1/auth/sign-in", json={"email": name, "password": password}
        )
        if answer.status_code == 204:
            me = (await client.get("/api/v1/auth/me")).json()
            client.headers["X-CSRF-Token"] = me["csrfToken"]
        return client, answer.status_code

    async def let_in(self, name: str, password: str) -> tuple[AsyncClient, Any]:
        """Sign in, which must succeed; give the client and who it is."""
        client, status = await self.sign_in(name, password)
        assert status == 204
        return client, (await client.get("/api/v1/auth/me")).json()

    async def sync(self, store_id: str) -> Any:
        """Read the store's people anew, as the worker does; give the store."""
        await self.keeper.sync(UUID(store_id))
        return (await self.admin.get(f"{STORES}/{store_id}")).json()


@asynccontextmanager
async def settled(database_url: str, directory: Path) -> AsyncIterator[Town]:
    """Run an application with a town in it; refusals do not wait."""
    async with web.running(database_url, directory) as world:
        state = world.app.state
        state.outbound.allow(LOOPBACK)
        async with world.database.begin() as tx:
            sealer = await load_sealer(tx, web.ROOT_KEY)
        state.outside = user_stores.People(world.database, sealer, state.directories, 0.0)
        organization = await world.organization("Town")
        town = Town(world, organization.id)
        town.keeper = user_stores.Keeper(world.database, sealer, state.directories)
        town.readers = await world.group(organization.id, Role.READ)
        town.admin = await world.admin()
        town.anna = await world.person("anna@town.example", organization.id, Role.USER_ADMIN,
                                       Role.READ)  # fmt: skip
        other = await world.organization("Elsewhere")
        town.stranger = await world.person("otto@else.example", other.id, Role.USER_ADMIN)
        yield town
