"""An organisation whose devices have certificates, for tests of the doors that take them."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from httpx2 import AsyncClient

from moorage.entry.anchors import Anchors
from moorage.testing.authority import Authority
from moorage_mqtt import ConnAck
from scenarios.client import Client, dialled
from web import World

Files = tuple[Path, Path]


class Town:
    """An organisation with devices; its MQTT door, if it has one, asks for certificates."""

    def __init__(self, world: World, admin: AsyncClient, directory: Path, *, port: int = 0) -> None:
        self.world = world
        self.admin = admin
        self.port = port
        self.directory = directory
        self.server = directory / "server.pem"
        self.organization = ""
        self.application = ""
        self.anchors: Anchors | None = None

    async def make(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.admin.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def found(self, name: str) -> None:
        self.organization = (await self.make("/organizations", name=name))["id"]
        body = {"organizationId": self.organization, "name": "Plant"}
        self.application = (await self.make("/applications", **body))["id"]

    async def device(self, serial: str) -> str:
        body = {"applicationId": self.application, "name": serial, "serial": serial}
        return str((await self.make("/devices", **body))["id"])

    async def authority(self, name: str) -> tuple[Authority, str]:
        """Make an authority and register it."""
        (self.directory / name).mkdir()
        authority = Authority(self.directory / name)
        proof, _ = authority.issue(self.organization)
        path = f"/organizations/{self.organization}/device-authorities"
        body = {"name": name, "certificate": authority.certificate, "proof": proof}
        made = await self.make(path, **body)
        await self.trusted()
        return authority, str(made["id"])

    async def add(self, device_id: str, files: Files) -> dict[str, Any]:
        made = await self.make(
            f"/devices/{device_id}/certificates", certificate=files[0].read_text(), label="own"
        )
        await self.trusted()
        return made

    async def trusted(self) -> None:
        """Have the door of MQTT trust what was added, as its doorbell would."""
        if self.anchors is not None:
            await self.anchors.load(self.world.database)

    async def credentials(self, device_id: str) -> list[dict[str, Any]]:
        found = await self.admin.get(f"/api/v1/devices/{device_id}/credentials")
        credentials: list[dict[str, Any]] = found.json()
        return credentials

    async def revoke(self, device_id: str, credential_id: str) -> None:
        path = f"/api/v1/devices/{device_id}/credentials/{credential_id}"
        assert (await self.admin.delete(path)).status_code == 204

    def context(self, files: Files | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.server)
        context.check_hostname = False
        if files is not None:
            context.load_cert_chain(*files)
        return context

    @asynccontextmanager
    async def dialled(self, files: Files | None, **more: Any) -> AsyncIterator[Client]:
        async with dialled(self.port, tls=self.context(files), **more) as client:
            yield client

    async def answer(self, files: Files | None, **more: Any) -> ConnAck:
        async with self.dialled(files, **more) as client:
            return await client.next(ConnAck)

    async def listed(self, text: str, *, device: str | None = None) -> None:
        """Wait until a refusal is listed."""
        async with asyncio.timeout(10):
            while True:
                found = (await self.admin.get("/api/v1/refusals")).json()["items"]
                if any(text in one["detail"] and one["deviceId"] == device for one in found):
                    return
                await asyncio.sleep(0.05)


def self_signed(town: Town, name: str) -> Files:
    """Make a certificate as a device's own tool would: nobody has signed it."""
    files = town.directory / f"{name}.own.pem", town.directory / f"{name}.own.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", str(files[1]), "-out", str(files[0]), "-days", "2",
         "-subj", f"/CN={name}"],
        check=True, capture_output=True,
    )  # fmt: skip
    return files
