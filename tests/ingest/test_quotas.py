"""Quotas of organisations and applications: in force at once, and nobody else's concern."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient, Response

from moorage.ingest import store
from moorage.ingest.service.limits import DeviceLimits
from moorage.ingest.service.quotas import Quotas, measure
from moorage.kit.ids import uuid7
from moorage.organizations import Quota, Role
from moorage.sections import IngestSettings
from web import World


class Town:
    """An organisation with an application and a device that sends."""

    def __init__(self, world: World, admin: AsyncClient) -> None:
        self.world = world
        self.admin = admin
        self.organization = ""
        self.application = ""
        self.key = ""

    async def make(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.admin.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def found(self, name: str) -> Town:
        self.organization = (await self.make("/organizations", name=name))["id"]
        body = {"organizationId": self.organization, "name": "Water"}
        self.application = (await self.make("/applications", **body))["id"]
        device = await self.make("/devices", applicationId=self.application, name="Meter 1")
        shown = await self.make(f"/devices/{device['id']}/credentials", kind="key")
        self.key = shown["secret"]
        return self

    async def send(self, count: int = 1, text: str = "") -> Response:
        body = [{"values": {"n": n, "text": text}} for n in range(count)]
        headers = {"X-Device-Key": self.key}
        return await self.world.client().post("/ingest/v1/up", json=body, headers=headers)

    async def set_quotas(self, path: str, **quotas: int) -> Response:
        """Set these quotas, and no others."""
        every = dict.fromkeys(Quota) | quotas
        return await self.admin.patch(f"/api/v1{path}", json={"quotas": every})

    async def refused_by(self, count: int, text: str = "") -> dict[str, Any]:
        """Send until refused, which a fresh quota does within a second; give the answer."""
        async with asyncio.timeout(20):
            while (answer := await self.send(count, text)).status_code == 202:
                await asyncio.sleep(0.02)
        assert answer.status_code == 429, answer.text
        assert int(answer.headers["Retry-After"]) >= 1
        problem: dict[str, Any] = answer.json()
        assert problem["code"] == "ingest.too_fast"
        return problem


@pytest.fixture
async def towns(world: World) -> tuple[Town, Town]:
    admin = await world.admin()
    return await Town(world, admin).found("Aarhus"), await Town(world, admin).found("Odense")


async def test_a_quota_of_an_organization_holds_for_all_it_has_and_for_no_other(
    towns: tuple[Town, Town],
) -> None:
    bound, free = towns
    path = f"/organizations/{bound.organization}"
    assert (await bound.set_quotas(path, messagesPerSecond=2)).status_code == 200
    problem = await bound.refused_by(10)
    assert "organization's allowance of 2 messages" in problem["detail"]
    assert (await free.send(100)).status_code == 202

    assert (await bound.set_quotas(path)).status_code == 200
    async with asyncio.timeout(20):
        while (await bound.send(100)).status_code != 202:
            await asyncio.sleep(0.05)


async def test_a_quota_of_an_application_counts_bytes(towns: tuple[Town, Town]) -> None:
    bound, free = towns
    path = f"/applications/{bound.application}"
    assert (await bound.set_quotas(path, bytesPerSecond=1000)).status_code == 200
    problem = await bound.refused_by(1, "x" * 4000)
    assert "application's allowance of 1000 bytes" in problem["detail"]
    assert (await free.send(1, "x" * 4000)).status_code == 202


async def test_all_doors_together_admit_no_more_than_the_quota(towns: tuple[Town, Town]) -> None:
    bound, _ = towns
    await bound.set_quotas(f"/organizations/{bound.organization}", messagesPerSecond=100)
    owners = [("organization's", UUID(bound.organization))]
    doors = [(Quotas(DeviceLimits(IngestSettings())), uuid7()) for _ in range(3)]
    async with bound.world.database.begin() as tx:
        for quotas, _door in doors:
            await quotas.read(tx)
    # The first is asked for ten times as much as the second, the third for nothing.
    for _second in range(12):
        for (quotas, door), asked in zip(doors, (1000, 100, 0), strict=True):
            for _ in range(asked):
                quotas.take(owners, 1, 10)
            async with bound.world.database.begin() as tx:
                await quotas.share(tx, door, 1.0)
    taken = []
    for quotas, _door in doors:
        (buckets,) = quotas._buckets.values()
        (bucket,) = buckets.values()
        taken.append(bucket.allowance.rate)
    assert 99 <= sum(taken) <= 101
    assert 8 * taken[1] < taken[0] < 12 * taken[1]
    assert taken[2] < 1


async def test_what_is_stored_is_measured_and_bounded(towns: tuple[Town, Town]) -> None:
    bound, free = towns
    for path, whose, quota, unit in (
        (f"/applications/{bound.application}", "application's", "series", "1 series"),
        (f"/organizations/{bound.organization}", "organization's", "series", "1 series"),
    ):
        assert (await bound.send()).status_code == 202  # It has the series `n` and `text`.
        await bound.world.work()
        assert (await bound.set_quotas(path, **{quota: 1})).status_code == 200
        async with bound.world.database.begin() as tx:
            await measure(tx)
        problem = await bound.refused_by(1)
        assert f"{whose} allowance of {unit} is used up" in problem["detail"]
        assert (await free.send()).status_code == 202
        assert (await bound.set_quotas(path)).status_code == 200
        async with asyncio.timeout(20):
            while (await bound.send()).status_code != 202:
                await asyncio.sleep(0.02)
    path = f"/organizations/{bound.organization}"
    assert (await bound.set_quotas(path, storageBytes=10**12)).status_code == 200
    async with bound.world.database.begin() as tx:
        await measure(tx)
        assert await store.read_usage(tx) == {(UUID(bound.organization), "storageBytes"): 0}
    assert (await bound.send()).status_code == 202


async def test_no_device_beyond_the_quota(towns: tuple[Town, Town]) -> None:
    bound, free = towns
    for path, whose in (
        (f"/organizations/{bound.organization}", "organization's"),
        (f"/applications/{bound.application}", "application's"),
    ):
        assert (await bound.set_quotas(path, devices=1)).status_code == 200
        body = {"applicationId": bound.application, "name": "Meter 2"}
        refused = await bound.admin.post("/api/v1/devices", json=body)
        assert refused.status_code == 409
        assert refused.json()["code"] == "organizations.quota_reached"
        assert whose in refused.json()["detail"]
        assert (await bound.set_quotas(path)).status_code == 200
    await bound.set_quotas(f"/organizations/{bound.organization}", devices=1)
    strangers = await free.admin.get("/api/v1/devices", params={"applicationId": free.application})
    device_id = strangers.json()["items"][0]["id"]
    moved = await free.admin.post(
        f"/api/v1/devices/{device_id}/move", json={"applicationId": bound.application}
    )
    assert moved.json()["code"] == "organizations.quota_reached"
    await free.make("/devices", applicationId=free.application, name="Meter 2")


async def test_nobody_raises_the_quota_he_is_held_to(
    world: World, towns: tuple[Town, Town]
) -> None:
    bound, _ = towns
    users = await world.person("ada@example.org", None, Role.READ)
    refused = await users.patch(
        f"/api/v1/organizations/{bound.organization}", json={"quotas": {"devices": 9}}
    )
    assert refused.status_code == 403
    wrong = await bound.set_quotas(f"/organizations/{bound.organization}", wishes=3)
    assert wrong.status_code == 422
    none = await bound.set_quotas(f"/organizations/{bound.organization}", devices=0)
    assert none.status_code == 422
