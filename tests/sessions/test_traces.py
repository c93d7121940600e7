"""Watching a device's packets: who may, what is shown, when it ends, what stays."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient

from fleet import a_device, a_town
from moorage import devices, sessions
from moorage.kit.db import Database
from moorage.organizations import Permission, Role
from moorage.sessions import TracedBatch, TracedPacket, service
from moorage.sessions.errors import TooManyTraces
from moorage.sessions.service import tracing
from scenarios.client import connected
from web import World

PATIENCE_S = 60.0


class Stream:
    """What a request for server-sent events has brought so far."""

    def __init__(self) -> None:
        self.status = 0
        self.events: list[tuple[str, Any]] = []
        self.text = ""
        self.ended = False
        self._news = asyncio.Event()

    def take(self, data: bytes) -> None:
        self.text += data.decode()
        for block in data.decode().split("\n\n"):
            name, _, rest = block.partition("\ndata: ")
            if rest:
                self.events.append((name.removeprefix("event: "), json.loads(rest)))
        self._news.set()

    async def next(self, event: str, /, **fits: Any) -> Any:
        """Wait for an event of this name with these members."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for at, (name, data) in enumerate(self.events):
                    if name == event and all(data.get(k) == v for k, v in fits.items()):
                        del self.events[: at + 1]
                        return data
                assert not self.ended, self.text
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def watching(client: AsyncClient, device_id: object) -> AsyncIterator[Stream]:
    """Watch a device as somebody; to leave the block is to go away."""
    stream, gone = Stream(), asyncio.Event()
    request = client.build_request("GET", f"/api/v1/devices/{device_id}/trace")
    path = request.url.path
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "path": path, "raw_path": path.encode(), "root_path": "", "scheme": "http",
        "query_string": b"", "state": {},
        "headers": [(k.lower().encode(), v.encode()) for k, v in request.headers.items()],
        "client": ("192.0.2.9", 40000), "server": ("localhost", 8080),
    }  # fmt: skip
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await gone.wait()
            return {"type": "http.disconnect"}
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        stream.status = message.get("status", stream.status)
        stream.take(message.get("body", b""))

    async def ask() -> None:
        app: Any = client._transport.app  # type: ignore[attr-defined]
        await app(scope, receive, send)
        stream.ended = True
        stream.take(b"")

    asking = asyncio.create_task(ask())
    try:
        yield stream
    finally:
        gone.set()
        await asyncio.wait_for(asking, PATIENCE_S)


class Quay:
    """A device with a key, in an organisation, and the door to it."""

    def __init__(self, world: World, admin: AsyncClient) -> None:
        self.world = world
        self.admin = admin
        self.port = 0
        self.organization: Any = None
        self.device_id = ""
        self.secret = ""

    async def found(self) -> Quay:
        self.organization = (await self.world.organization("Harbour")).id
        body = {"organizationId": str(self.organization), "name": "Quay"}
        application = (await self._make("/applications", body))["id"]
        body = {"applicationId": application, "name": "Tide 1"}
        self.device_id = (await self._make("/devices", body))["id"]
        path = f"/devices/{self.device_id}/credentials"
        self.secret = (await self._make(path, {"kind": "password"}))["secret"]
        return self

    async def _make(self, path: str, body: dict[str, str]) -> dict[str, Any]:
        answer = await self.admin.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def connect(self, client_id: str = "tide") -> Any:
        return connected(self.port, self.device_id, self.secret, client_id=client_id)

    async def number(self) -> int:
        async with self.world.database.begin() as tx:
            (number,) = (
                await tx.execute(
                    "SELECT number FROM devices WHERE id = :id", {"id": self.device_id}
                )
            ).scalars()
            return int(number)

    async def count(self, table: str) -> int:
        async with self.world.database.begin() as tx:
            return int((await tx.execute(f"SELECT count(*) FROM {table}")).scalar_one())

    async def until_empty(self, *tables: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while any([await self.count(table) for table in tables]):
                await asyncio.sleep(0.05)

    async def traced(self) -> None:
        """Wait until the door reads along."""
        number = await self.number()
        observing = self.world.app.state.uplink.door._observing
        async with asyncio.timeout(PATIENCE_S):
            while number not in observing._watched:
                await asyncio.sleep(0.02)


@pytest.fixture
async def quay(world: World) -> AsyncIterator[Quay]:
    """Give a device and the door to it."""
    async with world.mqtt() as port:
        made = await Quay(world, await world.admin()).found()
        made.port = port
        yield made


async def test_who_sees_a_device_watches_its_packets_and_is_in_the_audit(quay: Quay) -> None:
    reader = await quay.world.person("reader@example.org", quay.organization, Role.READ)
    async with watching(reader, quay.device_id) as stream:
        started = await stream.next("started")
        assert started["content"] is True
        await quay.traced()
        async with quay.connect() as device:
            connect = await stream.next("packet", kind="CONNECT")
            assert connect["details"]["userName"] == quay.device_id
            await device.publish("v1/up/a", b'{"t": 21}')
            publish = await stream.next("packet", kind="PUBLISH")
            assert base64.b64decode(publish["payload"]) == b'{"t": 21}'
            assert (publish["topic"], publish["direction"], publish["qos"]) == ("v1/up/a", "in", 1)
            puback = await stream.next("packet", kind="PUBACK", direction="out")
            assert puback["packetId"] == publish["packetId"]
            assert puback["connection"] == connect["connection"]
        assert quay.secret not in stream.text
    await quay.until_empty("session_watches", "session_packets")
    facts = (
        await quay.admin.get("/api/v1/audit", params={"name": "sessions.device_traced"})
    ).json()
    (fact,) = facts["items"]
    assert fact["subjectId"] == quay.device_id
    assert fact["after"]["content"] is True


async def test_content_is_for_those_who_may_read_messages(quay: Quay) -> None:
    world = quay.world
    rights = (Permission.READ_DEVICES, Permission.READ_APPLICATIONS)
    group = await world.group(quay.organization, permissions=rights)
    await world.user("looker@example.org", group)
    looker = await world.sign_in("looker@example.org")
    async with watching(looker, quay.device_id) as stream:
        assert (await stream.next("started"))["content"] is False
        await quay.traced()
        async with quay.connect() as device:
            await device.publish("v1/up/a", b"secret harvest")
            publish = await stream.next("packet", kind="PUBLISH")
    assert (publish["payload"], publish["payloadSize"]) == (None, 14)
    assert base64.b64encode(b"secret harvest").decode() not in stream.text


async def test_nobody_watches_what_he_may_not_see(quay: Quay) -> None:
    other = await quay.world.organization("Elsewhere")
    stranger = await quay.world.person("stranger@example.org", other.id, Role.APPLICATION_ADMIN)
    for client, status in ((stranger, 404), (quay.world.client(), 401)):
        async with watching(client, quay.device_id) as stream:
            while not stream.ended:
                await asyncio.sleep(0.01)
            assert stream.status == status
    assert not await quay.count("session_watches")


async def test_a_watch_ends_when_the_right_to_see_is_lost(quay: Quay) -> None:
    reader = await quay.world.person("reader@example.org", quay.organization, Role.READ)
    async with watching(reader, quay.device_id) as stream:
        await stream.next("started")
        users = (await quay.admin.get("/api/v1/users", params={"q": "reader@example.org"})).json()
        path = f"/api/v1/users/{users['items'][0]['id']}"
        answer = await quay.admin.patch(path, json={"active": False})
        assert answer.status_code == 200, answer.text
        assert await stream.next("ended") == {"reason": "rights"}
    await quay.until_empty("session_watches")


async def test_a_watch_ends_by_itself(quay: Quay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "LONGEST", timedelta(seconds=1))
    async with watching(quay.admin, quay.device_id) as stream:
        await stream.next("started")
        assert await stream.next("ended") == {"reason": "time"}
    await quay.until_empty("session_watches")


async def test_two_who_watch_share_what_is_written(quay: Quay) -> None:
    async with watching(quay.admin, quay.device_id) as first:
        await first.next("started")
        await quay.traced()
        async with quay.connect() as device:
            await device.publish("v1/up/a", b"one")
            await first.next("packet", kind="PUBLISH")
            async with watching(quay.admin, quay.device_id) as second:
                await second.next("started")
                await device.publish("v1/up/a", b"two")
                seen = await second.next("packet", kind="PUBLISH")
                assert base64.b64decode(seen["payload"]) == b"two"
                again = await first.next("packet", kind="PUBLISH")
                assert base64.b64decode(again["payload"]) == b"two"
            await device.publish("v1/up/a", b"three")
            last = await first.next("packet", kind="PUBLISH")
            assert base64.b64decode(last["payload"]) == b"three"
    await quay.until_empty("session_watches", "session_packets")


async def test_packets_that_are_too_many_are_counted(quay: Quay) -> None:
    door, number = quay.world.app.state.uplink.door, await quay.number()
    async with watching(quay.admin, quay.device_id) as stream:
        await stream.next("started")
        await quay.traced()
        for n in range(500):
            door.traced(number, TracedPacket(n, 1, "c", "in", "PINGREQ"))
        assert (await stream.next("dropped"))["count"] == 300
    assert stream.text.count('"kind":"PINGREQ"') == 200


async def test_reading_presence_has_the_connection_measured(quay: Quay) -> None:
    path = f"/api/v1/devices/{quay.device_id}/presence"
    async with quay.connect() as device:
        await device.publish("v1/up/a", b"one")
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = (await quay.admin.get(path)).json()["connections"]
                if found and found[0]["figures"]:
                    break
                await asyncio.sleep(0.1)
    (connection,) = found
    assert connection["figures"]["messagesIn"] == 1
    assert connection["figures"]["roundTripMs"] > 0
    assert connection["figures"]["bytesIn"] > 20
    assert connection["measuredAt"] is not None
    assert connection["terms"]["will"] is None


# --- Rules ------------------------------------------------------------------


async def test_a_caller_watches_a_few_devices_at_once(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        for _ in range(tracing.MOST_TRACES):
            watch, _ = await service.start_trace(tx, town.admin, device.id)
        with pytest.raises(TooManyTraces):
            await service.start_trace(tx, town.admin, device.id)
        await service.end_trace(tx, watch)
        await service.start_trace(tx, town.admin, device.id)


async def test_nothing_is_written_of_a_device_that_nobody_watches(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        listener = await sessions.start_listener(tx, "door")
        packets = (TracedPacket(1, 1, "c", "in", "PINGREQ"),)
        batches = [TracedBatch(device.number, listener, n, packets) for n in range(1, 4)]
        await sessions.write_packets(tx, batches[:1])
        watch, shown = await service.start_trace(tx, town.admin, device.id)
        assert set(await sessions.watched(tx)) == {device.number}
        assert shown == {}
        await sessions.write_packets(tx, batches[1:])
        _, seen = await service.read_packets(tx, town.admin, watch, {})
        assert [one.n for one in seen] == [2, 3]
        _, seen = await service.read_packets(tx, town.admin, watch, {listener: 2})
        assert seen == [batches[2]]

        tx.now += tracing.ALIVE + timedelta(seconds=1)  # Its process has died.
        assert not await sessions.watched(tx)
        await service.end_left_behind(tx)
        _, seen = await service.read_packets(tx, town.admin, watch, {})
        assert seen == []


async def test_a_device_is_named_by_its_id_and_its_user_names(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        kind = devices.CredentialKind.PASSWORD
        await devices.make_credential(tx, town.admin, device.id, kind, user_name="tide-1")
        await devices.make_credential(tx, town.admin, device.id, devices.CredentialKind.KEY)
        names = await devices.names_of(tx, [device.number])
        assert names == {device.number: frozenset({"tide-1", str(device.id)})}
