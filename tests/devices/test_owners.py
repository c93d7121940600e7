"""Whose a device is: somebody's own devices are theirs as far as groups give it, and no further."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from moorage.kit.ids import uuid7
from moorage.organizations import Organization, Role
from web import World

READ = ["devices:read", "messages:read", "devices:operate"]
DEVICES = "/api/v1/devices"


@dataclass
class Yard:
    """An organisation with two devices, and Ann, whom a group lets do things with her own."""

    world: World
    admin: AsyncClient
    north: Organization
    application: str
    mine: str
    other: str
    owners: str
    ann: UUID
    person: AsyncClient

    async def give(self, device_id: str, user_id: object, by: AsyncClient | None = None) -> Any:
        """Make a device somebody's."""
        path = f"{DEVICES}/{device_id}/owner"
        return await (by or self.admin).put(path, json={"userId": str(user_id)})


@pytest.fixture
async def yard(world: World) -> Yard:
    north = await world.organization("North")
    admin = await world.admin()
    application, mine, other = await _devices(admin, north.id)
    group = {
        "organizationId": str(north.id), "name": "Owners", "permissions": READ,
        "everyApplication": False, "ownDevices": True,
    }  # fmt: skip
    made = await admin.post("/api/v1/permissions", json=group)
    assert made.status_code == 201, made.text
    assert made.json()["ownDevices"] is True
    owners = made.json()["id"]
    ann = await world.user("ann@example.org", UUID(owners))
    person = await world.sign_in("ann@example.org")
    return Yard(world, admin, north, application, mine, other, owners, ann.id, person)


async def _devices(admin: AsyncClient, organization_id: UUID) -> tuple[str, str, str]:
    body = {"organizationId": str(organization_id), "name": "Phones"}
    application = (await admin.post("/api/v1/applications", json=body)).json()["id"]
    made = []
    for name in ("Mine", "Other"):
        body = {"applicationId": application, "name": name, "kind": "mqtt"}
        body["location"] = {"type": "Point", "coordinates": [10.2, 56.1]}  # type: ignore[assignment]
        made.append((await admin.post(DEVICES, json=body)).json()["id"])
    return application, made[0], made[1]


async def _names(client: AsyncClient, path: str, **query: str) -> list[str]:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return [one.get("name") or one.get("code") for one in answer.json()["items"]]


async def _status(client: AsyncClient, path: str) -> int:
    return (await client.get(path)).status_code


async def test_an_owner_does_what_groups_give_with_their_own_and_nothing_beside(
    yard: Yard,
) -> None:
    mine, other, person = f"{DEVICES}/{yard.mine}", f"{DEVICES}/{yard.other}", yard.person
    for path in (mine, other):
        command = {"kind": "command", "code": "stop"}
        assert (await yard.admin.post(f"{path}/operations", json=command)).status_code == 201
    assert await _names(person, DEVICES) == []
    assert await _status(person, mine) == 404
    given = await yard.give(yard.mine, yard.ann)
    assert (given.status_code, given.json()["ownerId"]) == (200, str(yard.ann))
    assert await _names(person, DEVICES) == ["Mine"]
    assert await _names(person, DEVICES, ownerId=str(yard.ann)) == ["Mine"]
    box = {"bbox": "10,56,11,57"}
    assert [c["count"] for c in (await person.get(f"{DEVICES}/map", params=box)).json()] == [1]
    for part in ("", "/latest", "/messages", "/credentials", "/states"):
        assert await _status(person, mine + part) == 200, part
        assert await _status(person, other + part) == 404, part
    asked = await person.post(f"{mine}/operations", json={"kind": "command", "code": "ring"})
    assert asked.status_code == 201, asked.text
    assert sorted(await _names(person, "/api/v1/operations")) == ["ring", "stop"]
    one = f"/api/v1/operations/{asked.json()['id']}"
    assert await _status(person, one) == 200
    assert (await person.post(f"{one}/cancel")).status_code == 200
    (theirs,) = (await yard.admin.get(f"{other}/operations")).json()["items"]
    for answer in (
        await person.get(f"/api/v1/operations/{theirs['id']}"),
        await person.post(f"/api/v1/operations/{theirs['id']}/cancel"),
    ):
        assert answer.status_code == 404, answer.text
    # What the group does not give is refused, and the application is not theirs to see.
    for answer in (
        await person.patch(mine, json={"name": "Ours"}),
        await person.delete(mine),
        await person.delete(f"{mine}/owner"),
    ):
        refused = answer.status_code, answer.json()["code"]
        assert refused == (403, "organizations.permission_missing"), answer.text
    assert await _status(person, f"/api/v1/applications/{yard.application}") == 404
    # As it was before it was theirs they do not see it, then or now.
    then = {"at": (await yard.admin.get(mine)).json()["createdAt"]}
    past = await person.get(mine, params=then)
    assert (past.status_code, past.json()["code"]) == (404, "devices.not_there_then")
    taken = await yard.admin.delete(f"{mine}/owner")
    assert taken.status_code == 204
    assert await _names(person, DEVICES) == []
    assert await _status(person, mine) == 404
    assert await _status(person, one) == 404
    facts = await yard.admin.get("/api/v1/audit", params={"name": "devices.owner_changed"})
    told = [(f["before"], f["after"]) for f in facts.json()["items"]]
    nobody, hers = {"ownerId": None}, {"ownerId": str(yard.ann)}
    assert told == [(hers, nobody), (nobody, hers)]


async def test_owning_gives_nothing_without_a_group_to_programs_or_elsewhere(yard: Yard) -> None:
    assert (await yard.give(yard.mine, yard.ann)).status_code == 200
    owners = f"/api/v1/permissions/{yard.owners}"
    # A key in the group owns nothing, though it were given the owner's rights.
    key = {
        "organizationId": str(yard.north.id), "name": "Key", "permissionGroupIds": [yard.owners],
    }  # fmt: skip
    secret = (await yard.admin.post("/api/v1/api-keys", json=key)).json()["key"]
    assert await _names(yard.world.client(X_API_KEY=secret), DEVICES) == []
    # Who leaves the group owns it still, and may do nothing with it.
    assert (await yard.admin.delete(f"{owners}/members/user/{yard.ann}")).status_code == 204
    assert await _names(yard.person, DEVICES) == []
    await yard.world.join(UUID(yard.owners), yard.ann)
    assert await _names(yard.person, DEVICES) == ["Mine"]
    # In another organisation it is nobody's, whatever she holds there.
    south = await yard.world.organization("South")
    everything = {
        "organizationId": str(south.id), "name": "Owners", "permissions": READ,
        "everyApplication": False, "ownDevices": True,
    }  # fmt: skip
    group = (await yard.admin.post("/api/v1/permissions", json=everything)).json()["id"]
    await yard.world.join(UUID(group), yard.ann)
    body = {"organizationId": str(south.id), "name": "Elsewhere"}
    away = (await yard.admin.post("/api/v1/applications", json=body)).json()["id"]
    moved = await yard.admin.post(f"{DEVICES}/{yard.mine}/move", json={"applicationId": away})
    assert moved.json()["ownerId"] is None
    assert (await yard.give(yard.other, yard.ann)).status_code == 200
    path = f"/api/v1/applications/{yard.application}/move"
    moved = await yard.admin.post(path, json={"organizationId": str(south.id)})
    assert moved.status_code == 200, moved.text
    assert (await yard.admin.get(f"{DEVICES}/{yard.other}")).json()["ownerId"] is None
    assert await _names(yard.person, DEVICES) == []


async def test_nobody_gives_away_what_they_may_not(yard: Yard) -> None:
    world, path = yard.world, f"{DEVICES}/{yard.mine}/owner"
    south = await world.organization("South")
    stranger = await world.user("stranger@example.org", await world.group(south.id, Role.READ))
    for user_id in (stranger.id, uuid7()):
        refused = await yard.give(yard.mine, user_id)
        assert (refused.status_code, refused.json()["code"]) == (422, "field_invalid")
    assert (await yard.give(yard.mine, "nobody")).status_code == 422
    body = {"userId": str(yard.ann)}
    assert (await world.client().put(path, json=body)).status_code == 401
    reader = await world.person("reader@example.org", yard.north.id, Role.READ)
    assert (await reader.put(path, json=body)).status_code == 403
    foreign = await world.person("foreign@example.org", south.id, Role.APPLICATION_ADMIN)
    assert (await foreign.put(path, json=body)).status_code == 404
    # Who only manages devices does not have Ann operate one.
    group = {
        "organizationId": str(yard.north.id), "name": "Keepers",
        "permissions": ["devices:read", "devices:manage", "messages:read"],
    }  # fmt: skip
    keepers = (await yard.admin.post("/api/v1/permissions", json=group)).json()["id"]
    await world.user("keeper@example.org", UUID(keepers))
    keeper = await world.sign_in("keeper@example.org")
    refused = await yard.give(yard.mine, yard.ann, keeper)
    assert (refused.status_code, refused.json()["code"]) == (403, "organizations.grant_too_wide")
    assert (await yard.admin.get(f"{DEVICES}/{yard.mine}")).json()["ownerId"] is None
    stale = {"If-Match": '"0"'}
    assert (await yard.admin.put(path, json=body, headers=stale)).status_code == 412


async def test_a_group_for_owners_is_about_their_devices_alone(yard: Yard) -> None:
    group = {
        "organizationId": str(yard.north.id), "name": "More owners", "permissions": READ,
        "everyApplication": False, "ownDevices": True,
    }  # fmt: skip
    for more in (
        {"everyApplication": True},
        {"addNewApplications": True},
        {"applicationIds": [yard.application]},
        {"organizationId": None},
    ):
        refused = await yard.admin.post("/api/v1/permissions", json=group | more)
        assert refused.status_code == 422, refused.text
    # Any device of the organisation may become somebody's own: it takes all that to give it.
    half = {
        "organizationId": str(yard.north.id), "name": "Half", "roles": ["OrganizationUserAdmin"],
        "permissions": READ, "everyApplication": False, "applicationIds": [yard.application],
    }  # fmt: skip
    made = (await yard.admin.post("/api/v1/permissions", json=half)).json()["id"]
    chief = await yard.world.user("chief@example.org", UUID(made))
    client = await yard.world.sign_in("chief@example.org")
    for refused in (
        await client.post("/api/v1/permissions", json=group),
        await client.post(f"/api/v1/permissions/{yard.owners}/members", json={"id": str(chief.id)}),
    ):
        code = refused.status_code, refused.json()["code"]
        assert code == (403, "organizations.grant_too_wide")
