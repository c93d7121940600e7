"""One-time links by which a phone becomes a device."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from moorage.kit.db import to_json
from moorage.organizations import Role
from web import World


async def an_application(world: World, name: str, admin: AsyncClient, organization: Any) -> str:
    body = {"organizationId": str(organization.id), "name": name}
    made = await admin.post("/api/v1/applications", json=body)
    assert made.status_code == 201, made.text
    found: str = made.json()["id"]
    return found


class Shore:
    """An organisation with an application, its administrator, and an open claim."""

    def __init__(self, world: World, admin: AsyncClient, application_id: str) -> None:
        self.world = world
        self.admin = admin
        self.application_id = application_id

    async def claim(self) -> dict[str, Any]:
        made = await self.admin.post(f"/api/v1/applications/{self.application_id}/claims")
        assert made.status_code == 201, made.text
        assert made.headers["cache-control"] == "no-store"
        claim: dict[str, Any] = made.json()
        return claim

    async def redeem(self, token: object, name: object = "Anna's phone") -> Response:
        return await self.world.client().post(
            "/api/v1/claims", content=to_json({"token": token, "name": name}),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip

    async def devices(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = (await self.admin.get("/api/v1/devices")).json()["items"]
        return listed


@pytest.fixture
async def shore(world: World) -> Shore:
    organization = await world.organization("Shore")
    admin = await world.person(
        "anna@example.org", organization.id, Role.APPLICATION_ADMIN, Role.READ
    )
    return Shore(world, admin, await an_application(world, "Phones", admin, organization))


async def test_a_claim_makes_one_device_that_may_send_and_take_commands(shore: Shore) -> None:
    claim = await shore.claim()
    assert claim["url"] == f"http://localhost:8080/phone#claim={claim['token']}"
    made = await shore.redeem(claim["token"])
    assert made.status_code == 201, made.text
    assert made.headers["cache-control"] == "no-store"
    (device,) = await shore.devices()
    assert (device["id"], device["name"], device["kind"]) == (
        made.json()["deviceId"], "Anna's phone", "phone",
    )  # fmt: skip
    assert device["applicationId"] == shore.application_id
    phone = shore.world.client(Authorization=f"Bearer {made.json()['secret']}")
    sent = await phone.post("/ingest/v1/up?downlinks=1", json={"battery": 81})
    assert (sent.status_code, sent.json()) == (202, {"accepted": 1, "downlinks": []})

    again = await shore.redeem(claim["token"])
    assert (again.status_code, again.json()["code"]) == (404, "devices.claim_spent")
    assert len(await shore.devices()) == 1
    changes = (await shore.admin.get("/api/v1/audit")).text
    assert "mcl_" not in changes and "mdk_" not in changes


async def test_a_claim_is_used_once_however_many_come_at_once(shore: Shore) -> None:
    token = (await shore.claim())["token"]
    answers = await asyncio.gather(*(shore.redeem(token) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201, *[404] * 7]
    assert len(await shore.devices()) == 1


async def test_a_claim_ends_after_fifteen_minutes(shore: Shore) -> None:
    claim = await shore.claim()
    async with shore.world.database.begin() as tx:
        late = "UPDATE device_claims SET expires_at = expires_at - interval '15 minutes 1 second'"
        await tx.execute(late)
    assert (await shore.redeem(claim["token"])).json()["code"] == "devices.claim_spent"
    await shore.claim()
    async with shore.world.database.begin() as tx:
        left = (await tx.execute("SELECT count(*) FROM device_claims")).scalar_one()
    assert left == 1


@pytest.mark.parametrize("token", ["", "mcl_", "mcl_wrong", "\x00", "ø" * 200, 7, None, "x" * 201])
async def test_what_is_no_claim_makes_nothing(shore: Shore, token: object) -> None:
    await shore.claim()
    answer = await shore.redeem(token)
    assert answer.status_code in (404, 422)
    assert await shore.devices() == []


@pytest.mark.parametrize("name", ["", " ", "x" * 101, None, ["a"]])
async def test_a_name_that_cannot_be_leaves_the_claim(shore: Shore, name: object) -> None:
    token = (await shore.claim())["token"]
    assert (await shore.redeem(token, name)).status_code == 422
    assert (await shore.redeem(token)).status_code == 201


async def test_a_body_that_is_too_large_is_refused_unread(shore: Shore) -> None:
    assert (await shore.redeem("mcl_1", "x" * 70_000)).status_code == 413


async def test_nobody_makes_claims_for_somebody_else(shore: Shore) -> None:
    url = f"/api/v1/applications/{shore.application_id}/claims"
    other = await shore.world.organization("Other")
    bo = await shore.world.person("bo@example.org", other.id, Role.APPLICATION_ADMIN, Role.READ)
    assert (await bo.post(url)).status_code == 404
    assert (await shore.world.client().post(url)).status_code == 401
    group = await shore.world.group(None, Role.READ)
    await shore.world.user("cy@example.org", group)
    cy = await shore.world.sign_in("cy@example.org")
    assert (await cy.post(url)).status_code == 403


async def test_another_site_cannot_spend_a_claim(shore: Shore) -> None:
    token = (await shore.claim())["token"]
    foreign = shore.world.client(Origin="https://evil.example")
    answer = await foreign.post("/api/v1/claims", json={"token": token, "name": "Phone"})
    assert (answer.status_code, answer.json()["code"]) == (403, "api.origin_foreign")
    # The page itself is reached by another address than the public one: a LAN's.
    own = shore.world.client(Origin="http://192.168.1.20:8080", Host="192.168.1.20:8080")
    answer = await own.post("/api/v1/claims", json={"token": token, "name": "Phone"})
    assert answer.status_code == 201


async def test_a_claim_without_room_for_a_device_stays(shore: Shore) -> None:
    token = (await shore.claim())["token"]
    root = await shore.world.admin()
    application = f"/api/v1/applications/{shore.application_id}"
    assert (await shore.redeem((await shore.claim())["token"])).status_code == 201
    for most, status in ((1, 409), (2, 201)):
        changed = await root.patch(application, json={"quotas": {"devices": most}})
        assert changed.status_code == 200, changed.text
        assert (await shore.redeem(token)).status_code == status
