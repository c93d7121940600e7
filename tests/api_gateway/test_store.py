"""The API store: what it shows is the whole API, and the clients it makes work."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sys
import typing
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from httpx2 import AsyncClient

from moorage.organizations import Role
from served import listening
from web import World

APIS = "/api/v1/apis"


@pytest.fixture(autouse=True)
def document_written_once(world: World) -> None:
    """Writing the document takes a second; all applications have the same."""
    world.app.openapi_schema = world.openapi()


async def a_key(world: World, admin: AsyncClient, organization_id: UUID) -> tuple[str, str]:
    group_id = await world.group(organization_id, Role.USER_ADMIN)
    body = {
        "organizationId": str(organization_id),
        "name": "key",
        "permissionGroupIds": [str(group_id)],
    }
    made = await admin.post("/api/v1/api-keys", json=body)
    return made.json()["id"], made.json()["key"]


async def test_every_call_is_in_an_area_that_says_what_it_is_for(world: World) -> None:
    admin = await world.admin()
    listed = (await admin.get(APIS)).json()["items"]
    whole = world.openapi()["paths"]
    calls = {(method.upper(), path) for path, item in whole.items() for method in item}
    found = set()
    for one in listed:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", one["id"])
        assert one["title"], one
        assert one["description"], one
        api = (await admin.get(f"{APIS}/{one['id']}")).json()
        assert len(api["operations"]) == one["operationCount"] > 0
        found |= {(call["method"], call["path"]) for call in api["operations"]}
    assert found == calls


async def test_an_area_is_found_by_words_of_its_calls(world: World) -> None:
    admin = await world.admin()

    async def found(q: str) -> set[str]:
        return {one["id"] for one in (await admin.get(APIS, params={"q": q})).json()["items"]}

    assert await found("redeem CLAIM") == {"devices"}
    assert await found("post /api/v1/plans") >= {"plans"}
    assert await found("no such thing at all") == set()
    for path in (f"{APIS}/nothing", f"{APIS}/nothing/openapi.json", f"{APIS}/x/clients/python"):
        missing = await admin.get(path)
        assert (missing.status_code, missing.json()["code"]) == (404, "api.api_unknown")
    assert (await admin.get(f"{APIS}/plans/clients/cobol")).status_code == 422
    assert (await admin.get(f"{APIS}/{'x' * 101}")).status_code == 422
    assert (await admin.get(APIS, params={"q": "x" * 201})).status_code == 422


async def test_an_areas_document_holds_what_it_needs_and_nothing_else(world: World) -> None:
    admin = await world.admin()
    for one in (await admin.get(APIS)).json()["items"]:
        document = (await admin.get(f"{APIS}/{one['id']}/openapi.json")).json()
        assert document["servers"] == [{"url": world.settings.public_url}]
        named = set(re.findall(r'"#/components/schemas/(\w+)"', str(document).replace("'", '"')))
        assert named == set(document["components"]["schemas"]), one["id"]
        schema = schemathesis.openapi.from_dict(document)
        operations = [operation.ok() for operation in schema.get_all_operations()]
        assert len(operations) == one["operationCount"]


# --- Clients ------------------------------------------------------------------


def load(source: str, path: Path) -> ModuleType:
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


async def test_every_area_has_a_client_whose_types_are_all_there(
    world: World, tmp_path: Path
) -> None:
    admin = await world.admin()
    for one in (await admin.get(APIS)).json()["items"]:
        answer = await admin.get(f"{APIS}/{one['id']}/clients/python")
        name = f"moorage_{one['id'].replace('-', '_')}.py"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        module = load(answer.text, tmp_path / name)
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == module.__name__:
                typing.get_type_hints(value)
        methods = [value for name, value in vars(module.Client).items() if not name.startswith("_")]
        for method in methods:
            typing.get_type_hints(method)
        left_out = "Feeds are not among its methods" in answer.text
        # `each` and `call` are there for all; what streams has no method.
        assert len(methods) - 2 == one["operationCount"] - left_out


async def test_a_python_client_does_what_its_person_may(world: World, tmp_path: Path) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    text = (await admin.get(f"{APIS}/plans/clients/python")).text
    module = load(text, tmp_path / "plans_client.py")
    _, key = await a_key(world, admin, north.id)
    body: dict[str, Any] = {
        "organizationId": str(north.id), "name": "Öre & \"x\"", "requestsPerSecond": 5, "burst": 5,
    }  # fmt: skip

    def work(url: str) -> None:
        client = module.Client(url + "/", api_key=key)
        made = client.make_plan(body)
        assert made["name"] == body["name"]
        with pytest.raises(module.Problem) as refused:
            client.make_plan(body)
        assert (refused.value.status, refused.value.code) == (409, "api.plan_name_taken")
        again = body | {"name": "Second"}
        both = [client.make_plan(again, idempotency_key="k1")["id"] for _ in range(2)]
        assert both[0] == both[1]
        listed = client.each(client.list_plans, organization_id=str(north.id), limit=1)
        assert [one["name"] for one in listed] == ["Second", body["name"]]
        assert client.list_plans(q='Öre & "x"')["items"] == [made]
        changed = client.change_plan(made["id"], {"burst": 4}, if_match=None)
        assert changed["burst"] == 4
        assert client.remove_plan(made["id"]) is None
        # What is put into a path stays a part of it.
        with pytest.raises(module.Problem) as refused:
            client.get_plan("../organizations?x=")
        assert (refused.value.status, refused.value.code) == (404, "not_found")
        with pytest.raises(module.Problem) as refused:
            module.Client(url, api_key="mk_wrong").list_plans()
        assert (refused.value.status, refused.value.code) == (401, "users.credentials_wrong")
        with pytest.raises(ValueError, match="https"):
            module.Client("file:///etc/passwd")

    async with listening(world.app) as url:
        await asyncio.to_thread(work, url)


async def test_a_python_client_comes_back_when_there_is_room(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await world.admin()
    north = await world.organization("North")
    text = (await admin.get(f"{APIS}/plans/clients/python")).text
    module = load(text, tmp_path / "waiting_client.py")
    key_id, key = await a_key(world, admin, north.id)
    narrow = {"name": "Narrow", "requestsPerSecond": 0.001, "burst": 1}
    plan = (await admin.post("/api/v1/plans", json=narrow)).json()
    body = {"planId": plan["id"], "subscriberKind": "apiKey", "subscriberId": key_id}
    assert (await admin.post("/api/v1/subscriptions", json=body)).status_code == 201
    async with world.database.begin() as tx:
        await world.app.state.plans.read(tx)
    waited: list[float] = []
    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=waited.append))

    def work(url: str) -> None:
        client = module.Client(url, api_key=key)
        assert "items" in client.list_plans()
        with pytest.raises(module.Problem) as refused:
            client.list_plans()
        assert (refused.value.status, refused.value.code) == (429, "api.too_many_requests")

    async with listening(world.app) as url:
        await asyncio.to_thread(work, url)
    # Asked three times, it waited twice, and never longer than a minute.
    assert waited == [60.0, 60.0]
