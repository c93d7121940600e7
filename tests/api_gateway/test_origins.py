"""Pages of other sites: which may ask, for whom, and that no cookie ever helps them."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from httpx2 import AsyncClient, Response

import programs
from moorage.organizations import Role
from web import World

APP, OTHER = "https://app.example.org", "https://evil.example"
ME = "/api/v1/auth/me"
ASKS = {
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization, content-type",
}


async def allow(admin: AsyncClient, origin: str = APP, **whose: object) -> Response:
    body = {"origin": origin, **{name: str(value) for name, value in whose.items()}}
    return await admin.post("/api/v1/allowed-origins", json=body)


async def in_force(world: World) -> None:
    async with world.database.begin() as tx:
        await world.app.state.origins.read(tx)


async def a_key(world: World, admin: AsyncClient, organization_id: UUID) -> AsyncClient:
    group_id = await world.group(organization_id, Role.READ)
    body = {
        "organizationId": str(organization_id),
        "name": "key",
        "permissionGroupIds": [str(group_id)],
    }
    made = (await admin.post("/api/v1/api-keys", json=body)).json()
    return world.client(X_API_KEY=made["key"])


def shown_to(answer: Response) -> str | None:
    assert "Access-Control-Allow-Credentials" not in answer.headers
    shown: str | None = answer.headers.get("Access-Control-Allow-Origin")
    assert shown != "*"
    return shown


async def test_pages_of_an_allowed_site_may_ask_for_the_organizations_programs(
    world: World,
) -> None:
    admin = await world.admin()
    north, south = await world.organization("North"), await world.organization("South")
    assert (await allow(admin, organizationId=north.id)).status_code == 201
    await in_force(world)
    asked = await world.client().options(ME, headers={"Origin": APP, **ASKS})
    assert (asked.status_code, asked.text, shown_to(asked)) == (204, "", APP)
    assert "PATCH" in asked.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    assert asked.headers["Access-Control-Max-Age"] == "600"
    key, other = [await a_key(world, admin, one.id) for one in (north, south)]
    answer = await key.get(ME, headers={"Origin": APP})
    assert (answer.status_code, shown_to(answer)) == (200, APP)
    assert "RateLimit" in answer.headers["Access-Control-Expose-Headers"]
    assert "Origin" in answer.headers["Vary"]
    # For programs of others, and pages of others, nothing can be read.
    assert shown_to(await other.get(ME, headers={"Origin": APP})) is None
    assert shown_to(await key.get(ME, headers={"Origin": OTHER})) is None
    assert "Origin" in (await key.get(ME)).headers["Vary"]
    # Why nobody was recognised can be read.
    unknown = await world.client(X_API_KEY="mk_x").get(ME, headers={"Origin": APP})
    assert (unknown.status_code, shown_to(unknown)) == (401, APP)


async def test_a_site_that_is_not_allowed_is_told_so(world: World) -> None:
    for origin in (OTHER, "null", "*", "https://app.example.org.evil.example", ""):
        asked = await world.client().options(ME, headers={"Origin": origin, **ASKS})
        assert (asked.status_code, asked.json()["code"]) == (403, "api.origin_not_allowed")
        assert shown_to(asked) is None


async def test_a_cookie_is_never_of_use_to_another_site(world: World) -> None:
    admin = await world.admin()
    assert (await allow(admin)).status_code == 201
    await in_force(world)
    read = await admin.get(ME, headers={"Origin": APP})
    assert (read.status_code, shown_to(read)) == (200, None)
    changed = await admin.post("/api/v1/organizations", json={"name": "x"}, headers={"Origin": APP})
    assert (changed.status_code, changed.json()["code"]) == (403, "api.origin_foreign")
    signed_in = await world.client().post(
        "/api/v1/auth/link", json={"token": "x"}, headers={"Origin": APP}
    )
    assert signed_in.json()["code"] == "api.origin_foreign"


async def test_a_clients_site_is_for_that_client_alone(world: World) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    anna = await world.person("anna@example.org", north.id, Role.READ)
    both = [
        await programs.a_program(world, admin, north.id, name=name, scopes=["organizations:read"])
        for name in ("One", "Two")
    ]
    made = await allow(admin, clientId=both[0].id)
    assert made.json()["organizationId"] == str(north.id)
    await in_force(world)
    origin = {"Origin": APP}
    shown = []
    for program in both:
        tokens = await programs.allowed(anna, program)
        client = programs.bearer(world, tokens["access_token"])
        shown.append(shown_to(await client.get("/api/v1/organizations", headers=origin)))
    assert shown == [APP, None]
    key = await a_key(world, admin, north.id)
    assert shown_to(await key.get(ME, headers=origin)) is None
    # A program in a browser gets its tokens from there.
    body = {"grant_type": "authorization_code", "code": "x", "client_id": both[0].id}
    token = await world.client().post(programs.TOKEN, data=body, headers=origin)
    assert (token.status_code, shown_to(token)) == (401, APP)
    assert (await admin.delete(f"/api/v1/oauth/clients/{both[0].id}")).status_code == 204
    async with asyncio.timeout(10):
        while (await world.client().options(ME, headers=origin | ASKS)).status_code != 403:
            await asyncio.sleep(0.01)


async def test_one_organizations_site_is_not_for_who_may_everything(world: World) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    await allow(admin, organizationId=north.id)
    await in_force(world)
    password = "ostrich velvet quarry 17"
    await admin.post("/api/v1/auth/password", json={"newPassword": password})
    body = {"email": "admin@example.org", "password": password}
    token = (await admin.post("/api/v1/auth/token", json=body)).json()["accessToken"]
    client = programs.bearer(world, token)
    assert shown_to(await client.get(ME, headers={"Origin": APP})) is None


async def test_only_who_manages_the_organization_allows_sites(world: World) -> None:
    admin = await world.admin()
    north, south = await world.organization("North"), await world.organization("South")
    reader = await world.person("reader@example.org", north.id, Role.READ)
    owner = await world.person("owner@example.org", south.id, Role.USER_ADMIN)
    program = await programs.a_program(world, admin, north.id)
    assert (await allow(reader, organizationId=north.id)).status_code == 403
    assert (await allow(owner, organizationId=north.id)).status_code == 404
    assert (await allow(owner, clientId=program.id)).status_code == 404
    assert (await allow(owner)).json()["code"] == "organizations.installation_only"
    assert (await allow(admin, organizationId=south.id, clientId=program.id)).status_code == 422
    made = (await allow(admin, organizationId=north.id)).json()
    path = f"/api/v1/allowed-origins/{made['id']}"
    assert (await owner.get(path)).json()["code"] == "api.origin_unknown"
    assert (await owner.delete(path)).status_code == 404
    assert (await reader.delete(path)).status_code == 403
    again = await allow(admin, origin="HTTPS://App.Example.org:443/", organizationId=north.id)
    assert (again.status_code, again.json()["code"]) == (409, "api.origin_there")
    assert (await admin.delete(path)).status_code == 204


@pytest.mark.parametrize(
    "origin",
    [
        "https://*.example.org", "https://*", "http://app.example.org", "null-null", "ftp://a.org",
        "https://app.example.org/path", "https://app.example.org?x=1", "https://u:p@example.org",
        "https://app.example.org:99999", "https://exam\u00e6ple.org", "javascript:alert(1)",
        "https://app.example.org#", "https:///x", "https://[::1", "https://a b.example.org",
        "https://app.example.org\\@evil.example",
    ],
)  # fmt: skip
async def test_what_is_no_single_site_is_refused(world: World, origin: str) -> None:
    answer = await allow(await world.admin(), origin=origin)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/origin"


async def test_what_is_public_is_so_for_every_site_without_credentials(world: World) -> None:
    answer = await world.client().get("/.well-known/jwks.json", headers={"Origin": OTHER})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
