"""People's passwords in the hands of old agents (RFC 6749, section 4.3), where switched on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from httpx2 import AsyncClient, Response

import web
from moorage.organizations import Organization, Role
from programs import Program, a_program, bearer
from web import World

ANN, PASSWORD = "ann@example.org", "ostrich velvet quarry 17"
CLIENTS = "/api/v1/oauth/clients"


@pytest.fixture
async def open_world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """Give an application whose operator has switched the grant on."""
    more = {"MOORAGE_OAUTH_PASSWORD_GRANT": "true"}
    async with web.running(database_url, tmp_path, **more) as world:
        yield world


@pytest.fixture
async def home(open_world: World) -> Organization:
    return await open_world.organization("North")


@pytest.fixture
async def person(open_world: World, home: Organization) -> AsyncClient:
    made = await open_world.person(ANN, home.id, Role.USER_ADMIN, Role.READ)
    answer = await made.post("/api/v1/auth/password", json={"newPassword": PASSWORD})
    assert answer.status_code == 204, answer.text
    return made


@pytest.fixture
async def agent(open_world: World, home: Organization, person: AsyncClient) -> Program:
    return await an_agent(open_world, home, person)


async def an_agent(world: World, home: Organization, admin: AsyncClient, **more: Any) -> Program:
    given: dict[str, Any] = {
        "name": "Old agent", "grantTypes": ["password", "refresh_token"], "redirectUris": []
    }  # fmt: skip
    return await a_program(world, admin, home.id, **given | more)


async def shown(program: Program, name: str = ANN, password: str = PASSWORD, **m: str) -> Response:
    return await program.post("token", grant_type="password", username=name, password=password, **m)


def refused(answer: Response) -> str:
    assert answer.status_code in (400, 401), answer.text
    error: str = answer.json()["error"]
    return error


async def facts(world: World, name: str) -> list[Any]:
    async with world.database.begin() as tx:
        rows = await tx.execute("SELECT * FROM facts WHERE name = :name", {"name": name})
        return [dict(row) for row in rows.mappings()]


async def test_a_password_gives_tokens_in_the_name_of_its_person(
    open_world: World, home: Organization, agent: Program
) -> None:
    answer = await shown(agent, scope="organizations:read")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    given = answer.json()
    assert given["scope"] == "organizations:read"
    client = bearer(open_world, given["access_token"])
    me = (await client.get("/api/v1/auth/me")).json()
    assert me["user"]["email"] == ANN
    assert {p for grant in me["grants"] for p in grant["permissions"]} == {"organizations:read"}
    assert (await client.get("/api/v1/auth/sessions")).json()["code"] == "users.person_needed"
    (fact,) = await facts(open_world, "oauth.access_allowed")
    assert fact["after"]["by"] == "password"
    assert PASSWORD not in str(await facts(open_world, "oauth.access_allowed"))

    fresh = await agent.refresh(given["refresh_token"])
    assert fresh.status_code == 200, fresh.text
    assert refused(await agent.refresh(given["refresh_token"])) == "invalid_grant"


async def test_whatever_is_wrong_about_the_person_is_answered_in_the_same_words(
    open_world: World, home: Organization, person: AsyncClient, agent: Program
) -> None:
    south = await open_world.organization("South")
    stranger = await open_world.person("bo@example.org", south.id, Role.READ)
    await stranger.post("/api/v1/auth/password", json={"newPassword": PASSWORD})
    careful = await open_world.person("cy@example.org", home.id, Role.READ)
    await careful.post("/api/v1/auth/password", json={"newPassword": PASSWORD})
    begun = (await careful.post("/api/v1/auth/second-factors/totp", json={})).json()
    confirmed = await careful.post(
        "/api/v1/auth/second-factors/totp/confirm", json={"code": pyotp.TOTP(begun["secret"]).now()}
    )
    assert confirmed.status_code == 200, confirmed.text

    answers = [
        await shown(agent, ANN, "ostrich velvet quarry 18"),
        await shown(agent, "nobody@example.org"),
        await shown(agent, "bo@example.org"),
        await shown(agent, "cy@example.org"),
        await shown(agent, "\x00ann@example.org"),
    ]
    assert {refused(answer) for answer in answers} == {"invalid_grant"}
    assert len({answer.text for answer in answers}) == 1


async def test_passwords_are_counted_and_nobody_tries_them_by_a_client_that_is_not_theirs(
    open_world: World, home: Organization, person: AsyncClient, agent: Program
) -> None:
    thief = Program(agent.http, agent.id, "mcs_stolen")
    for _ in range(12):
        assert refused(await shown(thief, password="wrong")) == "invalid_client"
    other = await a_program(open_world, person, home.id, name="Other")
    assert refused(await shown(other, password="wrong")) == "unauthorized_client"
    assert await facts(open_world, "users.sign_in_refused") == []

    for _ in range(12):
        last = await shown(agent, password="wrong")
        assert refused(last) == "invalid_grant"
    assert "try again in" in last.json()["error_description"]
    assert "try again in" in (await shown(agent)).json()["error_description"]
    asked = {"email": ANN, "password": PASSWORD}
    assert (await open_world.client().post("/api/v1/auth/sign-in", json=asked)).status_code == 429


async def test_a_closed_account_ends_what_its_password_gave(
    open_world: World, home: Organization, person: AsyncClient, agent: Program
) -> None:
    given = (await shown(agent)).json()
    client = bearer(open_world, given["access_token"])
    me = (await client.get("/api/v1/auth/me")).json()
    admin = await open_world.admin()
    closed = await admin.patch(f"/api/v1/users/{me['user']['id']}", json={"active": False})
    assert closed.status_code == 200, closed.text
    assert (await client.get("/api/v1/auth/me")).status_code == 401
    assert refused(await agent.refresh(given["refresh_token"])) == "invalid_grant"
    assert refused(await shown(agent)) == "invalid_grant"


@pytest.mark.parametrize("missing", ["username", "password"])
async def test_a_form_without_name_or_password_is_told_so(agent: Program, missing: str) -> None:
    fields = {"grant_type": "password", "username": ANN, "password": PASSWORD}
    del fields[missing]
    answer = await agent.post("token", **fields)
    assert refused(answer) == "invalid_request"
    assert missing in answer.json()["error_description"]


async def test_scopes_are_the_clients_at_most(agent: Program) -> None:
    assert refused(await shown(agent, scope="devices:read")) == "invalid_scope"
    assert refused(await shown(agent, scope="everything")) == "invalid_scope"


async def test_who_cannot_keep_a_secret_and_who_registers_itself_shows_no_passwords(
    open_world: World, home: Organization, person: AsyncClient
) -> None:
    body = {
        "organizationId": str(home.id), "name": "App", "confidential": False, "redirectUris": [],
        "grantTypes": ["password"], "scopes": ["organizations:read"],
    }  # fmt: skip
    answer = await person.post(CLIENTS, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/grantTypes"
    found = (await open_world.client().get("/.well-known/oauth-authorization-server")).json()
    assert "password" in found["grant_types_supported"]


async def test_it_is_switched_off_unless_the_operator_switches_it_on(
    world: World,
) -> None:
    home = await world.organization("North")
    admin = await world.person(ANN, home.id, Role.USER_ADMIN, Role.READ)
    body = {
        "organizationId": str(home.id), "name": "Agent", "redirectUris": [],
        "grantTypes": ["password"], "scopes": ["organizations:read"],
    }  # fmt: skip
    answer = await admin.post(CLIENTS, json=body)
    assert answer.status_code == 422
    assert "oauth.password_grant" in answer.text
    other = await a_program(world, admin, home.id)
    changed = await admin.patch(f"{CLIENTS}/{other.id}", json={"grantTypes": ["password"]})
    assert changed.status_code == 422
    assert refused(await shown(other)) == "unsupported_grant_type"
    found = (await world.client().get("/.well-known/oauth-authorization-server")).json()
    assert "password" not in found["grant_types_supported"]
