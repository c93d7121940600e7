"""The API of sources: who may what, what is shown, and trying a broker out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest_asyncio
from httpx2 import AsyncClient

import web
from moorage import sources
from moorage.audit import service as audit_service
from moorage.kit import secrets
from moorage.kit.outbound import LOOPBACK
from moorage.organizations import Permission, Role
from moorage.sources import store
from moorage.sources.service import catalogue
from sources.world import Broker


class Town:
    """An organisation with an administrator of applications, and somebody of another one."""

    def __init__(self, world: web.World, organization_id: str) -> None:
        self.world = world
        self.organization_id = organization_id
        self.admin: AsyncClient
        self.reader: AsyncClient
        self.stranger: AsyncClient

    def body(self, url: str = "mqtt://localhost:9", **others: Any) -> dict[str, Any]:
        subscriptions = [{"topic": "p/{device}"}]
        given = {"organizationId": self.organization_id, "name": "Plant", "url": url}
        return {**given, "subscriptions": subscriptions, "calledBy": "name", **others}

    async def make(self, status: int = 201, **others: Any) -> Any:
        answer = await self.admin.post("/api/v1/sources", json=self.body(**others))
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest_asyncio.fixture
async def town(database_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with web.running(database_url, tmp_path) as world:
        world.app.state.outbound.allow(LOOPBACK)
        organization = await world.organization("Town")
        made = Town(world, str(organization.id))
        roles = Role.APPLICATION_ADMIN, Role.READ
        made.admin = await world.person("anna@example.org", organization.id, *roles)
        made.reader = await world.person("rune@example.org", organization.id, Role.READ)
        other = await world.organization("Elsewhere")
        made.stranger = await world.person("otto@example.org", other.id, *roles)
        yield made


async def test_secrets_are_kept_and_never_shown(town: Town) -> None:
    made = await town.make(userName="plant", secrets={"password": "sesame"})
    assert made["secrets"] == ["password"]
    path = f"/api/v1/sources/{made['id']}"
    changed = await town.admin.patch(path, json={"secrets": {"password": "open"}})
    async with town.world.database.begin() as tx:
        await audit_service.seal(tx)
    admin = await town.world.admin()
    audit = await admin.get("/api/v1/audit", params={"subjectId": made["id"]})
    assert "sources.changed" in audit.text
    for answer in (changed, await town.admin.get(path), audit):
        assert answer.status_code == 200
        assert "sesame" not in answer.text
        assert '"open"' not in answer.text
    gone = await town.admin.patch(path, json={"secrets": {"password": None}})
    assert gone.json()["secrets"] == []


async def test_who_may_see_and_who_may_change(town: Town) -> None:
    made = await town.make()
    path = f"/api/v1/sources/{made['id']}"
    assert (await town.reader.get(path)).status_code == 200
    refused = await town.reader.patch(path, json={"name": "Mine"})
    assert (refused.status_code, refused.json()["permission"]) == (403, "sources:manage")
    for answer in (
        await town.stranger.get(path),
        await town.stranger.patch(path, json={"name": "Mine"}),
        await town.stranger.delete(path),
        await town.stranger.post(f"{path}/pause"),
        await town.stranger.post(f"{path}/test", json={}),
        await town.stranger.get(f"{path}/log"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "sources.unknown")
    assert (await town.stranger.get("/api/v1/sources")).json()["items"] == []
    assert (await town.stranger.post("/api/v1/sources", json=town.body())).status_code == 404


async def test_whoever_holds_one_application_only_has_no_say(town: Town) -> None:
    body = {"organizationId": town.organization_id, "name": "Bins"}
    made = (await town.admin.post("/api/v1/applications", json=body)).json()
    admin = await town.world.admin()
    group = {
        "organizationId": town.organization_id,
        "name": "Only bins",
        "permissions": [Permission.READ_SOURCES.value, Permission.MANAGE_SOURCES.value],
        "everyApplication": False,
        "applicationIds": [made["id"]],
    }
    answer = await admin.post("/api/v1/permissions", json=group)
    assert answer.status_code == 201, answer.text
    user = await town.world.user("bo@example.org")
    member = {"kind": "user", "id": str(user.id)}
    joined = await admin.post(f"/api/v1/permissions/{answer.json()['id']}/members", json=member)
    assert joined.status_code < 300, joined.text
    bo = await town.world.sign_in("bo@example.org")
    refused = await bo.post("/api/v1/sources", json=town.body())
    assert refused.status_code == 403
    await town.make()
    assert (await bo.get("/api/v1/sources")).json()["items"] == []


async def test_what_cannot_be_is_told_by_field(town: Town) -> None:
    for others, pointer in (
        ({"url": "http://x"}, "/url"),
        ({"subscriptions": [{"topic": "a/{b}"}]}, "/subscriptions/0/topic"),
        ({"secrets": {"password": "x"}}, "/userName"),
        ({"secrets": {"token": "x"}}, "/secrets/token"),
        ({"secrets": {"password": "\N{SHIP}" * 20_000}, "userName": "x"}, "/secrets/password"),
        ({"calledBy": "identifier"}, "/identifierKind"),
        ({"authority": "nonsense", "url": "mqtts://x"}, "/authority"),
        ({"authority": "nonsense"}, "/url"),
        ({"subscriptions": []}, "/subscriptions"),
    ):
        told = await town.make(422, **others)
        assert told["errors"][0]["pointer"] == pointer, told
    taken = await town.make()
    again = await town.make(409, name="PLANT")
    assert again["errors"][0]["pointer"] == "/name"
    path = f"/api/v1/sources/{taken['id']}"
    fitting = {"subscriptions": [{"topic": "q/+", "device": "Pump"}], "keepAliveS": 30}
    changed = await town.admin.patch(path, json=fitting)
    assert changed.json()["subscriptions"][0] == {
        "topic": "q/+", "qos": 1, "device": "Pump", "devicePointer": None,
    }  # fmt: skip


async def test_pausing_and_removing(town: Town) -> None:
    made = await town.make()
    path = f"/api/v1/sources/{made['id']}"
    for verb, paused in (("pause", True), ("pause", True), ("resume", False)):
        answer = await town.admin.post(f"{path}/{verb}")
        assert (answer.status_code, answer.json()["paused"]) == (200, paused)
    assert (await town.admin.delete(path)).status_code == 204
    assert (await town.admin.get(path)).status_code == 404
    async with town.world.database.begin() as tx:
        await audit_service.seal(tx)
    admin = await town.world.admin()
    audit = await admin.get("/api/v1/audit", params={"subjectId": made["id"]})
    names = [fact["name"] for fact in audit.json()["items"]]
    assert sorted(names) == [
        "sources.added", "sources.changed", "sources.changed", "sources.removed",
    ]  # fmt: skip


async def test_a_broker_is_tried_before_it_is_kept(town: Town, broker: Broker) -> None:
    body = {"organizationId": town.organization_id, "name": "Pumps"}
    application = (await town.admin.post("/api/v1/applications", json=body)).json()
    device = {"applicationId": application["id"], "name": "Pump"}
    assert (await town.admin.post("/api/v1/devices", json=device)).status_code == 201
    for topic in ("p/pump", "p/stranger"):
        await broker.publish(topic, "kept", retain=True)
    tried = await town.admin.post("/api/v1/sources/test", json=town.body(broker.url))
    assert tried.status_code == 200, tried.text
    told = tried.json()
    assert (told["connected"], told["detail"]) == (True, "The broker lets us in.")
    assert told["subscriptions"] == [{"topic": "p/{device}", "qos": 1, "detail": ""}]
    found = {one["device"]: one for one in told["samples"]}
    assert (found["pump"]["outcome"], found["pump"]["excerpt"]) == ("taken", "kept")
    assert found["stranger"]["outcome"] == "refused"
    made = await town.make(url="mqtt://127.0.0.1:1")
    path = f"/api/v1/sources/{made['id']}/test"
    as_it_is = (await town.admin.post(path, json={})).json()
    assert as_it_is["connected"] is False
    assert "No connection to 127.0.0.1:1" in as_it_is["detail"]
    change = {"url": broker.url, "inboxId": application["id"]}
    as_it_would_be = (await town.admin.post(path, json=change)).json()
    found = {one["device"]: one for one in as_it_would_be["samples"]}
    assert "would wait in the inbox" in found["stranger"]["detail"]
    assert (await town.admin.get("/api/v1/inbox")).json()["items"] == []
    town.world.app.state.outbound.allow(())
    guarded = (await town.admin.post("/api/v1/sources/test", json=town.body(broker.url))).json()
    assert "may not connect to" in guarded["detail"]


async def test_secrets_outlive_the_key_that_sealed_them(town: Town) -> None:
    made = await town.make(userName="plant", secrets={"password": "sesame"})
    sealer, source_id = town.world.app.state.sealer, UUID(made["id"])
    async with town.world.database.begin() as tx:
        before = await store.sealed_secrets(tx, source_id)
        fresh = await secrets.add_key(tx, web.ROOT_KEY)
        sealer.learn([replace(fresh, from_at=tx.now)])
        await sources.seal_anew(tx, sealer)
        after = await store.sealed_secrets(tx, source_id)
        assert await catalogue.secrets_of(tx, source_id, sealer) == {"password": "sesame"}
    assert before is not None
    assert after is not None
    assert before[:16] != after[:16] == fresh.id.bytes
