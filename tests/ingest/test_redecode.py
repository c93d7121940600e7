"""A period is decoded anew, shown, and put in place at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from httpx2 import AsyncClient

from moorage import devices, ingest, tasks
from moorage.kit.doorbell import Doorbells
from moorage.organizations import Role
from past import DAY, TODAY, a_message, put, seal, where
from web import World

OLD = "function decodeUplink(input) { return { data: { t: input.bytes[0], gone: 1 } }; }"
NEW = "function decodeUplink(input) { return { data: { t: input.bytes[0] / 10, h: 5 } }; }"


class Field:
    """A device with a decoder that was mended after three messages."""

    def __init__(self, world: World, admin: AsyncClient) -> None:
        self.world = world
        self.admin = admin
        self.device_id = ""
        self.decoder_id = ""

    async def send(self, process: ingest.Process | None = None) -> None:
        made = await self.admin.post(f"/api/v1/devices/{self.device_id}/credentials", json={})
        device = self.world.client(X_Device_Key=made.json()["secret"])
        for byte in (b"\x14", b"\x1e", b"\x28"):
            sent = await device.post("/ingest/v1/up", content=byte)
            assert sent.status_code == 202, sent.text
        await (self.world.work() if process is None else process.step())

    async def have_sent(self, day: date) -> None:
        """Send some on a day gone by and some on the next, which are rewritten into blocks."""
        async with self.world.database.begin() as tx:
            number = (await devices.numbers_of(tx, [UUID(self.device_id)]))[UUID(self.device_id)]
        await put(self.world.database, day, *(a_message(number, c, day) for c in "\x14\x1e"))
        await put(self.world.database, day + DAY, a_message(number, "(", day + DAY))
        await self.world.work()
        assert await seal(self.world.database) == 3

    async def ask(self, back: timedelta = timedelta(hours=1)) -> dict[str, Any]:
        now = datetime.now(UTC)
        body = {
            "from": (now - back).isoformat(), "to": now.isoformat(),
            "deviceIds": [self.device_id],
        }  # fmt: skip
        path = f"/api/v1/decoders/{self.decoder_id}/re-decode"
        asked = await self.admin.post(path, json=body)
        assert asked.status_code == 202, asked.text
        await self.work()
        found = await self.admin.get(asked.headers["Location"])
        task: dict[str, Any] = found.json()
        assert task["state"] == "completed", task
        return task

    async def work(self) -> None:
        database = self.world.database
        bells = Doorbells(database, name="moorage-test-bell")
        re_decoder = ingest.ReDecoder(database, bells, self.world.app.state.workshop)
        while await tasks.Runner(database, bells, {ingest.RE_DECODE: re_decoder}).work():
            pass

    async def values(self) -> list[dict[str, Any]]:
        found = await self.admin.get(f"/api/v1/devices/{self.device_id}/readings")
        return [item["values"] for item in found.json()["items"]]


async def a_field(world: World, days_ago: int = 0) -> Field:
    organization = await world.organization("Aarhus")
    admin = await world.person("a@example.org", organization.id, Role.APPLICATION_ADMIN)
    field = Field(world, admin)

    async def make(path: str, **body: Any) -> str:
        answer = await admin.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    owner = str(organization.id)
    application_id = await make("/applications", organizationId=owner, name="Bins")
    field.decoder_id = await make("/decoders", organizationId=owner, name="Bin", script=OLD)
    field.device_id = await make(
        "/devices", applicationId=application_id, name="Bin 1", decoderId=field.decoder_id
    )
    if days_ago:
        await field.have_sent(TODAY - days_ago * DAY)
    else:
        await field.send()
    changed = await admin.patch(f"/api/v1/decoders/{field.decoder_id}", json={"script": NEW})
    assert changed.status_code == 200, changed.text
    return field


async def test_a_re_decode_shows_the_difference_and_changes_nothing_yet(world: World) -> None:
    field = await a_field(world)
    before = await field.values()

    task = await field.ask()

    assert await field.values() == before == [{"t": t, "gone": 1.0} for t in (20, 30, 40)]
    result = task["result"]
    counts = {name: result[name] for name in ("messages", "added", "changed", "removed")}
    assert counts == {"messages": 3, "added": 3, "changed": 3, "removed": 3}
    sample = result["sample"][0]
    assert sample["deviceId"] == field.device_id
    assert sample["before"][0]["values"] == {"t": 20.0, "gone": 1.0}
    assert sample["after"][0]["values"] == {"t": 2.0, "h": 5.0}


async def test_applied_it_replaces_the_readings_once(world: World) -> None:
    field = await a_field(world)
    task = await field.ask()

    applied = await field.admin.post(f"/api/v1/re-decodes/{task['id']}/apply")

    assert applied.json()["result"]["outcome"] == "applied"
    assert await field.values() == [{"t": t, "h": 5.0} for t in (2, 3, 4)]
    again = await field.admin.post(f"/api/v1/re-decodes/{task['id']}/apply")
    assert (again.status_code, again.json()["code"]) == (409, "ingest.re_decode_not_ready")
    listed = await field.admin.get(f"/api/v1/devices/{field.device_id}/messages")
    assert len(listed.json()["items"]) == 3


async def test_closed_days_are_decoded_anew_from_their_blocks(world: World) -> None:
    field = await a_field(world, days_ago=20)
    path = f"/api/v1/devices/{field.device_id}/messages"
    assert await where(world.database) == (0, 2)

    task = await field.ask(timedelta(days=25))
    await field.admin.post(f"/api/v1/re-decodes/{task['id']}/apply")

    assert task["result"]["messages"] == 3
    listed = (await field.admin.get(path)).json()["items"]
    assert [item["text"] for item in listed] == ["(", None, None]
    assert [item["values"] for item in listed] == [{"t": t, "h": 5.0} for t in (4, 3, 2)]
    one = await field.admin.get(f"{path}/{listed[2]['position']}")
    assert (one.json()["payload"], one.json()["values"]) == ("FA==", {"t": 2.0, "h": 5.0})


async def test_latest_values_follow_an_applied_re_decode_in_a_worker_that_remembers(
    world: World,
) -> None:
    field = await a_field(world)
    bells = Doorbells(world.database, name="moorage-test-bell")
    listening = asyncio.create_task(bells.run())
    process = ingest.Process(world.database, bells, world.app.state.workshop, 0)
    await field.send(process)
    task = await field.ask()
    path = f"/api/v1/devices/{field.device_id}/latest"
    before = (await field.admin.get(path)).json()
    assert {one["series"] for one in before["latest"]} == {"t", "gone", "h"}

    await field.admin.post(f"/api/v1/re-decodes/{task['id']}/apply")
    async with asyncio.timeout(20):
        while len((await field.admin.get(path)).json()["latest"]) != 2:
            await process.step()
            await asyncio.sleep(0.05)

    after = (await field.admin.get(path)).json()
    assert {one["series"]: one["value"] for one in after["latest"]} == {"t": 4.0, "h": 5.0}
    assert after["messageCount"] == before["messageCount"] == 6
    await field.send(process)
    later = (await field.admin.get(path)).json()
    assert {one["series"] for one in later["latest"]} == {"t", "h"}
    listening.cancel()


async def test_discarded_it_leaves_what_was(world: World) -> None:
    field = await a_field(world)
    before = await field.values()
    task = await field.ask()

    discarded = await field.admin.post(f"/api/v1/re-decodes/{task['id']}/discard")

    assert discarded.json()["result"]["outcome"] == "discarded"
    assert await field.values() == before


async def test_devices_with_another_decoder_are_not_touched(world: World) -> None:
    field = await a_field(world)
    path = f"/api/v1/devices/{field.device_id}"
    assert (await field.admin.patch(path, json={"decoderId": None})).status_code == 200
    now = datetime.now(UTC)
    body = {"from": (now - timedelta(hours=1)).isoformat(), "to": now.isoformat()}

    asked = await field.admin.post(
        f"/api/v1/decoders/{field.decoder_id}/re-decode",
        json=body | {"deviceIds": [field.device_id]},
    )

    assert (asked.status_code, asked.json()["code"]) == (422, "ingest.nothing_to_decode")
