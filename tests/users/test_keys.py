"""API keys: what they hold, who makes them, when they stop."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from httpx2 import AsyncClient

from moorage.organizations import Role
from web import World

ROLES = (Role.USER_ADMIN, Role.READ)


async def issue(admin: AsyncClient, organization_id: UUID, *groups: UUID, **more: Any) -> Any:
    body = {
        "organizationId": str(organization_id),
        "name": more.pop("name", "a key"),
        "permissionGroupIds": [str(g) for g in groups],
        **more,
    }
    answer = await admin.post("/api/v1/api-keys", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_key_holds_what_its_groups_hold_and_is_shown_once(world: World) -> None:
    north = await world.organization("North")
    admin = await world.person("chief@example.org", north.id, *ROLES)
    made = await issue(admin, north.id, await world.group(north.id, Role.READ))
    assert made["key"].startswith("mk_")
    listed = (await admin.get("/api/v1/api-keys")).text
    assert made["key"] not in listed
    async with world.database.begin() as tx:
        rows = await tx.execute("SELECT t::text AS row FROM user_api_keys t")
        assert made["key"] not in "".join(r.row for r in rows)
        rows = await tx.execute("SELECT t::text AS row FROM facts t")
        assert made["key"] not in "".join(r.row for r in rows)
    program = world.client(X_API_KEY=made["key"])
    assert (await program.get(f"/api/v1/organizations/{north.id}")).status_code == 200
    assert (await program.get("/api/v1/users")).json()["items"] == []
    used = (await admin.get(f"/api/v1/api-keys/{made['id']}")).json()["usedAt"]
    assert used is not None


async def test_scopes_narrow_a_key(world: World) -> None:
    north = await world.organization("North")
    admin = await world.person("chief@example.org", north.id, *ROLES)
    group_id = await world.group(north.id, *ROLES)
    made = await issue(admin, north.id, group_id, scopes=["organizations:read"])
    program = world.client(X_API_KEY=made["key"])
    grants = (await program.get("/api/v1/auth/me")).json()["grants"]
    assert {p for g in grants for p in g["permissions"]} == {"organizations:read"}
    changed = await admin.patch(f"/api/v1/api-keys/{made['id']}", json={"scopes": None})
    assert changed.status_code == 200
    grants = (await program.get("/api/v1/auth/me")).json()["grants"]
    assert "users:manage" in {p for g in grants for p in g["permissions"]}


async def test_a_key_never_holds_more_than_its_maker(world: World) -> None:
    north, south = await world.organization("North"), await world.organization("South")
    admin = await world.person("chief@example.org", north.id, *ROLES)
    stronger = await world.group(north.id, Role.APPLICATION_ADMIN)
    foreign = await world.group(south.id, Role.READ)
    base = {"name": "x"}
    for organization, group, code in (
        (north.id, stronger, "organizations.grant_too_wide"),
        (north.id, foreign, "organizations.permission_group_unknown"),
        (south.id, foreign, "organizations.unknown"),
        (None, stronger, "organizations.installation_only"),
    ):
        body = {
            **base,
            "organizationId": str(organization) if organization else None,
            "permissionGroupIds": [str(group)],
        }
        answer = await admin.post("/api/v1/api-keys", json=body)
        assert answer.json()["code"] == code
    everything = await world.admin()
    body = {**base, "organizationId": str(north.id), "permissionGroupIds": [str(foreign)]}
    answer = await everything.post("/api/v1/api-keys", json=body)
    assert answer.json()["code"] == "users.group_foreign"


async def test_a_key_put_into_a_group_of_another_organization_gains_nothing(world: World) -> None:
    north, south = await world.organization("North"), await world.organization("South")
    everything = await world.admin()
    made = await issue(everything, north.id, await world.group(north.id, Role.READ))
    foreign = await world.group(south.id, Role.READ)
    member = {"kind": "apiKey", "id": made["id"]}
    await everything.post(f"/api/v1/permissions/{foreign}/members", json=member)
    program = world.client(X_API_KEY=made["key"])
    assert (await program.get(f"/api/v1/organizations/{south.id}")).status_code == 404
    assert (await everything.delete(f"/api/v1/api-keys/{made['id']}")).status_code == 204
    assert (await program.get(f"/api/v1/organizations/{north.id}")).status_code == 401


async def test_a_key_makes_neither_keys_nor_ways_in(world: World) -> None:
    north = await world.organization("North")
    admin = await world.person("chief@example.org", north.id, *ROLES)
    group_id = await world.group(north.id, *ROLES)
    anna = await world.user("anna@example.org", await world.group(north.id, Role.READ))
    program = world.client(X_API_KEY=(await issue(admin, north.id, group_id))["key"])
    body = {"organizationId": str(north.id), "name": "y", "permissionGroupIds": [str(group_id)]}
    answer = await program.post("/api/v1/api-keys", json=body)
    assert answer.json()["code"] == "users.person_needed"
    link = await program.post(f"/api/v1/users/{anna.id}/link")
    assert link.json()["code"] == "users.person_needed"
    password = await program.post("/api/v1/auth/password", json={"newPassword": "x" * 12})
    assert password.json()["code"] == "users.person_needed"


async def test_a_key_stops_when_it_expires_or_is_removed(world: World) -> None:
    north = await world.organization("North")
    admin = await world.person("chief@example.org", north.id, *ROLES)
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = await issue(admin, north.id, await world.group(north.id, Role.READ), expiresAt=soon)
    program = world.client(X_API_KEY=made["key"])
    assert (await program.get("/api/v1/auth/me")).status_code == 200
    url = f"/api/v1/api-keys/{made['id']}"
    await admin.patch(url, json={"expiresAt": "2020-01-01T00:00:00Z"})
    assert (await program.get("/api/v1/auth/me")).status_code == 401
    await admin.patch(url, json={"expiresAt": None})
    assert (await program.get("/api/v1/auth/me")).status_code == 200
    await admin.delete(url)
    assert (await program.get("/api/v1/auth/me")).status_code == 401


async def test_what_the_group_loses_the_key_loses_at_once(world: World) -> None:
    north = await world.organization("North")
    admin = await world.person("chief@example.org", north.id, *ROLES)
    group_id = await world.group(north.id, Role.READ)
    program = world.client(X_API_KEY=(await issue(admin, north.id, group_id))["key"])
    url = f"/api/v1/organizations/{north.id}"
    assert (await program.get(url)).status_code == 200
    assert (await admin.delete(f"/api/v1/permissions/{group_id}")).status_code == 204
    assert (await program.get(url)).status_code == 404


async def test_a_valid_access_token_makes_a_key_beside_it_be_ignored(world: World) -> None:
    north = await world.organization("North")
    admin = await world.person("chief@example.org", north.id, *ROLES)
    made = await issue(admin, north.id, await world.group(north.id, Role.READ))
    await world.user("anna@example.org")
    anna = await world.sign_in("anna@example.org")
    password = "ostrich velvet quarry 17"
    await anna.post("/api/v1/auth/password", json={"newPassword": password})
    body = {"email": "anna@example.org", "password": password}
    token = (await world.client().post("/api/v1/auth/token", json=body)).json()["accessToken"]
    both = world.client(Authorization=f"Bearer {token}", X_API_KEY=made["key"])
    assert (await both.get("/api/v1/auth/me")).json()["label"] == "anna@example.org"
    invalid = world.client(Authorization="Bearer x.y.z", X_API_KEY=made["key"])
    assert (await invalid.get("/api/v1/auth/me")).json()["label"] == "a key"
    bearer = world.client(Authorization=f"Bearer {made['key']}")
    assert (await bearer.get("/api/v1/auth/me")).json()["kind"] == "apiKey"


async def test_a_key_is_taken_as_basic_only_where_that_was_set_and_from_no_other_site(
    world: World,
) -> None:
    north = await world.organization("North")
    admin = await world.person("chief@example.org", north.id, *ROLES)
    group = await world.group(north.id, *ROLES)
    plain = await issue(admin, north.id, group, name="plain")
    made = await issue(admin, north.id, group, name="basic", basic=True)
    assert (plain["basic"], made["basic"]) == (False, True)

    def shown(user: str, password: str = "", **more: str) -> Any:
        pair = b64encode(f"{user}:{password}".encode()).decode()
        return world.client(Authorization=f"Basic {pair}", **more)

    me, path = "/api/v1/auth/me", f"/api/v1/organizations/{north.id}"
    for client in (shown("anything", made["key"]), shown(made["key"])):
        assert (await client.get(me)).json()["label"] == "basic"
        assert (await client.patch(path, json={"name": "North Town"})).status_code == 200
    for client in (
        shown("anything", plain["key"]), shown("anything", "mk_made-up"), shown("chief", "x"),
        shown(""), world.client(Authorization="Basic !!!"), world.client(Authorization="Basic"),
        world.client(Authorization=f"Bearer x:{made['key']}"),
    ):  # fmt: skip
        assert (await client.get(me)).status_code == 401
    # A browser that was told it once would send it along at another site's wish.
    for foreign in ({"Origin": "https://evil.example.org"}, {"Sec-Fetch-Site": "cross-site"}):
        client = shown("anything", made["key"])
        answer = await client.patch(path, json={"name": "Taken"}, headers=foreign)
        assert (answer.status_code, answer.json()["code"]) == (403, "api.origin_foreign")
    # What a proxy in front asked for does not stand in the way of who is signed in.
    proxied = {"Authorization": "Basic " + b64encode(b"proxy:secret").decode()}
    assert (await admin.get(me, headers=proxied)).json()["label"] == "chief@example.org"
    address = f"/api/v1/api-keys/{made['id']}"
    assert (await admin.patch(address, json={"basic": False})).status_code == 200
    assert (await shown("anything", made["key"]).get(me)).status_code == 401
    assert (await world.client(X_API_KEY=made["key"]).get(me)).status_code == 200


async def test_two_keys_of_an_organization_do_not_share_a_name(world: World) -> None:
    north = await world.organization("North")
    admin = await world.person("chief@example.org", north.id, *ROLES)
    group_id = await world.group(north.id, Role.READ)
    await issue(admin, north.id, group_id, name="Exporter")
    other = await issue(admin, north.id, group_id, name="Other")
    body = {"organizationId": str(north.id), "name": "exporter",
            "permissionGroupIds": [str(group_id)]}  # fmt: skip
    answer = await admin.post("/api/v1/api-keys", json=body)
    assert answer.json()["code"] == "users.api_key_name_taken"
    answer = await admin.patch(f"/api/v1/api-keys/{other['id']}", json={"name": "EXPORTER"})
    assert answer.json()["code"] == "users.api_key_name_taken"
