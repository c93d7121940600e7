"""The API of brokers in front: who may what, what is shown, and what is kept."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from httpx2 import AsyncClient

import web
from brokers.desk import Desk, a_desk
from moorage import brokers
from moorage.organizations import Role
from web import OPERATOR


class Town(Desk):
    admin: AsyncClient
    reader: AsyncClient
    stranger: AsyncClient

    async def make(self, status: int = 201, **others: Any) -> Any:
        body = {"organizationId": str(self.organization_id), "name": "Front", "kind": "emqx"}
        answer = await self.admin.post("/api/v1/brokers", json=body | others)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest_asyncio.fixture
async def town(database_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with web.running(database_url, tmp_path) as world:
        desk = await a_desk(world)
        made = Town(world, desk.organization_id, desk.application_id)
        roles = Role.APPLICATION_ADMIN, Role.READ
        made.admin = await world.person("anna@example.org", made.organization_id, *roles)
        made.reader = await world.person("rune@example.org", made.organization_id, Role.READ)
        other = await world.organization("Elsewhere")
        made.stranger = await world.person("otto@example.org", other.id, *roles)
        yield made


async def test_a_token_is_shown_once_and_never_kept(town: Town) -> None:
    shown = await town.make(name="One")
    assert shown["token"].startswith("mbk_") and shown["hint"] == shown["token"][-4:]
    assert shown["token"] in shown["pieces"][0]["text"]
    path = f"/api/v1/brokers/{shown['id']}"
    read = await town.admin.get(path)
    assert shown["token"] not in read.text and read.json()["sourceId"] is None
    setup = await town.admin.get(f"{path}/setup")
    assert shown["token"] not in setup.text and "<token>" in setup.text
    async with town.world.database.begin() as tx:
        for table in ("brokers", "facts"):
            rows = (await tx.execute(f"SELECT t::text AS row FROM {table} t")).all()
            assert all(shown["token"] not in row.row for row in rows)


async def test_rights_are_those_over_sources(town: Town) -> None:
    shown = await town.make()
    path = f"/api/v1/brokers/{shown['id']}"
    assert (await town.reader.get(path)).status_code == 200
    assert (await town.reader.get(f"{path}/files")).status_code == 403
    for method, url, body in (
        ("PATCH", path, {"name": "Mine"}),
        ("POST", f"{path}/rotate-token", {}),
        ("POST", f"{path}/connect", {"url": "mqtt://localhost:9"}),
        ("DELETE", path, None),
    ):
        assert (await town.reader.request(method, url, json=body)).status_code == 403, url
        assert (await town.stranger.request(method, url, json=body)).status_code == 404, url
    assert (await town.stranger.get(path)).status_code == 404
    assert (await town.stranger.get("/api/v1/brokers")).json()["items"] == []
    everybodys = {"organizationId": None, "name": "All", "kind": "emqx"}
    assert (await town.admin.post("/api/v1/brokers", json=everybodys)).status_code == 403
    root = await town.world.admin()
    assert (await root.post("/api/v1/brokers", json=everybodys)).status_code == 201


async def test_what_cannot_be_is_refused_by_its_field(town: Town) -> None:
    for others, pointer in (
        ({"kind": "nats"}, "/url"),
        ({"url": "nats://localhost"}, "/url"),
        ({"kind": "nats", "url": "http://localhost"}, "/url"),
        ({"kind": "nats", "url": "nats://user@localhost"}, "/url"),
        ({"kind": "nats", "url": "nats://localhost:x"}, "/url"),
        ({"kind": "rabbitmq", "url": "nats://localhost"}, "/url"),
        ({"kind": "rabbitmq", "url": "http://user@localhost"}, "/url"),
        ({"kind": "mosquitto", "url": "http://localhost"}, "/url"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "/expiresAt"),
        ({"kind": "other"}, "/kind"),
    ):
        answer = await town.make(422, **others)
        assert answer["errors"][0]["pointer"] == pointer, others
    await town.make(name="Front")
    assert (await town.make(409, name="FRONT"))["code"] == "brokers.name_taken"


async def test_a_broker_is_fetched_from_by_a_source_that_goes_with_it(town: Town) -> None:
    shown = await town.make(kind="rabbitmq")
    path = f"/api/v1/brokers/{shown['id']}"
    asked = {"url": "mqtt://localhost:9", "secrets": {"password": shown["token"]}}
    connected = (await town.admin.post(f"{path}/connect", json=asked)).json()
    again = await town.admin.post(f"{path}/connect", json=asked)
    assert (again.status_code, again.json()["code"]) == (409, "brokers.connected")
    source = f"/api/v1/sources/{connected['sourceId']}"
    read = (await town.admin.get(source)).json()
    assert (read["front"], read["brokerId"], read["version"]) == ("rabbitmq", shown["id"], "3.1.1")
    assert (read["userName"], read["secrets"]) == ("moorage", ["password"])
    # Whose its messages are is the broker's word, and no one's to change.
    for change in ({"subscriptions": [{"topic": "p/{device}"}]}, {"calledBy": "name"}):
        assert (await town.admin.patch(source, json=change)).status_code == 422
    assert (await town.admin.patch(source, json={"keepAliveS": 30})).status_code == 200
    assert (await town.admin.delete(path)).status_code == 204
    assert (await town.admin.get(source)).status_code == 404


async def test_only_brokers_that_share_a_subscription_take_several_connections(
    town: Town,
) -> None:
    made = {kind: await town.make(name=kind, kind=kind) for kind in ("rabbitmq", "mosquitto")}
    for kind, connections, status in (
        ("rabbitmq", 2, 422),
        ("mosquitto", 0, 422),
        ("mosquitto", 17, 422),
        ("mosquitto", 4, 200),
        ("rabbitmq", 1, 200),
    ):
        path = f"/api/v1/brokers/{made[kind]['id']}/connect"
        asked = {"url": "mqtt://localhost:9", "connections": connections}
        answer = await town.admin.post(path, json=asked)
        assert answer.status_code == status, (kind, connections)
        if status == 422:
            assert answer.json()["errors"][0]["pointer"] == "/connections"
    ids = {
        kind: (await town.admin.get(f"/api/v1/brokers/{one['id']}")).json()["sourceId"]
        for kind, one in made.items()
    }
    source = f"/api/v1/sources/{ids['mosquitto']}"
    assert (await town.admin.get(source)).json()["connections"] == 4
    assert (await town.admin.patch(source, json={"connections": 2})).json()["connections"] == 2
    other = f"/api/v1/sources/{ids['rabbitmq']}"
    assert (await town.admin.patch(other, json={"connections": 2})).status_code == 422


async def test_the_files_of_mosquitto_hold_who_may_and_nobody_else(town: Town) -> None:
    shown = await town.make(kind="mosquitto")
    one, named = await town.thing(), await town.thing(user_name="pump 7")
    await town.thing(user_name="a:b")
    await town.thing(user_name="up/#")
    elsewhere = await town.thing(application_id=await town.elsewhere())
    # A name that is another device's id would have that one's patterns.
    await town.thing(user_name="01a20581-4fb7-71d6-a68b-eb207fab0906")
    path = f"/api/v1/brokers/{shown['id']}/files"
    files = {f["name"]: f["text"] for f in (await town.admin.get(path)).json()["files"]}
    found = dict(line.split(":", 1) for line in files["passwords"].splitlines())
    itself = {"moorage", *(f"moorage-{number}" for number in range(1, 16))}
    assert set(found) == {*itself, one.id, "pump 7"}
    for name, secret in (
        ("moorage", shown["token"]),
        ("moorage-3", shown["token"]),
        (one.id, one.secret),
        ("pump 7", named.secret),
    ):
        _empty, seven, turns, salt, made = found[name].split("$")
        again = hashlib.pbkdf2_hmac("sha512", secret.encode(), b64decode(salt), int(turns))
        assert (seven, b64decode(made)) == ("7", again)
    rights = files["rights"].splitlines()
    assert "pattern write v1/devices/%u/up/#" in rights
    assert rights[rights.index("user pump 7") + 1] == f"topic write v1/devices/{named.id}/up/#"
    assert elsewhere.id not in files["rights"]


async def test_secrets_of_nats_are_sealed_anew_with_the_rest(town: Town) -> None:
    shown = await town.make(kind="nats", url="nats://localhost:9")
    assert shown["issuer"].startswith("A") and shown["issuer"] in shown["pieces"][0]["text"]
    async with town.world.database.begin(OPERATOR) as tx:
        query = "SELECT sealed_secrets AS sealed FROM brokers"
        before = (await tx.execute(query)).scalar_one()
        await brokers.seal_anew(tx, town.sealer)
        after = (await tx.execute(query)).scalar_one()
    assert before != after and shown["token"].encode() not in bytes(after)
    rotated = await town.admin.post(f"/api/v1/brokers/{shown['id']}/rotate-token", json={})
    assert rotated.json()["issuer"] == shown["issuer"]
    assert rotated.json()["token"] != shown["token"]


async def test_a_source_of_nobody_is_a_broker_in_front(town: Town) -> None:
    body = {"name": "x", "url": "mqtt://localhost:9", "subscriptions": [{"topic": "p/{device}"}]}
    for organization in ({}, {"organizationId": None}):
        answer = await town.admin.post("/api/v1/sources", json=body | organization)
        assert answer.status_code == 422
