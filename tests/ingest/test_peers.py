"""Devices that come from OS2iot or WSO2 go on as they did there, and nobody else does."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import AsyncClient

from scenarios.client import connected
from web import World

OS2IOT = "/api/v1/receive-data"
WSO2 = "/api/device-mgt/v1.0/device/agent/events/publish"


class Move:
    """Devices that were taken over from another platform."""

    def __init__(self, world: World, admin: AsyncClient, application: str) -> None:
        self.world = world
        self.admin = admin
        self.application = application

    async def device(self, **credential: Any) -> str:
        body = {"applicationId": self.application, "name": "Old one"}
        device_id = (await self.admin.post("/api/v1/devices", json=body)).json()["id"]
        made = await self.credential(device_id, **credential)
        assert made.status_code == 201, made.text
        return str(device_id)

    async def credential(self, device_id: str, **body: Any) -> Any:
        return await self.admin.post(f"/api/v1/devices/{device_id}/credentials", json=body)

    async def revoke(self, device_id: str) -> None:
        path = f"/api/v1/devices/{device_id}/credentials"
        for one in (await self.admin.get(path)).json():
            assert (await self.admin.delete(f"{path}/{one['id']}")).status_code == 204

    async def sent(self, device_id: str) -> list[tuple[str, dict[str, Any]]]:
        await self.world.work()
        answer = await self.admin.get(f"/api/v1/devices/{device_id}/messages")
        return [(m["channel"], m["values"]) for m in reversed(answer.json()["items"])]


@pytest.fixture
async def move(world: World) -> Move:
    admin = await world.admin()
    body = {"name": "Aarhus"}
    organization = (await admin.post("/api/v1/organizations", json=body)).json()["id"]
    body = {"organizationId": organization, "name": "Old fleet"}
    made = await admin.post("/api/v1/applications", json=body)
    return Move(world, admin, made.json()["id"])


async def test_a_device_of_os2iot_posts_where_it_did(move: Move) -> None:
    key, other = str(uuid4()), str(uuid4())
    device_id = await move.device(platform="os2iot", secret=key)
    ours = await move.device()
    await move.credential(ours, platform="wso2", secret=other, oldTopic="carbon.super/bin/1")
    client = move.world.client()

    answer = await client.post(f"{OS2IOT}?apiKey={key}", json={"level": 4})
    assert (answer.status_code, answer.content) == (204, b"")
    for wrong in ("", "?apiKey=", f"?apiKey={uuid4()}", f"?apiKey={other}"):
        assert (await client.post(OS2IOT + wrong, json={"level": 9})).status_code == 403
    json_type = {"Content-Type": "application/json"}
    url = f"{OS2IOT}?apiKey={key}"
    assert (await client.post(url, content=b"{", headers=json_type)).status_code == 400
    assert (await client.post(url, content=b"x" * 300_000)).status_code == 413
    assert (await client.get(url)).status_code == 405
    assert await move.sent(device_id) == [("", {"level": 4})]
    await move.revoke(device_id)
    async with asyncio.timeout(10):
        while (await client.post(url, json={})).status_code != 403:
            await asyncio.sleep(0.02)


async def test_a_device_of_wso2_posts_where_it_did(move: Move) -> None:
    token = "0f1e2d3c-4b5a-token"
    device_id = await move.device(platform="wso2", secret=token, oldTopic="carbon.super/bin/b1")
    client = move.world.client(Authorization=f"Bearer {token}")
    plain = await client.post(f"{WSO2}/bin/b1", json={"level": 4})
    assert plain.status_code == 200
    wrapped = {"event": {"metaData": {"owner": "me"}, "payloadData": {"level": 5}}}
    assert (await client.post(f"{WSO2}/bin/b1", json=wrapped)).status_code == 200
    for wrong in ("bin/b2", "box/b1", "b1", ""):
        assert (await client.post(f"{WSO2}/{wrong}", json=wrapped)).status_code == 403, wrong
    nobody = move.world.client()
    assert (await nobody.post(f"{WSO2}/bin/b1", json=wrapped)).status_code == 401
    assert await move.sent(device_id) == [("", {"level": 4}), ("", {"level": 5})]
    await move.revoke(device_id)
    async with asyncio.timeout(10):
        while (await client.post(f"{WSO2}/bin/b1", json={})).status_code != 401:
            await asyncio.sleep(0.02)


async def test_old_topics_are_taken_from_their_own_device_only(move: Move) -> None:
    topic = "devices/12/34/56"
    first = await move.device(
        platform="os2iot", kind="password", userName="bin", secret="pæssword 1", oldTopic=topic
    )
    # Other devices had the same password, which is none of their business.
    second = await move.device(
        platform="os2iot", kind="password", userName="box", secret="pæssword 1",
        oldTopic="devices/12/34/57",
    )  # fmt: skip
    third = await move.device(platform="wso2", secret="a-token-of-wso2-1", oldTopic="acme/bin/b1")
    async with move.world.mqtt() as port:
        async with connected(port, "bin", "pæssword 1", client_id="a") as client:
            assert await client.publish(topic, b'{"level": 4}') == 0
            assert await client.publish("v1/up", b'{"level": 5}') == 0
            assert await client.publish("devices/12/34/57", b"{}") == 0x87
            assert await client.publish(f"{topic}/x", b"{}") == 0x87
            assert await client.subscribe(topic) == 1
            assert await client.subscribe("devices/#") == 0x87
        async with connected(port, "a-token-of-wso2-1", "ignored", client_id="b") as client:
            assert await client.publish("acme/bin/b1/events", b'{"level": 6}') == 0
            assert await client.publish("acme/bin/b1/temperature", b'{"t": 7}') == 0
            for strange in ("acme/bin/b2/events", "acme/bin/b1", "acme/bin/b1/x/y", topic):
                assert await client.publish(strange, b"{}") == 0x87, strange
            assert await client.subscribe("acme/bin/b1/operation/#") == 1
            assert await client.subscribe("+/+/b1/operation/#") == 0x87
    assert await move.sent(first) == [("", {"level": 4}), ("", {"level": 5})]
    assert await move.sent(second) == []
    assert await move.sent(third) == [("", {"level": 6}), ("temperature", {"t": 7})]


async def test_old_secrets_are_for_marked_devices_and_used_once(move: Move) -> None:
    key = str(uuid4())
    device_id = await move.device(platform="os2iot", secret=key)
    taken = await move.credential(device_id, platform="os2iot", secret=key)
    assert (taken.status_code, taken.json()["code"]) == (409, "devices.secret_taken")
    for wrong in (
        {"secret": key},
        {"platform": "os2iot", "secret": "too short to be"},
        {"platform": "os2iot", "secret": "with spaces in it, but long"},
        {"platform": "os2iot", "kind": "password", "secret": ""},
        {"platform": "os2iot", "oldTopic": "v1/up"},
        {"platform": "os2iot", "oldTopic": "devices/+/1/2"},
        {"platform": "wso2", "oldTopic": "v1/devices/x"},
        {"platform": "wso2", "oldTopic": "a/b/c/#"},
        {"platform": "thingsboard"},
    ):
        assert (await move.credential(device_id, **wrong)).status_code == 422, wrong
