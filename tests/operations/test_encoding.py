"""Commands go down as the device's decoder encodes them, once and for good."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

import aiomqtt
import pytest
from httpx2 import AsyncClient
from sqlalchemy import event

from moorage.kit.ids import uuid7
from moorage.organizations import Role
from web import World

# Interval in minutes; the code and the device's own variables reach the script too.
ENCODER = """
function decodeUplink(input) { return {data: {n: input.bytes.length}}; }
function encodeDownlink(input) {
  if (input.code === "echo") return {bytes: input.data, fPort: input.fPort};
  const salt = Number(input.variables.salt || 0);
  return {bytes: [0xff, input.data.minutes & 255, salt], fPort: 85, warnings: ["rounded"]};
}
"""
DECODES_ONLY = "function decodeUplink(input) { return {data: {n: input.bytes.length}}; }"
HOSTILE = {
    "function encodeDownlink() { for (;;) {} }": "took longer than 0.25 s",
    "function encodeDownlink() {\n  throw new Error('no such lamp'); }": "no such lamp (line 2)",
    "function encodeDownlink() { return {errors: ['lamp 1 to 4']}; }": "lamp 1 to 4",
    "function encodeDownlink() { return {bytes: new Array(20000).fill(1)}; }": "at most 16384",
    "function encodeDownlink() { return {bytes: new Array(3e5).fill(1)}; }": "larger than 256 KiB",
    "function encodeDownlink() { let s = 'x'; for (;;) s += s; }": "function",
    "function encodeDownlink() { return {bytes: 'on'}; }": "must return an array of bytes",
    "function encodeDownlink() { return {bytes: [1], fPort: 900}; }": "0 to 255",
    "function encodeDownlink() { return {errors: ['\\0 \\ud800']}; }": "cannot be read",
}


@dataclass
class Site:
    """An application, and people and things in it."""

    world: World
    admin: AsyncClient
    organization: str
    application: str

    async def make(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.admin.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def decoder(self, script: str, name: str = "Ours") -> str:
        of = {"organizationId": self.organization}
        return str((await self.make("/decoders", **of, name=name, script=script))["id"])

    async def device(self, name: str = "Meter", **fields: Any) -> str:
        of = {"applicationId": self.application}
        return str((await self.make("/devices", **of, name=name, **fields))["id"])

    async def key(self, device_id: str) -> str:
        made = await self.make(f"/devices/{device_id}/credentials", kind="key")
        return str(made["secret"])

    async def ask(self, device_id: str, **body: Any) -> dict[str, Any]:
        return await self.make(f"/devices/{device_id}/operations", **body)

    async def operation(self, operation_id: str) -> dict[str, Any]:
        return dict((await self.admin.get(f"/api/v1/operations/{operation_id}")).json())

    async def poll(self, key: str) -> list[dict[str, Any]]:
        answer = await self.world.client().get("/ingest/v1/op", headers={"X-Device-Key": key})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["downlinks"])


@pytest.fixture
async def site(world: World) -> Site:
    admin = await world.admin()
    site = Site(world, admin, "", "")
    site.organization = (await site.make("/organizations", name="Aarhus"))["id"]
    of = {"organizationId": site.organization}
    site.application = (await site.make("/applications", **of, name="Bins"))["id"]
    return site


@pytest.mark.parametrize("protocol", [aiomqtt.ProtocolVersion.V311, aiomqtt.ProtocolVersion.V5])
async def test_a_client_of_either_version_takes_bytes_and_json(
    site: Site, protocol: aiomqtt.ProtocolVersion
) -> None:
    decoder_id = await site.decoder(ENCODER)
    device_id = await site.device(decoderId=decoder_id, metadata={"salt": "7"})
    key = await site.key(device_id)
    async with (
        site.world.mqtt() as port,
        aiomqtt.Client("127.0.0.1", port, username="k", password=key, protocol=protocol) as client,
    ):
        await client.subscribe("v1/op/+", qos=1)
        messages = aiter(client.messages)
        asked = await site.ask(device_id, code="interval", payload={"minutes": 20})
        plain = await site.ask(device_id, code="interval", payload={"minutes": 20}, encode=False)
        async with asyncio.timeout(20):
            first, second = await anext(messages), await anext(messages)
        await client.publish(f"{first.topic}/result", b'{"ok": true}', qos=1)
    assert (str(first.topic), first.payload) == (f"v1/op/{asked['id']}", b"\xff\x14\x07")
    assert str(second.topic) == f"v1/op/{plain['id']}"
    assert json.loads(bytes(second.payload))["payload"] == {"minutes": 20}
    if protocol is aiomqtt.ProtocolVersion.V5:
        assert first.properties is not None and second.properties is not None
        assert first.properties.UserProperty == [("port", "85")]
        assert first.properties.ContentType == "application/octet-stream"
        assert first.properties.ResponseTopic == f"v1/op/{asked['id']}/result"
        assert second.properties.ContentType == "application/json"
        assert not hasattr(second.properties, "UserProperty")
    await site.world.work()
    told = await site.operation(asked["id"])
    assert (told["state"], told["result"]) == ("completed", {"ok": True})
    assert (told["bytes"], told["port"], told["decoderId"]) == ("ff1407", 85, decoder_id)
    assert told["decoderHash"] == sha256(ENCODER.encode()).hexdigest()
    assert (plain["bytes"], plain["port"], plain["decoderHash"]) == (None, None, None)


async def test_a_device_that_polls_is_given_base64_and_the_port(site: Site) -> None:
    device_id = await site.device(decoderId=await site.decoder(ENCODER))
    key = await site.key(device_id)
    # Bytes that would read as JSON are bytes all the same.
    asked = await site.ask(device_id, code="echo", payload=[0x34, 0x32], port=9)
    await site.ask(device_id, code="plain", encode=False, port=3)
    coded, plain = await site.poll(key)
    assert coded == {
        "id": asked["id"],
        "topic": f"v1/op/{asked['id']}",
        "payload": {"base64": base64.b64encode(b"42").decode()},
        "port": 9,
    }
    assert (plain["payload"]["code"], plain["port"]) == ("plain", 3)

    answer = await site.world.client().post(
        f"/ingest/v1/op/{asked['id']}/result", headers={"X-Device-Key": key}, content=b"\x01\xff"
    )
    assert answer.status_code == 202
    await site.world.work()
    assert (await site.operation(asked["id"]))["state"] == "completed"


async def test_without_an_encoder_a_command_stays_json(site: Site) -> None:
    for name, fields in {
        "none": {},
        "decodes only": {"decoderId": await site.decoder(DECODES_ONLY)},
        "built in": {
            "decoderId": (
                await site.make(
                    "/decoders", organizationId=site.organization, name="SenML", kind="senml"
                )
            )["id"]
        },
    }.items():
        device_id = await site.device(name, **fields)
        key = await site.key(device_id)
        await site.ask(device_id, code="reboot")
        (down,) = await site.poll(key)
        assert (down["payload"]["code"], down.get("port")) == ("reboot", None)


async def test_an_application_may_keep_json_and_a_command_say_otherwise(site: Site) -> None:
    device_id = await site.device(decoderId=await site.decoder(ENCODER))
    answer = await site.admin.patch(
        f"/api/v1/applications/{site.application}", json={"encodeCommands": False}
    )
    assert answer.status_code == 200, answer.text
    plain = await site.ask(device_id, code="interval", payload={"minutes": 1})
    coded = await site.ask(device_id, code="interval", payload={"minutes": 1}, encode=True)
    assert (plain["bytes"], coded["bytes"]) == (None, "ff0100")


async def test_what_was_encoded_stays_so_when_the_decoder_changes_or_goes(site: Site) -> None:
    decoder_id = await site.decoder(ENCODER)
    device_id = await site.device(decoderId=decoder_id)
    key = await site.key(device_id)
    asked = await site.ask(device_id, code="interval", payload={"minutes": 1})
    changed = await site.admin.patch(
        f"/api/v1/decoders/{decoder_id}", json={"script": ENCODER.replace("0xff", "0xee")}
    )
    assert changed.status_code == 200
    later = await site.ask(device_id, code="interval", payload={"minutes": 2})
    for path, body in (
        ("devices/" + device_id, {"decoderId": None}),
        ("decoders/" + decoder_id, 0),
    ):
        if body:
            answer = await site.admin.patch(f"/api/v1/{path}", json=body)
        else:
            answer = await site.admin.delete(f"/api/v1/{path}")
        assert answer.status_code in (200, 204), answer.text
    assert [base64.b64decode(d["payload"]["base64"]).hex() for d in await site.poll(key)] == [
        "ff0100", "ee0200",
    ]  # fmt: skip
    hashes = [(await site.operation(o["id"]))["decoderHash"] for o in (asked, later)]
    assert hashes[0] == sha256(ENCODER.encode()).hexdigest() != hashes[1]


@pytest.mark.parametrize(("script", "reason"), HOSTILE.items())
async def test_what_cannot_be_encoded_is_told_kept_and_never_sent(
    site: Site, script: str, reason: str
) -> None:
    device_id = await site.device(decoderId=await site.decoder(script))
    key = await site.key(device_id)
    path = f"/api/v1/devices/{device_id}/operations"
    refused = await site.admin.post(path, json={"code": "lamp", "payload": {"n": 9}})
    assert (refused.status_code, refused.json()["code"]) == (422, "operations.encoding_failed")
    (kept,) = (await site.admin.get(path)).json()["items"]
    assert kept["id"] == refused.json()["operationId"]
    assert (kept["state"], kept["bytes"]) == ("error", None)
    assert kept["finishedAt"] == kept["createdAt"]
    if reason != "function":
        assert reason in kept["problem"]
        assert reason in refused.json()["detail"]
    assert await site.poll(key) == []
    # As JSON it goes all the same.
    assert (await site.ask(device_id, code="lamp", encode=False))["state"] == "pending"


async def test_a_decoder_that_is_not_shared_any_more_is_named(site: Site) -> None:
    device_id = await site.device(decoderId=await site.decoder(ENCODER))
    async with site.world.database.begin() as tx:
        await tx.execute("ALTER TABLE decoders DROP CONSTRAINT decoders_organization_id_fkey")
        await tx.execute("UPDATE decoders SET organization_id = gen_random_uuid()")
    refused = await site.admin.post(
        f"/api/v1/devices/{device_id}/operations", json={"code": "lamp"}
    )
    assert refused.json()["code"] == "operations.encoding_failed"
    assert "belongs to another organization" in refused.json()["detail"]


async def test_a_preview_tells_what_would_go_down_and_keeps_nothing(site: Site) -> None:
    device_id = await site.device(decoderId=await site.decoder(ENCODER))
    path = f"/api/v1/devices/{device_id}/operations"

    async def preview(**body: Any) -> dict[str, Any]:
        answer = await site.admin.post(f"{path}/preview", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    shown = await preview(code="interval", payload={"minutes": 3})
    assert (shown["bytes"], shown["port"], shown["problem"]) == ("ff0300", 85, None)
    assert (shown["warnings"], shown["decoderHash"]) == (
        ["rounded"], sha256(ENCODER.encode()).hexdigest(),
    )  # fmt: skip
    failed = await preview(code="interval")
    assert failed["bytes"] is None
    assert "null" in failed["problem"]
    plain = await preview(code="interval", encode=False, port=4)
    assert (plain["bytes"], plain["problem"], plain["port"]) == (None, None, 4)
    assert (await site.admin.get(path)).json()["items"] == []
    facts = (await site.admin.get("/api/v1/audit", params={"name": "operations.issued"})).json()
    assert facts["items"] == []


async def test_one_command_to_many_devices_takes_as_many_steps_as_to_few(site: Site) -> None:
    coded, plain = await site.decoder(ENCODER), await site.decoder(DECODES_ONLY, "Plain")
    throws = await site.decoder("function encodeDownlink() { throw 1; }", "Throws")
    rows = [{"name": f"Meter {n}", "decoderId": (coded, plain, throws)[n % 3]} for n in range(300)]
    body = [{"applicationId": site.application, **row} for row in rows]
    answer = await site.admin.post("/api/v1/devices/import", json=body)
    assert answer.status_code == 200, answer.text
    listed = await site.admin.get("/api/v1/devices", params={"limit": 500, "sort": "createdAt"})
    kind = {d["id"]: d["decoderId"] for d in listed.json()["items"]}
    assert len(kind) == 300
    planned = await site.device("Retired")
    for state in ("retired",):
        await site.admin.patch(f"/api/v1/devices/{planned}", json={"state": state})

    async def ask(ids: list[str]) -> tuple[list[dict[str, Any]], int]:
        statements = 0

        def count(*_: object) -> None:
            nonlocal statements
            statements += 1

        pool = site.world.app.state.database.engine.sync_engine
        event.listen(pool, "before_cursor_execute", count)
        try:
            answer = await site.admin.post(
                "/api/v1/operations",
                json={"deviceIds": ids, "code": "interval", "payload": {"minutes": 5}},
            )
        finally:
            event.remove(pool, "before_cursor_execute", count)
        assert answer.status_code == 201, answer.text
        return answer.json(), statements

    ids = list(kind)
    few, steps_for_few = await ask([*ids[:6], planned])
    many, steps_for_many = await ask([*ids, planned])
    assert steps_for_many <= steps_for_few + 2  # Wide inserts go in portions.
    assert [one["deviceId"] for one in many] == [*ids, planned]
    for one in many[:-1]:
        failed = kind[one["deviceId"]] == throws
        wanted = ("error", "operations.encoding_failed") if failed else ("pending", None)
        assert (one["state"], one["code"]) == wanted
    last = many[-1]
    assert (last["operationId"], last["code"]) == (None, "operations.device_takes_none")
    async with site.world.database.begin() as tx:
        found = await tx.execute(
            "SELECT state, encoded, count(*) AS n FROM operations GROUP BY 1, 2 ORDER BY 1, 2"
        )
        counted = [tuple(row) for row in found]
    assert counted == [
        ("error", None, 102), ("pending", b"\xff\x05\x00", 102), ("pending", None, 102),
    ]  # fmt: skip
    assert len(few) == 7


async def test_each_of_many_devices_is_answered_for_itself(site: Site) -> None:
    mine = await site.device()
    other = (await site.make("/organizations", name="Odense"))["id"]
    far = (await site.make("/applications", organizationId=other, name="Bins"))["id"]
    theirs = (await site.make("/devices", applicationId=far, name="Theirs"))["id"]
    nobodys = str(uuid7())

    organization_id = UUID(site.organization)
    person = await site.world.person("p@example.org", organization_id, Role.APPLICATION_ADMIN)
    some = {"deviceIds": [theirs, mine, nobodys], "code": "x"}
    answer = await person.post("/api/v1/operations", json=some)
    assert answer.status_code == 201, answer.text
    first, second, third = answer.json()
    assert [row["deviceId"] for row in answer.json()] == some["deviceIds"]
    assert (first["code"], third["code"]) == ("devices.unknown", "devices.unknown")
    assert first["problem"].replace(theirs, nobodys) == third["problem"]
    assert (second["state"], second["code"]) == ("pending", None)
    (kept,) = (await person.get("/api/v1/operations")).json()["items"]
    assert kept["id"] == second["operationId"]

    reader = await site.world.person("r@example.org", organization_id, Role.READ)
    (seen, unseen) = (
        await reader.post("/api/v1/operations", json={"deviceIds": [mine, theirs], "code": "x"})
    ).json()
    assert (seen["code"], unseen["code"]) == (
        "organizations.permission_missing", "devices.unknown",
    )  # fmt: skip
    alone = await reader.post(f"/api/v1/devices/{mine}/operations", json={"code": "x"})
    assert (alone.status_code, alone.json()["code"]) == (403, "organizations.permission_missing")
    twice = await person.post("/api/v1/operations", json={"deviceIds": [mine, mine], "code": "x"})
    assert twice.status_code == 422
