"""Who is connected now: listed with what is known of each, and ended by who may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx2 import AsyncClient

from moorage.organizations import Role
from scenarios.client import connected
from web import World
from works import Works

ADMINISTRATIVE_ACTION = 0x98


@pytest.fixture
async def towns(world: World) -> AsyncIterator[tuple[Works, Works]]:
    admin = await world.admin()
    async with world.mqtt() as port:
        made = [
            await Works(world, admin).found(name, "pump", "valve") for name in ("Ribe", "Vejle")
        ]
        for one in made:
            one.port = port
        yield made[0], made[1]


async def caller(works: Works, *roles: Role) -> AsyncClient:
    """Give a client that calls with an API key of the organisation."""
    key = await works.api_key(*roles)
    return works.world.client(x_api_key=key["secret"])


async def listed(client: AsyncClient, path: str, count: int, **asked: Any) -> list[dict[str, Any]]:
    """List until so many are found: comings and goings are written four times a second."""
    async with asyncio.timeout(20):
        while True:
            answer = await client.get(f"/api/v1/{path}", params=asked)
            assert answer.status_code == 200, answer.text
            found: list[dict[str, Any]] = answer.json()["items"]
            if len(found) == count:
                return found
            await asyncio.sleep(0.05)


async def test_connections_of_devices_are_listed_and_narrowed(
    towns: tuple[Works, Works],
) -> None:
    here, there = towns
    reader, stranger = await caller(here, Role.READ), await caller(there, Role.READ)
    async with here.device("pump"), here.device("valve") as valve:
        assert await valve.subscribe("v1/op/#") == 1
        both = await listed(reader, "presence", 2, connected=True)
        assert {one["deviceName"] for one in both} == {"pump", "valve"}
        assert {one["listener"] for one in both} == {"test"}
        assert {one["applicationId"] for one in both} == {here.application}
        (pump,) = await listed(reader, "presence", 1, q="PUM", tls=False, version="5")
        assert (pump["deviceId"], pump["clientId"]) == (here.ids["pump"], "pump")
        assert await listed(reader, "presence", 0, q="pump", tls=True) == []
        assert await listed(reader, "presence", 0, version="3.1.1") == []
        assert await listed(stranger, "presence", 0) == []
        first = await reader.get("/api/v1/presence", params={"limit": 1, "connected": True})
        after = first.json()["next"]
        rest = await listed(reader, "presence", 1, limit=1, connected=True, after=after)
        assert first.json()["items"][0]["deviceId"] != rest[0]["deviceId"]
        async with asyncio.timeout(20):
            while not (both[0]["figures"] and both[1]["figures"]):
                await asyncio.sleep(1.1)  # What was measured lately is not measured again.
                both = await listed(reader, "presence", 2, connected=True)
        assert [one["figures"]["queued"] for one in both] == [0, 0]


async def test_a_connection_of_a_device_is_ended_by_who_may(towns: tuple[Works, Works]) -> None:
    here, there = towns
    operator = await caller(here, Role.READ, Role.APPLICATION_ADMIN)
    reader = await caller(here, Role.READ)
    stranger = await caller(there, Role.READ, Role.APPLICATION_ADMIN)
    path = f"/api/v1/devices/{here.ids['pump']}/presence/end"
    async with here.device("pump") as pump, here.device("valve") as valve:
        await listed(operator, "presence", 2, connected=True)
        for client, body, status, code in (
            (here.world.client(), {"clientId": "pump"}, 401, "unsigned"),
            (stranger, {"clientId": "pump"}, 404, "devices.unknown"),
            (reader, {"clientId": "pump"}, 403, "organizations.permission_missing"),
            (operator, {"clientId": "valve"}, 404, "sessions.connection_unknown"),
            (operator, {"clientId": "x" * 70_000}, 422, "invalid"),
            (operator, {}, 422, "invalid"),
        ):
            answer = await client.post(path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        answer = await operator.post(path, json={"clientId": "pump"})
        assert answer.status_code == 204, answer.text
        told = await pump.until_closed()
        assert told is not None
        assert told.reason_code == ADMINISTRATIVE_ACTION
        (gone,) = await listed(reader, "presence", 1, connected=False)
        assert (gone["deviceName"], gone["cause"]) == ("pump", "ended")
        assert await valve.publish("v1/up", b'{"n": 1}') == 0
        assert (await operator.post(path, json={"clientId": "pump"})).status_code == 404
    async with here.device("pump") as pump:
        assert await pump.publish("v1/up", b'{"n": 2}') == 0, "it may come back"
    asked = {"name": "sessions.connection_ended", "organizationId": here.organization}
    (entry,) = (await here.admin.get("/api/v1/audit", params=asked)).json()["items"]
    assert (entry["subjectId"], entry["after"]) == (here.ids["pump"], {"clientId": "pump"})


async def test_programs_are_listed_and_ended_by_who_may(towns: tuple[Works, Works]) -> None:
    here, there = towns
    admin = await caller(here, Role.USER_ADMIN)
    stranger = await caller(there, Role.USER_ADMIN)
    reader = await caller(here, Role.READ)
    keys = [await here.api_key(Role.READ) for _ in range(2)]
    async with (
        connected(here.port, "billing", keys[0]["secret"], client_id="bills") as bills,
        connected(here.port, "control", keys[1]["secret"], client_id="control") as control,
    ):
        both = await listed(admin, "programs", 2)
        assert {one["clientId"] for one in both} == {"bills", "control"}
        assert {one["organizationId"] for one in both} == {here.organization}
        (found,) = await listed(admin, "programs", 1, q="BILL")
        assert (found["keyId"], found["version"], found["tls"]) == (keys[0]["id"], "5", False)
        assert (found["listener"], found["terms"]["sessionExpiryS"]) == ("test", 0)
        assert [found] == [
            {**one, "figures": found["figures"], "measuredAt": found["measuredAt"]}
            for one in await listed(admin, "programs", 1, keyId=keys[0]["id"])
        ]
        assert len(await listed(here.admin, "programs", 2)) == 2
        assert await listed(stranger, "programs", 0) == []
        assert await listed(reader, "programs", 0) == []
        async with asyncio.timeout(20):
            while found["figures"] is None:
                await asyncio.sleep(1.1)
                (found,) = await listed(admin, "programs", 1, q="bills")
        assert found["figures"]["queued"] == 0
        path = f"/api/v1/programs/{found['id']}/end"
        for client in (stranger, reader):
            answer = await client.post(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "sessions.program_unknown")
        answer = await admin.post(path)
        assert answer.status_code == 204, answer.text
        told = await bills.until_closed()
        assert told is not None
        assert told.reason_code == ADMINISTRATIVE_ACTION
        (left,) = await listed(admin, "programs", 1)
        assert left["clientId"] == "control"
        assert (await admin.post(path)).status_code == 404
        # Somebody with the same client id and another key is somebody else.
        async with connected(here.port, "b", keys[0]["secret"], client_id="control"):
            assert len(await listed(admin, "programs", 2, q="control")) == 2
        await listed(admin, "programs", 1)
        assert await control.subscribe(here.shown("pump", "up")) == 1
    await listed(admin, "programs", 0)
