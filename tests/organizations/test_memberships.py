"""Who is in permission groups: people, groups for all their members, and until when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from moorage.kit.ids import uuid7
from moorage.organizations import Permission, Role
from moorage.organizations import jobs as organizations_jobs
from web import OPERATOR, World

LATER = "2999-01-01T00:00:00.000Z"


def _of(group_id: UUID) -> str:
    return f"/api/v1/permissions/{group_id}/members"


async def _may_read(client: Any, organization_id: UUID) -> bool:
    me = (await client.get("/api/v1/auth/me")).json()
    return any(
        grant["organizationId"] == str(organization_id) and "devices:read" in grant["permissions"]
        for grant in me["grants"]
    )


async def test_members_of_a_group_in_another_hold_what_that_one_gives_as_long_as_it_is_in_it(
    world: World,
) -> None:
    north = await world.organization("North")
    admin = await world.admin()
    crew, tier, top = [await world.group(north.id) for _ in range(2)] + [
        await world.group(north.id, Role.READ)
    ]
    await world.user("ann@example.org", crew)
    ann = await world.sign_in("ann@example.org")
    assert not await _may_read(ann, north.id)
    for outer, inner in ((tier, crew), (top, tier)):
        body = {"kind": "group", "id": str(inner)}
        answer = await admin.post(_of(outer), json=body)
        assert answer.status_code == 204, answer.text
    assert await _may_read(ann, north.id)
    (listed,) = (await admin.get(_of(top))).json()
    assert listed == {"kind": "group", "id": str(tier), "until": None}
    # The way it is explained: in one group, which is in the next, which is in the last.
    query = {"organizationId": str(north.id), "permission": "devices:read"}
    told = {
        a["label"]: a for a in (await admin.get("/api/v1/access", params=query)).json()["items"]
    }
    (path,) = told["ann@example.org"]["paths"]
    assert path["groupId"] == str(crew)
    assert [t["groupId"] for t in path["through"]] == [str(tier)]
    assert "devices:read" in path["onlyHere"]
    taken = await admin.delete(f"{_of(tier)}/group/{crew}")
    assert taken.status_code == 204
    assert not await _may_read(ann, north.id)


async def test_a_removed_group_takes_its_members_out_of_the_groups_it_was_in(world: World) -> None:
    north = await world.organization("North")
    admin = await world.admin()
    crew, top = await world.group(north.id), await world.group(north.id, Role.READ)
    await admin.post(_of(top), json={"kind": "group", "id": str(crew)})
    assert (await admin.delete(f"/api/v1/permissions/{crew}")).status_code == 204
    assert (await admin.get(_of(top))).json() == []


async def test_a_group_is_never_in_itself_nor_in_one_of_another_organization(world: World) -> None:
    north, south = await world.organization("North"), await world.organization("South")
    admin = await world.admin()
    first, second, third = [await world.group(north.id, Role.READ) for _ in range(3)]
    foreign = await world.group(south.id, Role.READ)
    whole = (await admin.get("/api/v1/permissions")).json()["items"]
    installation = next(g["id"] for g in whole if g["organizationId"] is None)
    for outer, inner, status, code in (
        (first, second, 204, None),
        (second, third, 204, None),
        (first, first, 409, "organizations.group_in_itself"),
        (third, first, 409, "organizations.group_in_itself"),
        (first, foreign, 404, "organizations.member_unknown"),
        (first, installation, 404, "organizations.member_unknown"),
        (installation, first, 404, "organizations.member_unknown"),
        (first, uuid7(), 404, "organizations.member_unknown"),
    ):
        answer = await admin.post(_of(outer), json={"kind": "group", "id": str(inner)})
        assert answer.status_code == status, answer.text
        assert code is None or answer.json()["code"] == code


async def test_nobody_gives_through_a_group_what_they_do_not_hold(world: World) -> None:
    north = await world.organization("North")
    boss = await world.admin()
    chief = await world.person("chief@example.org", north.id, Role.USER_ADMIN, Role.READ)
    ann = await world.user("ann@example.org", await world.group(north.id))
    crew = await world.group(north.id, Role.READ)
    operates = await world.group(north.id, permissions=(Permission.OPERATE_DEVICES,))
    inner = {"kind": "group", "id": str(crew)}
    too_wide = await chief.post(_of(operates), json=inner)
    assert too_wide.json()["code"] == "organizations.grant_too_wide"
    # What the chief holds: until somebody else has put the group into a stronger one.
    person = {"id": str(ann.id), "until": LATER}
    assert (await chief.post(_of(crew), json=person)).status_code == 204
    assert (await boss.post(_of(operates), json=inner)).status_code == 204
    assert (await chief.post(_of(crew), json=person)).json()["code"] == too_wide.json()["code"]


async def test_a_membership_ends_at_its_time_by_itself(world: World) -> None:
    north = await world.organization("North")
    admin = await world.admin()
    reads = await world.group(north.id, Role.READ)
    ann = await world.user("ann@example.org", await world.group(north.id))
    client = await world.sign_in("ann@example.org")
    past = {"id": str(ann.id), "until": "2020-01-01T00:00:00Z"}
    assert (await admin.post(_of(reads), json=past)).json()["code"] == "field_invalid"
    later = {"id": str(ann.id), "until": LATER}
    assert (await admin.post(_of(reads), json=later)).status_code == 204
    (listed,) = (await admin.get(_of(reads))).json()
    assert listed["until"] == LATER
    assert await _may_read(client, north.id)
    async with world.database.begin(OPERATOR) as tx:
        await tx.execute(
            "UPDATE permission_group_members SET until = :past WHERE until IS NOT NULL",
            {"past": tx.now - timedelta(seconds=1)},
        )
    # Nobody has come by to take them out, and they have nothing all the same.
    assert not await _may_read(client, north.id)
    async with world.database.begin() as tx:
        await organizations_jobs.end_members(tx)
        (ended,) = tx.announced
    assert (ended.name, ended.subject_id) == ("organizations.permission_revoked", reads)
    assert (await admin.get(_of(reads))).json() == []
    # To be in it again without an end is no other thing to ask for.
    assert (await admin.post(_of(reads), json={"id": str(ann.id)})).status_code == 204
    assert await _may_read(client, north.id)


async def test_the_last_global_admin_does_not_end_by_themselves(world: World) -> None:
    admin = await world.admin()
    own = (await admin.get("/api/v1/auth/me")).json()["id"]
    items = (await admin.get("/api/v1/permissions")).json()["items"]
    everything = next(g["id"] for g in items if g["organizationId"] is None)
    answer = await admin.post(_of(everything), json={"id": own, "until": LATER})
    assert answer.json()["code"] == "organizations.last_admin"
    (still,) = (await admin.get(_of(everything))).json()
    assert still["until"] is None


# --- Sharing ------------------------------------------------------------------


async def _applications(world: World, admin: Any, organization_id: UUID) -> tuple[str, str]:
    made = []
    for name in ("Mine", "Theirs"):
        body = {"organizationId": str(organization_id), "name": name}
        answer = await admin.post("/api/v1/applications", json=body)
        assert answer.status_code == 201, answer.text
        made.append(str(answer.json()["id"]))
    return made[0], made[1]


async def _manager(world: World, admin: Any, organization_id: UUID, application_id: str) -> Any:
    """Sign in somebody who manages one application and sees the organisation's people."""
    body = {
        "organizationId": str(organization_id), "name": "Managers of Mine",
        "roles": ["OrganizationApplicationAdmin"], "permissions": ["users:read"],
        "everyApplication": False, "applicationIds": [application_id],
    }  # fmt: skip
    made = await admin.post("/api/v1/permissions", json=body)
    assert made.status_code == 201, made.text
    await world.user("manager@example.org", UUID(made.json()["id"]))
    return await world.sign_in("manager@example.org")


async def test_who_manages_an_application_shares_it_with_whom_they_see(world: World) -> None:
    north = await world.organization("North")
    admin = await world.admin()
    mine, theirs = await _applications(world, admin, north.id)
    manager = await _manager(world, admin, north.id, mine)
    crew = await world.group(north.id)
    ann = await world.user("ann@example.org", crew)
    reader = await world.sign_in("ann@example.org")
    share = {
        "organizationId": str(north.id), "name": "Guests of Mine", "roles": ["Read"],
        "everyApplication": False, "applicationIds": [mine],
    }  # fmt: skip
    made = await manager.post("/api/v1/permissions", json=share)
    assert made.status_code == 201, made.text
    guests = UUID(made.json()["id"])
    for kind, member, until in (("user", ann.id, LATER), ("group", crew, None)):
        body = {"kind": kind, "id": str(member), "until": until}
        assert (await manager.post(_of(guests), json=body)).status_code == 204
        assert (await reader.get(f"/api/v1/applications/{mine}")).status_code == 200
        assert (await reader.get(f"/api/v1/applications/{theirs}")).status_code == 404
        # It is explained as any right is, and its end is what was told.
        query = {"organizationId": str(north.id), "applicationId": mine}
        told = (await manager.get("/api/v1/access", params=query)).json()["items"]
        (held,) = [one for one in told if one["id"] == str(ann.id)]
        assert "devices:read" in held["permissions"]
        assert (await manager.delete(f"{_of(guests)}/{kind}/{member}")).status_code == 204
        assert (await reader.get(f"/api/v1/applications/{mine}")).status_code == 404
    path = f"/api/v1/permissions/{guests}"
    assert (await manager.patch(path, json={"name": "Friends"})).status_code == 200
    assert (await manager.delete(path)).status_code == 204


async def test_nobody_shares_more_than_they_manage_and_hold(world: World) -> None:
    north, south = await world.organization("North"), await world.organization("South")
    admin = await world.admin()
    mine, theirs = await _applications(world, admin, north.id)
    manager = await _manager(world, admin, north.id, mine)
    share = {
        "organizationId": str(north.id), "name": "Guests of Mine", "roles": ["Read"],
        "everyApplication": False, "applicationIds": [mine],
    }  # fmt: skip
    missing, wide = "organizations.permission_missing", "organizations.grant_too_wide"
    changes: list[tuple[dict[str, Any], str]] = [
        ({"everyApplication": True, "applicationIds": []}, missing),
        ({"applicationIds": []}, missing),
        ({"applicationIds": [mine, theirs]}, missing),
        ({"addNewApplications": True}, missing),
        ({"permissions": ["users:manage"]}, wide),
        ({"permissions": ["audit:read"]}, wide),
    ]
    for change, code in changes:
        refused = await manager.post("/api/v1/permissions", json=share | change)
        assert (refused.status_code, refused.json()["code"]) == (403, code), change
    elsewhere = await manager.post(
        "/api/v1/permissions", json=share | {"organizationId": str(south.id)}
    )
    assert elsewhere.json()["code"] == "organizations.unknown"
    made = (await manager.post("/api/v1/permissions", json=share)).json()["id"]
    for change, code in changes:
        refused = await manager.patch(f"/api/v1/permissions/{made}", json=change)
        assert (refused.status_code, refused.json()["code"]) == (403, code), change
    # A person nobody here sees, and an invitation, which makes accounts, are beyond sharing.
    stranger = await world.user("stranger@example.org", await world.group(south.id))
    refused = await manager.post(_of(UUID(made)), json={"id": str(stranger.id)})
    assert refused.json()["code"] == "organizations.member_unknown"
    body = {"email": "new@example.org", "name": "New", "permissionGroupIds": [made]}
    assert (await manager.post("/api/v1/invitations", json=body)).status_code == 403
    # A group of the same application that gives more, itself or by the one it is in.
    more = share | {"name": "Auditors of Mine", "permissions": ["audit:read"]}
    auditors = (await admin.post("/api/v1/permissions", json=more)).json()["id"]
    inner = (await admin.post("/api/v1/permissions", json=share | {"name": "Inner"})).json()["id"]
    ann = await world.user("ann@example.org", UUID(auditors), UUID(inner))
    joined = {"kind": "group", "id": inner}
    assert (await admin.post(_of(UUID(auditors)), json=joined)).status_code == 204
    for group in (auditors, inner):
        path = f"/api/v1/permissions/{group}"
        for answer in (
            await manager.post(f"{path}/members", json={"id": str(ann.id)}),
            await manager.delete(f"{path}/members/user/{ann.id}"),
            await manager.patch(path, json={"name": "Taken over"}),
            await manager.delete(path),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, wide)
    # Without seeing people, managing an application shares nothing.
    limited = share | {"name": "Blind", "roles": ["OrganizationApplicationAdmin"]}
    group = (await admin.post("/api/v1/permissions", json=limited)).json()["id"]
    await world.user("blind@example.org", UUID(group))
    blind = await world.sign_in("blind@example.org")
    assert (await blind.post("/api/v1/permissions", json=share)).json()["code"] == missing
    assert (await blind.post(_of(UUID(made)), json={"id": str(ann.id)})).status_code == 404
