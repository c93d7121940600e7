"""An organisation with an application, devices and API keys, and the MQTT door to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from httpx2 import AsyncClient

from moorage.organizations import Role
from scenarios.client import connected, dialled
from web import World


async def make(admin: AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await admin.post(f"/api/v1{path}", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


class Works:
    """An organisation with an application and its devices, and the door to it."""

    def __init__(self, world: World, admin: AsyncClient) -> None:
        self.world = world
        self.admin = admin
        self.port = 0
        self.organization = ""
        self.application = ""
        self.ids: dict[str, str] = {}
        self.keys: dict[str, str] = {}

    async def found(self, name: str, *devices: str) -> Works:
        self.organization = (await make(self.admin, "/organizations", name=name))["id"]
        body = {"organizationId": self.organization, "name": "Plant"}
        self.application = (await make(self.admin, "/applications", **body))["id"]
        for one in devices:
            body = {"applicationId": self.application, "name": one, "serial": f"{name}-{one}"}
            self.ids[one] = (await make(self.admin, "/devices", **body))["id"]
            shown = await make(self.admin, f"/devices/{self.ids[one]}/credentials", kind="key")
            self.keys[one] = shown["secret"]
        return self

    async def rule(self, topic: str, **body: Any) -> str:
        path = f"/applications/{self.application}/topic-rules"
        return str((await make(self.admin, path, topic=topic, **body))["id"])

    async def remove_rule(self, rule_id: str) -> None:
        path = f"/api/v1/applications/{self.application}/topic-rules/{rule_id}"
        assert (await self.admin.delete(path)).status_code == 204

    async def api_key(
        self, *roles: Role, applications: Sequence[str] | None = None
    ) -> dict[str, str]:
        """Make an API key, with rights in the organisation or in some of its applications."""
        scope: dict[str, Any] = {}
        if applications is not None:
            scope = {"everyApplication": False, "applicationIds": list(applications)}
        of = {"organizationId": self.organization}
        names = [role.value for role in roles]
        body = {**of, "name": f"group {uuid4()}", "roles": names, **scope}
        group = (await make(self.admin, "/permissions", **body))["id"]
        body = {**of, "name": f"key {uuid4()}", "permissionGroupIds": [group]}
        made = await make(self.admin, "/api-keys", **body)
        return {"id": made["id"], "secret": made["key"], "group": group}

    def device(self, name: str, **more: Any) -> Any:
        """Connect a device."""
        return connected(self.port, name, self.keys[name], client_id=name, **more)

    def lasting(self, name: str) -> Any:
        """Connect a device with a session that lasts; the answer is for the caller to take."""
        return dialled(
            self.port, username=name, secret=self.keys[name], client_id=name, clean_start=False,
            properties={"session_expiry_interval": 3600},
        )  # fmt: skip

    def shown(self, name: str, rest: str) -> str:
        """Give a device's topic as services know it."""
        return f"v1/applications/{self.application}/devices/{self.ids[name]}/{rest}"

    async def listed(self, text: str) -> None:
        """Wait until a refusal is listed."""
        async with asyncio.timeout(10):
            while True:
                found = (await self.admin.get("/api/v1/refusals")).json()["items"]
                if any(text in one["detail"] for one in found):
                    return
                await asyncio.sleep(0.05)
