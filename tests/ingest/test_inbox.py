"""Senders that nobody knows: they wait, are adopted with what they sent, or dismissed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from moorage import devices, ingest
from moorage.devices.service import inbox as rules
from moorage.kit.db import to_json
from moorage.organizations import Role
from web import World


class Town:
    """An organisation with an application, its inbox key, and a door for MQTT beside HTTP."""

    def __init__(self, world: World, admin: AsyncClient, application_id: str, key: str) -> None:
        self.world = world
        self.admin = admin
        self.application_id = application_id
        self.key = key
        self.door: ingest.Door = world.app.uplink.door

    async def post(self, sender: str | None, body: object, key: str | None = None) -> int:
        client = self.world.client(X_Device_Key=key or self.key)
        headers = {"Content-Type": "application/json"} | ({"X-Sender": sender} if sender else {})
        sent = await client.post("/ingest/v1/up", content=to_json(body), headers=headers)
        return sent.status_code

    async def soon_refused(self, sender: str, key: str | None = None) -> None:
        """Send until the door has heard that the key is good no longer."""
        for _ in range(400):
            if await self.post(sender, {}, key) == 401:
                return
            await asyncio.sleep(0.02)
        raise AssertionError("The door goes on letting it in.")

    async def waiting(self) -> list[dict[str, Any]]:
        await self.world.work()
        answer = await self.admin.get("/api/v1/inbox")
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def refusals(self) -> list[str]:
        """Give what the door listed; it writes four times a second."""
        await self.door._write_once()
        admin = await self.world.admin()
        listed = (await admin.get("/api/v1/refusals")).json()["items"]
        return [one["detail"] for one in listed]


@pytest.fixture
async def town(world: World) -> Town:
    organization = await world.organization("Town")
    admin = await world.person(
        "anna@example.org", organization.id, Role.APPLICATION_ADMIN, Role.READ
    )
    body = {"organizationId": str(organization.id), "name": "Bins"}
    application_id = (await admin.post("/api/v1/applications", json=body)).json()["id"]
    made = await admin.post(f"/api/v1/applications/{application_id}/inbox-key")
    assert made.status_code == 201, made.text
    assert made.headers["cache-control"] == "no-store"
    assert all(made.json()["secret"] in one["text"] for one in made.json()["templates"])
    return Town(world, admin, application_id, made.json()["secret"])


async def test_a_stranger_waits_and_is_adopted_with_what_it_sent(town: Town) -> None:
    assert await town.post("bin-7", {"level": 42.0}) == 202
    (waits,) = await town.waiting()
    for asked, count in ((waits["organizationId"], 1), (waits["id"], 0)):
        listed = await town.admin.get("/api/v1/inbox", params={"organizationId": asked})
        assert len(listed.json()["items"]) == count
    assert (waits["sender"], waits["kind"], waits["messageCount"]) == ("bin-7", "http", 1)
    assert waits["values"] == {"level": 42.0}
    assert waits["lastMessage"]["text"] == '{"level":42.0}'
    listed = (await town.admin.get("/api/v1/devices")).json()["items"]
    assert listed == []
    asked = (await town.admin.get("/api/v1/devices", params={"state": "waiting"})).json()["items"]
    assert [one["id"] for one in asked] == [waits["id"]]

    path = f"/api/v1/inbox/{waits['id']}/adopt"
    adopted = await town.admin.post(path, json={"name": "Bin 7", "place": "Harbour"})
    assert adopted.status_code == 200, adopted.text
    device = adopted.json()
    assert (device["id"], device["name"], device["state"]) == (waits["id"], "Bin 7", "active")
    assert await town.waiting() == []
    again = await town.admin.post(path, json={})
    assert (again.status_code, again.json()["code"]) == (409, "devices.not_waiting")

    assert await town.post("bin-7", {"level": 43.0}) == 202
    await town.world.work()
    messages = await town.admin.get(f"/api/v1/devices/{device['id']}/messages")
    levels = [one["values"]["level"] for one in messages.json()["items"]]
    assert levels == [43.0, 42.0]


async def test_the_inbox_key_speaks_for_no_device_that_has_its_own(town: Town) -> None:
    await town.post("bin-7", {"level": 1})
    (waits,) = await town.waiting()
    await town.admin.post(f"/api/v1/inbox/{waits['id']}/adopt", json={})
    made = await town.admin.post(f"/api/v1/devices/{waits['id']}/credentials", json={})
    await town.soon_refused("bin-7")
    assert await town.post(None, {"level": 3}, key=made.json()["secret"]) == 202


async def test_a_key_that_was_replaced_or_taken_back_lets_nobody_in(town: Town) -> None:
    path = f"/api/v1/applications/{town.application_id}/inbox-key"
    assert await town.post("bin-7", {"level": 1}) == 202
    fresh = (await town.admin.post(path)).json()
    await town.soon_refused("bin-7")
    assert await town.post("bin-7", {"level": 3}, key=fresh["secret"]) == 202
    known = (await town.admin.get(path)).json()
    assert known["hint"] == fresh["secret"][-4:]
    assert fresh["secret"] not in str(known)
    assert (await town.admin.delete(path)).status_code == 204
    await town.soon_refused("bin-7", fresh["secret"])
    assert (await town.admin.get(path)).json()["code"] == "devices.inbox_unknown"
    assert len(await town.waiting()) == 1


async def test_a_dismissed_sender_is_gone_until_it_sends_again(town: Town) -> None:
    await town.post("bin-7", {"level": 1})
    (first,) = await town.waiting()
    assert (await town.admin.delete(f"/api/v1/inbox/{first['id']}")).status_code == 204
    assert await town.waiting() == []
    for _ in range(400):
        await town.post("bin-7", {"level": 2})
        if again := await town.waiting():
            break
    assert again[0]["id"] != first["id"]


async def test_over_mqtt_the_client_id_says_who_sends(town: Town) -> None:
    password = town.key.encode()
    for username, secret, client_id in (
        ("anything", password, "by-client"),
        (town.key, None, "by-client"),
        ("by-user", password, ""),
    ):
        credentials = ingest.Credentials(username, secret, client_id, "192.0.2.1", "mqtt")
        sender = await town.door.identify(credentials)
        assert sender.state is devices.DeviceState.WAITING
    assert {one["sender"] for one in await town.waiting()} == {"by-client", "by-user"}


async def test_whoever_does_not_say_who_he_is_is_told_what_to_set(town: Town) -> None:
    assert await town.post(None, {"level": 1}) == 401
    assert any("X-Sender" in detail for detail in await town.refusals())
    assert await town.waiting() == []


async def test_an_inbox_takes_no_more_than_it_may_hold(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MOST_WAITING", 2)
    assert await town.post("one", {}) == 202
    assert await town.post("two", {}) == 202
    assert await town.post("three", {}) == 401
    assert await town.post("one", {}) == 202
    assert any("2 senders wait already" in detail for detail in await town.refusals())


async def test_newcomers_are_let_in_at_a_measured_pace(town: Town) -> None:
    while town.door._senders.newcomers.take(UUID(town.application_id)) == 0:
        pass
    assert await town.post("one", {}) == 401
    assert any("at once" in detail for detail in await town.refusals())


async def test_who_says_nothing_for_a_week_waits_no_longer(town: Town) -> None:
    await town.post("old", {"level": 1})
    await town.post("adopted", {"level": 1})
    waits = {one["sender"]: one["id"] for one in await town.waiting()}
    await town.admin.post(f"/api/v1/inbox/{waits['adopted']}/adopt", json={})
    async with town.world.database.begin() as tx:
        tx.now += timedelta(days=6)
        assert await rules.drop_silent(tx) == 0
        tx.now += timedelta(days=2)
        assert await rules.drop_silent(tx) == 1
        assert [fact.name for fact in tx.announced] == ["devices.removed"]
    assert await town.waiting() == []
    kept = await town.admin.get(f"/api/v1/devices/{waits['adopted']}")
    assert kept.status_code == 200


async def test_bytes_that_are_no_text_are_shown_in_hexadecimal(town: Town) -> None:
    client = town.world.client(X_Device_Key=town.key)
    await client.post("/ingest/v1/up?sender=raw", content=b"\x00\xff\x10")
    (waits,) = await town.waiting()
    last = waits["lastMessage"]
    assert (last["text"], last["hex"], last["size"]) == (None, "00ff10", 3)
    assert waits["values"] == {}
