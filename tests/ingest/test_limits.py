"""Limits of devices and of those who own them, at the MQTT door."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest

from ingest.test_topic_rights import Works
from moorage.ingest.service.limits import DeviceLimits
from moorage.kit.ids import uuid7
from moorage.organizations import Quota
from moorage.sections import IngestSettings
from moorage_mqtt import V311, ConnAck, Publish
from scenarios.client import dialled
from web import World


@pytest.fixture
async def works(world: World) -> Any:
    admin = await world.admin()
    async with world.mqtt() as port:
        made = await Works(world, admin).found("Aarhus", "pump", "valve")
        made.port = port
        yield made


async def limit(works: Works, path: str, **quotas: int) -> None:
    """Set quotas, and have the door read them."""
    answer = await works.admin.patch(f"/api/v1{path}", json={"quotas": quotas})
    assert answer.status_code == 200, answer.text
    async with works.world.database.begin() as tx:
        await works.world.app.state.uplink.door._quotas.read(tx)


async def code_of(works: Works, name: str, stack: AsyncExitStack, version: int = 5) -> int:
    """Connect once more, and stay; give the code of the answer."""
    client = await stack.enter_async_context(
        dialled(
            works.port,
            version=version,
            username=name,
            secret=works.keys[name],
            client_id=f"c{uuid4().hex}",
        )
    )
    return (await client.next(ConnAck)).reason_code


@pytest.mark.parametrize("owner", ["application", "organization"])
async def test_an_owner_has_so_many_connections_and_no_more(works: Works, owner: str) -> None:
    path = f"/{owner}s/{works.application if owner == 'application' else works.organization}"
    await limit(works, path, connections=2)
    async with AsyncExitStack() as stack:
        assert await code_of(works, "pump", stack) == 0
        assert await code_of(works, "valve", stack) == 0
        assert await code_of(works, "valve", stack) == 0x97
        assert await code_of(works, "valve", stack, V311) == 3
    await works.listed("allowance of 2 connections is used up")
    async with asyncio.timeout(10), AsyncExitStack() as stack:  # Who has left makes room.
        while await code_of(works, "pump", stack):
            await asyncio.sleep(0.05)


async def test_a_device_has_so_many_connections_and_the_next_device_its_own(works: Works) -> None:
    await limit(works, f"/applications/{works.application}", deviceConnections=1)
    async with AsyncExitStack() as stack:
        assert await code_of(works, "pump", stack) == 0
        assert await code_of(works, "pump", stack) == 0x97
        assert await code_of(works, "valve", stack) == 0


async def test_who_connects_too_often_is_told_so(works: Works) -> None:
    await limit(works, f"/applications/{works.application}", deviceConnectsPerMinute=2)
    codes = []
    for _ in range(3):
        async with AsyncExitStack() as stack:
            codes.append(await code_of(works, "pump", stack))
    assert codes == [0, 0, 0x9F]
    async with AsyncExitStack() as stack:
        assert await code_of(works, "pump", stack, V311) == 3
        assert await code_of(works, "valve", stack) == 0
    await works.listed("allowance of 2 connects a minute is used up")


async def test_who_takes_over_a_session_does_not_need_a_second_place(works: Works) -> None:
    await limit(works, f"/applications/{works.application}", deviceConnections=1)
    async with works.device("pump") as first, works.device("pump"):
        told = await first.until_closed()
        assert told is not None
        assert told.reason_code == 0x8E


async def test_a_device_sends_so_many_bytes_and_no_more(works: Works) -> None:
    await limit(works, f"/applications/{works.application}", deviceBytesPerSecond=1000)
    async with works.device("pump") as pump, works.device("valve") as valve:
        codes = [await pump.publish("v1/up", b"x" * 4000) for _ in range(4)]
        assert codes[:2] == [0, 0]
        assert codes[-1] == 0x97
        assert await valve.publish("v1/up", b"x" * 4000) == 0
    await works.listed("allowance of 1000 bytes a second is used up")


@pytest.mark.parametrize("limits", [{"deviceQueueMessages": 3}, {"deviceQueueBytes": 1_024}])
async def test_so_many_messages_wait_for_a_session_and_no_more(
    works: Works, limits: dict[str, int]
) -> None:
    await limit(works, f"/applications/{works.application}", **limits)
    lasting: dict[str, Any] = {
        "username": "pump", "secret": works.keys["pump"], "client_id": "away",
        "clean_start": False, "properties": {"session_expiry_interval": 600},
    }  # fmt: skip
    async with dialled(works.port, **lasting) as away:
        assert (await away.next(ConnAck)).reason_code == 0
        assert await away.subscribe("v1/up/#") == 1
    async with works.device("pump") as pump:
        for n in range(8):
            assert await pump.publish("v1/up/a", b"%d" % n) == 0
    async with dialled(works.port, **lasting) as away:
        assert (await away.next(ConnAck)).session_present
        assert await away.subscribe("v1/time") == 1
        waited = []
        while (message := await away.next(Publish)).topic != "v1/time":  # It comes last.
            waited.append(message.payload)
    most = 3 if "deviceQueueMessages" in limits else 4
    assert waited == [b"%d" % n for n in range(most)]


def test_an_application_narrows_what_its_organization_allows_and_does_not_widen_it() -> None:
    application, organization = uuid7(), uuid7()
    limits = DeviceLimits(IngestSettings(device_connections=4))

    def room(said: dict[Any, dict[Quota, int]]) -> int:
        limits.read(said)
        device = -int(uuid7().int % 10**6)
        entered = 0
        while limits.enter(device, (application, organization)) is None:
            entered += 1
        return entered

    quota = Quota.DEVICE_CONNECTIONS
    assert room({}) == 4
    assert room({application: {quota: 9}}) == 4
    assert room({application: {quota: 2}}) == 2
    assert room({organization: {quota: 9}}) == 9
    assert room({organization: {quota: 9}, application: {quota: 20}}) == 9
    assert room({organization: {quota: 9}, application: {quota: 3}}) == 3


async def test_the_usual_limits_hold_where_nobody_says_anything(works: Works) -> None:
    usual = IngestSettings()
    async with AsyncExitStack() as stack:
        codes = [await code_of(works, "pump", stack) for _ in range(usual.device_connections + 1)]
    assert codes == [0] * usual.device_connections + [0x97]
