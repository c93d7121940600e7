"""Downloads and refusals leave facts, and no flood of them."""

from __future__ import annotations

from typing import Any

from moorage.api_gateway.service import Refusals
from moorage.api_gateway.service.refusals import REFUSAL_EVERY_S
from moorage.organizations import Permission, PermissionMissing, Role
from web import OPERATOR, World


async def facts(world: World, name: str) -> list[Any]:
    async with world.database.begin() as tx:
        query = (
            "SELECT organization_id, after, caller_label FROM facts WHERE name = :name ORDER BY id"
        )
        return list(await tx.execute(query, {"name": name}))


async def test_a_refusal_is_a_fact_once_a_minute(world: World) -> None:
    admin = await world.admin()
    organization = await world.organization("Aarhus")
    reader = await world.person("reader@aarhus.example", organization.id, Role.READ)
    body = {"organizationId": str(organization.id), "name": "Water"}
    made = (await admin.post("/api/v1/applications", json=body)).json()

    for _ in range(5):
        path = f"/api/v1/applications/{made['id']}"
        refused = await reader.patch(path, json={"name": "Mine"})
        assert refused.status_code == 403
    other = await reader.post(
        "/api/v1/devices", json={"applicationId": made["id"], "name": "Meter 1"}
    )
    assert other.status_code == 403

    told = await facts(world, "api_gateway.access_refused")
    assert [one.after["permission"] for one in told] == ["applications:manage", "devices:manage"]
    assert told[0].after["method"] == "PATCH"
    assert told[0].after["path"] == path
    assert {one.organization_id for one in told} == {organization.id}
    assert told[0].caller_label == "reader@aarhus.example"


def test_a_refusal_is_told_again_after_a_minute() -> None:
    now = 0.0
    refusals = Refusals(lambda: now)
    refused = PermissionMissing(permission=Permission.MANAGE_DEVICES.value)
    assert refusals.is_new(OPERATOR, refused)
    assert not refusals.is_new(OPERATOR, refused)
    assert refusals.is_new(OPERATOR, PermissionMissing(permission=Permission.READ_AUDIT.value))
    now = REFUSAL_EVERY_S
    assert refusals.is_new(OPERATOR, refused)


async def test_a_download_of_the_audit_is_a_fact_of_those_who_may_read_it(world: World) -> None:
    aarhus, odense = await world.organization("Aarhus"), await world.organization("Odense")
    member = await world.person("user@aarhus.example", aarhus.id, Role.USER_ADMIN)
    for query in ({}, {"organizationId": str(aarhus.id)}, {"organizationId": str(odense.id)}):
        answer = await member.get(
            "/api/v1/audit", params=query, headers={"Accept": "application/x-ndjson"}
        )
        assert answer.status_code == 200
    await member.get("/api/v1/audit")

    told = [one.organization_id for one in await facts(world, "audit.exported")]
    assert told == [aarhus.id, aarhus.id, None]
