"""Whatever one sender sends, all the others are served: accepted, decoded, listed."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import cbor2
import pytest
from httpx2 import AsyncClient, Response

from fleet import a_device, a_town
from moorage import decoders, devices, ingest, sessions
from moorage.decoders import (
    DecodeContext,
    Decoded,
    DecodeFailure,
    FunctionRuntime,
    Readings,
)
from moorage.ingest.ports import Presence
from moorage.ingest.service.notes import Notes
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells
from moorage.kit.formats import DEEPEST, is_too_deep
from moorage.kit.pages import PageRequest
from moorage.sessions import PresenceFilter
from web import World
from works import Works

JSON = "application/json"
NOT_AUTHORIZED = 0x87


@dataclass
class Neighbours:
    """Two devices of two organisations, one of which behaves."""

    world: World
    admin: AsyncClient
    organization_id: str
    hostile: str
    hostile_key: str
    good: str
    good_key: str
    sent: int = 0

    async def send(
        self, content: bytes, content_type: str = JSON, *, path: str = "", **headers: str
    ) -> Response:
        """Send as the hostile one."""
        given = {"X-Device-Key": self.hostile_key, "Content-Type": content_type}
        return await self.world.client().post(
            f"/ingest/v1/up{path}", content=content, headers=given | headers
        )

    async def check(self) -> None:
        """Send as the good one; see it stored and decoded, and every list readable."""
        self.sent += 1
        answer = await self.world.client().post(
            "/ingest/v1/up", json={"n": self.sent}, headers={"X-Device-Key": self.good_key}
        )
        assert answer.status_code == 202, answer.text
        await self.world.work()
        latest = (await self.ask(f"/devices/{self.good}/latest"))["latest"]
        assert [one["value"] for one in latest] == [self.sent]
        for path in "/messages", "/refusals", f"/devices/{self.hostile}/messages":
            await self.ask(path)

    async def ask(self, path: str) -> Any:
        answer = await self.admin.get(f"/api/v1{path}")
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()

    async def messages(self) -> list[dict[str, Any]]:
        await self.world.work()
        return list((await self.ask(f"/devices/{self.hostile}/messages"))["items"])


@pytest.fixture
async def neighbours(world: World) -> Neighbours:
    admin = await world.admin()

    async def make(path: str, **body: Any) -> dict[str, Any]:
        answer = await admin.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    found: list[str] = []
    for name in "Hostile", "Good":
        organization = await make("/organizations", name=name)
        application = await make("/applications", organizationId=organization["id"], name=name)
        device = await make("/devices", applicationId=application["id"], name=name)
        shown = await make(f"/devices/{device['id']}/credentials", kind="key")
        found += [organization["id"], device["id"], shown["secret"]]
    return Neighbours(world, admin, *found[:3], *found[4:])


def basic(pair: bytes) -> str:
    return "Basic " + base64.b64encode(pair).decode()


def nested(levels: int) -> bytes:
    """Write JSON with so many levels."""
    return b'{"a":' + b"[" * (levels - 1) + b"1" + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/ingest/v1/up?sender=a%00b", {"X-Device-Key": "nonsense"}),
        ("/ingest/v1/up", {"Authorization": basic(b"a\0b:c")}),
        ("/ingest/v1/up?sender=a%00b", {"Authorization": basic(b"a:c")}),
        ("/ingest/v1/up?key=%00&sender=%ed%a0%80", {}),
        ("/ingest/v1/up/%00", {}),
        ("/api/device-mgt/v1.0/device/agent/events/publish/a%00b/c", {"X-Device-Key": "no"}),
    ],
)  # fmt: skip
async def test_a_name_that_no_database_keeps_is_refused_and_listed(
    neighbours: Neighbours, path: str, headers: dict[str, str]
) -> None:
    answer = await neighbours.world.client().post(path, content=b"{}", headers=headers)
    assert answer.status_code in {401, 403, 404}, answer.text

    await asyncio.sleep(0.6)  # Until what was noted is written.
    await neighbours.check()
    refusals = (await neighbours.ask("/refusals"))["items"]
    assert answer.status_code == 404 or [one["reason"] for one in refusals] == ["credentials"]


async def test_what_a_known_device_calls_its_channel_stops_nobody(neighbours: Neighbours) -> None:
    answer = await neighbours.send(b"{}", path="/a%00b")
    assert answer.status_code == 403
    await asyncio.sleep(0.6)
    await neighbours.check()
    (refusal,) = (await neighbours.ask("/refusals"))["items"]
    assert refusal["reason"] == "topic"


@pytest.mark.parametrize(
    ("content", "content_type", "reason"),
    [
        (nested(DEEPEST + 1), JSON, "deeper"),
        (nested(1_500), JSON, "application/json"),
        (b"[" * 100_000, JSON, "application/json"),
        (b'{"t":"\xff"}', JSON, "utf-8"),
        (b'{"t":1} {"t":2}', JSON, "trailing"),
        (b"\xbf\xff\xff\xff", "application/cbor", "after its end"),
        (b"\x9f" * 500, "application/cbor", "CBOR"),
        (b"\xbb" + b"\xff" * 8, "application/cbor", "CBOR"),
        (b"\xdd\xff\xff\xff\xff", "application/msgpack", "msgpack"),
        (b"nothing", "application/senml+json", "senml"),
    ],
)
async def test_what_is_not_what_it_says_is_refused(
    neighbours: Neighbours, content: bytes, content_type: str, reason: str
) -> None:
    answer = await neighbours.send(content, content_type)
    assert answer.status_code == 400
    assert reason in answer.json()["detail"]
    await neighbours.check()
    assert await neighbours.messages() == []
    await asyncio.sleep(0.6)
    (refusal,) = (await neighbours.ask("/refusals"))["items"]
    assert refusal["reason"] == "malformed"


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b'{"t":18446744073709551616}', JSON),
        (b'{"t":-9223372036854775809}', JSON),
        (b'{"t":1e999}', JSON),
        (b'{"t":' + b"9" * 5_000 + b"}", JSON),
        (cbor2.dumps({"t": 2**64, "u": 2**4000, "v": -(2**70)}), "application/cbor"),
        (b'[{"bn":5}]', "application/senml+json"),
        (b'[{"n":"a","v":18446744073709551616}]', "application/senml+json"),
        (nested(DEEPEST + 1), ""),
        (nested(400), "text/plain"),
        (b'{"t":"\xff"}', ""),
        (b'{"t":"\xed\xa0\x80","u":"\\ud800","v":"\\u0000"}', "application/octet-stream"),
    ],
)
async def test_what_cannot_be_read_is_kept_and_stops_nobody(
    neighbours: Neighbours, content: bytes, content_type: str
) -> None:
    answer = await neighbours.send(content, content_type)
    assert answer.status_code == 202
    await neighbours.check()
    (message,) = await neighbours.messages()
    assert base64.b64decode(message["payload"]) == content


async def test_integers_beyond_a_double_become_the_nearest_one(neighbours: Neighbours) -> None:
    await neighbours.send(b'{"a":18446744073709551616,"b":9007199254740992,"c":9007199254740993}')
    (message,) = await neighbours.messages()
    assert message["values"] == {"a": 1.8446744073709552e19, "b": 2**53, "c": 2.0**53}


async def test_one_bad_message_of_a_batch_is_alone_in_it(neighbours: Neighbours) -> None:
    await neighbours.send(b'{"t":"\xff"}', "text/plain")
    for n in range(20):
        await neighbours.send(b"%d" % n, "text/plain")
        await neighbours.send(b'{"t":"\xff"}', "text/plain")
    values = [message["values"] for message in await neighbours.messages()]
    assert [v["value"] for v in values if v] == list(range(19, -1, -1))
    assert len(values) == 41


@pytest.mark.parametrize("headers", [[(b"content-length", b"1000")], []])
@pytest.mark.parametrize("said", [b'{"partial":1}', b""])
async def test_a_request_that_breaks_off_is_no_message(
    neighbours: Neighbours, headers: list[tuple[bytes, bytes]], said: bytes
) -> None:
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
        "scheme": "http", "path": "/ingest/v1/up", "raw_path": b"/ingest/v1/up",
        "query_string": b"", "root_path": "", "client": ("127.0.0.1", 4), "server": ("h", 80),
        "headers": [(b"x-device-key", neighbours.hostile_key.encode()), *headers],
    }  # fmt: skip
    events: list[MutableMapping[str, Any]] = [{"type": "http.disconnect"}]
    if said:
        events.insert(0, {"type": "http.request", "body": said, "more_body": True})
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return events.pop(0)

    async def send(event: MutableMapping[str, Any]) -> None:
        sent.append(event)

    await neighbours.world.app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert await neighbours.messages() == []
    await neighbours.check()


@pytest.mark.parametrize("at", ["garbage", "1e30", "-1", "9999-12-31T23:59:59-14:00", "nan"])
async def test_a_time_that_is_none_is_said_to_be_doubtful(neighbours: Neighbours, at: str) -> None:
    assert (await neighbours.send(b'{"a":1}', path=f"?at={at}")).status_code == 202
    envelope = b'{"at":"%s","values":{"a":1}}' % at.encode()
    assert (await neighbours.send(envelope)).status_code == 202
    await neighbours.world.work()
    rows = (await neighbours.ask(f"/devices/{neighbours.hostile}/readings"))["items"]
    assert [row["quality"] for row in rows] == ["clock", "clock"]


async def test_repeats_are_counted(neighbours: Neighbours) -> None:
    for _ in range(3):
        await neighbours.send(b'[{"a":1},{"a":2}]', **{"Idempotency-Key": "k"})
    await asyncio.sleep(0.6)
    async with neighbours.world.database.begin() as tx:
        assert await ingest.count_shed(tx) == {"repeat": 4}
    assert len(await neighbours.messages()) == 2


class Faulty:
    """A decoder of somebody else's that returns what no entry of the log can hold."""

    def __init__(self) -> None:
        self.asked = 0

    def decode(self, message: DecodeContext) -> Decoded | DecodeFailure:
        self.asked += 1
        value = 2**80 if message.payload == b"bad" else int(message.payload)
        return Decoded(b"{}", (Readings({"n": value}),))


@pytest.fixture
async def faulty(neighbours: Neighbours) -> AsyncIterator[decoders.Workshop]:
    """Let the hostile device's messages be decoded by the faulty decoder."""
    runtime = FunctionRuntime("faulty", Faulty().decode)
    world = neighbours.world
    workshop = decoders.Workshop(world.database, Doorbells(world.database), {"faulty": runtime})
    yield workshop
    await workshop.close()


async def test_no_message_holds_up_those_behind_it(
    neighbours: Neighbours, faulty: decoders.Workshop
) -> None:
    world = neighbours.world
    made = await neighbours.admin.post(
        "/api/v1/decoders",
        json={"organizationId": neighbours.organization_id, "name": "F", "kind": "cayenne-lpp"},
    )
    assert made.status_code == 201, made.text
    async with world.database.begin() as tx:
        await tx.execute("UPDATE decoders SET kind = 'faulty'")
    await neighbours.admin.patch(
        f"/api/v1/devices/{neighbours.hostile}", json={"decoderId": made.json()["id"]}
    )
    for n in range(40):
        content = b"bad" if n in {7, 8, 39} else b"%d" % n
        assert (await neighbours.send(content, "text/plain")).status_code == 202
    process = ingest.Process(world.database, Doorbells(world.database), faulty, 0)
    running = asyncio.create_task(process.run())
    try:
        async with asyncio.timeout(30):
            while process.processed < 40:
                await asyncio.sleep(0.05)
    finally:
        running.cancel()
    found = (await neighbours.ask(f"/devices/{neighbours.hostile}/messages?limit=100"))["items"]
    values = [message["values"].get("n") for message in found]
    assert values == [None if n in {7, 8, 39} else n for n in range(39, -1, -1)]
    assert [message["problem"] for message in found].count(True) == 3


@pytest.mark.parametrize(
    ("content", "deep"),
    [
        (nested(DEEPEST), False),
        (nested(DEEPEST + 1), True),
        (b"[" + b"[]," * 5_000 + b"[]]", False),
        (b'["' + b"[" * 5_000 + b'\\"' + b"{" * 5_000 + b'"]', False),
        (b'["' + b"[" * 5_000 + b'",' + nested(DEEPEST) + b"]", True),
        (b"21.5", False),
    ],
)
def test_depth_is_that_of_objects_and_lists_not_of_texts(content: bytes, deep: bool) -> None:
    assert is_too_deep(content) is deep


# --- Over MQTT ----------------------------------------------------------------------------------


async def test_who_makes_up_topics_does_not_fill_the_list_of_refusals(world: World) -> None:
    async with world.mqtt() as port:
        works = await Works(world, await world.admin()).found("Skive", "pump", "valve")
        works.port = port
        async with works.device("pump") as pump, works.device("valve") as valve:
            for n in range(200):
                pump.send(f"made/up/{n}", b"", qos=0)
            assert await pump.publish("v1/up", b'{"n": 1}') == 0, "it is heard all the same"
            assert await valve.publish("made/up/0", b"") == NOT_AUTHORIZED

        async def refused(device: str, count: int) -> list[dict[str, Any]]:
            asked = {"limit": 200, "deviceId": works.ids[device]}
            async with asyncio.timeout(60):
                while True:
                    answer = await works.admin.get("/api/v1/refusals", params=asked)
                    found: list[dict[str, Any]] = answer.json()["items"]
                    if sum(one["count"] for one in found) >= count:
                        return found
                    await asyncio.sleep(0.05)

        found = await refused("pump", 200)
        together = [one for one in found if not one["hint"]]
        assert (len(found), [one["count"] for one in together]) == (41, [160])
        (other,) = await refused("valve", 1)
        assert other["hint"] == "made/up/0"


async def test_who_calls_itself_by_ever_new_names_leaves_a_few_of_them(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        other = await devices.enrol(tx, town.admin, a_device(town))
        listener = await sessions.start_listener(tx, "door")
    notes = Notes()
    for n in range(110):
        for number in (device.number, other.number) if n < 20 else (device.number,):
            for connected in (True, False):
                at_us = 1_000_000_000_000_000 + n
                notes.present(Presence(number, connected, at_us, f"name-{n}", cause="client"))
    await notes.write(database, {}, listener)
    async with database.begin() as tx:
        asked = PageRequest(limit=200), PresenceFilter(device_id=device.id)
        left = await sessions.list_presence(tx, town.admin, *asked)
        asked = PageRequest(limit=200), PresenceFilter(device_id=other.id)
        all_of_it = await sessions.list_presence(tx, town.admin, *asked)
    assert {one.client_id for one in left.items} == {f"name-{n}" for n in range(100, 110)}
    assert len(all_of_it.items) == 20, "nothing is taken from who does as others do"
