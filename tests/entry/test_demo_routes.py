"""The demo over HTTP: who may start it, what starting leaves, and that removing leaves nothing."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
from httpx2 import AsyncClient

from moorage import simulate
from moorage.entry import data_directory, state
from moorage.organizations import Role
from web import World

DEMO = "/api/v1/demo"


def supervised(world: World) -> None:
    """Let it look as if `moorage run` watched over the data directory."""
    directory = world.settings.data_dir
    (directory / "run").mkdir(exist_ok=True)
    state.write(directory, state.State(os.getpid(), datetime.now(UTC), ()))


@pytest.fixture
async def admin(world: World) -> AsyncClient:
    supervised(world)
    return await world.admin()


async def facts(admin: AsyncClient) -> list[str]:
    return [
        one["name"]
        for one in (await admin.get("/api/v1/audit", params={"limit": 200})).json()["items"]
    ]


async def test_one_click_starts_it_and_one_removes_it_without_a_trace(
    world: World, admin: AsyncClient
) -> None:
    before = (await admin.get(DEMO)).json()
    assert before == {"organizationId": None, "playing": False, "canStart": True}
    made = await admin.post(DEMO)
    assert made.status_code == 202, made.text
    organization_id = made.json()["organizationId"]
    directory = world.settings.data_dir
    assert data_directory.demo_wish(directory).exists()
    known = simulate.load_state(directory)
    assert known is not None
    assert known.organization_id == organization_id
    # Once more is the same demo.
    assert (await admin.post(DEMO)).json()["organizationId"] == organization_id

    demo = world.client(X_API_KEY=known.api_key)
    body: dict[str, object] = {"organizationId": organization_id, "name": "Streets"}
    application = (await demo.post("/api/v1/applications", json=body)).json()
    body |= {"name": "Cayenne", "kind": "cayenne-lpp"}
    decoder = (await demo.post("/api/v1/decoders", json=body)).json()
    body = {"applicationId": application["id"], "name": "Lamp", "decoderId": decoder["id"]}
    assert (await demo.post("/api/v1/devices", json=body)).status_code == 201
    body = {"applicationId": application["id"], "name": "Out", "kind": "http"}
    body |= {"settings": {"url": "https://data.example.org/in"}}
    assert (await demo.post("/api/v1/targets", json=body)).status_code == 201
    with simulate.alone(directory):
        assert (await admin.get(DEMO)).json()["playing"]

    assert (await admin.delete(DEMO)).status_code == 204
    assert not data_directory.demo_wish(directory).exists()
    assert simulate.load_state(directory) is None
    assert (await admin.get(f"/api/v1/organizations/{organization_id}")).status_code == 404
    assert (await demo.get("/api/v1/auth/me")).status_code == 401
    assert (await admin.delete(DEMO)).status_code == 404
    told = await facts(admin)
    for name in ("organizations.founded", "organizations.dissolved"):
        assert name in told


async def test_only_an_administrator_of_the_installation_may(
    world: World, admin: AsyncClient
) -> None:
    organization = await world.organization("Harbour City")
    person = await world.person("bert@example.org", organization.id, Role.APPLICATION_ADMIN)
    for answer in (await person.get(DEMO), await person.post(DEMO), await person.delete(DEMO)):
        assert answer.status_code == 403
    assert not data_directory.demo_wish(world.settings.data_dir).exists()


async def test_an_organization_that_merely_has_the_name_is_left_alone(
    world: World, admin: AsyncClient
) -> None:
    theirs = await world.organization(simulate.DEMO_ORGANIZATION)
    assert (await admin.get(DEMO)).json()["organizationId"] is None
    assert (await admin.delete(DEMO)).status_code == 404
    assert (await admin.get(f"/api/v1/organizations/{theirs.id}")).status_code == 200


async def test_without_a_supervisor_it_says_what_to_do(world: World) -> None:
    admin = await world.admin()
    answer = await admin.post(DEMO)
    assert answer.status_code == 409
    assert answer.json()["code"] == "demo.no_supervisor"
    assert "moorage demo" in answer.json()["detail"]
