"""`$SYS`: an operator's program hears of the listener, and nobody else does."""

from __future__ import annotations

from typing import Any

from httpx2 import AsyncClient

from ingest.test_topic_rights import Works, make
from moorage.organizations import Role
from moorage_mqtt import Publish
from scenarios.client import Client, connected
from web import World

ALL = "$SYS/#"
BROKER = "$SYS/broker/"
NAMES = {
    "version", "uptime", "clients/connected", "clients/total", "publish/messages/received",
    "publish/messages/sent",
}  # fmt: skip


async def operator(admin: AsyncClient) -> dict[str, Any]:
    """Make an API key that may manage the installation; its group stands beside it."""
    groups = (await admin.get("/api/v1/permissions")).json()["items"]
    (group,) = [one["id"] for one in groups if one["roles"] == [Role.GLOBAL_ADMIN.value]]
    key = await make(admin, "/api-keys", name="Operator", permissionGroupIds=[group])
    return {**key, "group": group}


async def told(client: Client) -> dict[str, str]:
    """Wait for one round of figures."""
    found: dict[str, str] = {}
    while found.keys() != NAMES:
        publish = await client.next(Publish)
        assert publish.topic.startswith(BROKER)
        assert publish.qos == 0
        found[publish.topic.removeprefix(BROKER)] = bytes(publish.payload).decode()
    return found


async def test_an_operator_hears_at_once_how_the_listener_is(world: World) -> None:
    admin = await world.admin()
    async with world.mqtt() as port:
        works = await Works(world, admin).found("Aarhus", "pump")
        works.port = port
        key = await operator(admin)
        async with connected(port, "x", key["key"]) as client:
            assert await client.subscribe(ALL) == 1
            before = await told(client)
            assert before["version"].startswith("moorage ")
            assert before["uptime"].endswith(" seconds")
            assert (before["clients/connected"], before["clients/total"]) == ("1", "1")
            async with works.device("pump") as pump:
                assert await pump.publish("v1/up", b"1") == 0
                assert await client.subscribe(BROKER + "clients/#") == 1
                after = await told(client)
                assert (after["clients/connected"], after["clients/total"]) == ("2", "2")
                received = "publish/messages/received"
                assert int(after[received]) == int(before[received]) + 1
            # What a connection counted is not lost with it.
            assert await client.subscribe(BROKER + "publish/#") == 1
            assert int((await told(client))[received]) == int(after[received])
            assert await client.publish(BROKER + "version", b"mine") == 0x87

        # It stops with the right, as everything does.
        async with connected(port, "x", key["key"]) as client:
            assert await client.subscribe(ALL) == 1
            path = f"/api/v1/permissions/{key['group']}/members/apiKey/{key['id']}"
            assert (await admin.delete(path)).status_code == 204
            ended = await client.until_closed()
            assert ended is not None
            assert ended.reason_code == 0x98


async def test_nobody_else_hears_of_it(world: World) -> None:
    """Neither devices, nor an organisation's own administrators, nor by a wildcard or a group."""
    admin = await world.admin()
    async with world.mqtt() as port:
        works = await Works(world, admin).found("Aarhus", "pump")
        works.port = port
        key = await works.api_key(Role.APPLICATION_ADMIN, Role.READ)
        async with connected(port, "x", key["secret"]) as service:
            for topic_filter in (ALL, BROKER + "version", "$share/g/" + ALL, "#", "+/broker/#"):
                assert await service.subscribe(topic_filter) == 0x87, topic_filter
        async with works.device("pump") as pump:
            for topic_filter in (ALL, "#", "+/broker/version"):
                assert await pump.subscribe(topic_filter) == 0x87, topic_filter
            assert await pump.publish(BROKER + "version", b"mine") == 0x87
        boss = await operator(admin)
        async with connected(port, "y", boss["key"]) as client:
            assert await client.subscribe("$share/g/" + ALL) == 0x87
