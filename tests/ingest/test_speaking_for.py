"""Gateways speak for the devices behind them, a LoRaWAN server for those of an application."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import AsyncClient, Response

from moorage_mqtt import Disconnect, Publish
from scenarios.client import connected
from web import World

EUI, OTHER_EUI = "0102030405060708", "1112131415161718"


@dataclass
class Site:
    """Two organisations with a gateway each, a device behind it and one beside it."""

    world: World
    admin: AsyncClient
    gateway: dict[str, Any]
    key: str
    child: str
    beside: str
    foreign: str
    application: str
    elsewhere: str

    async def post(self, path: str, key: str | None = None, **content: Any) -> Response:
        headers = {"X-Device-Key": self.key if key is None else key}
        return await self.world.client().post(f"/ingest/v1/{path}", headers=headers, **content)

    async def values(self, device_id: str) -> dict[str, Any]:
        await self.world.work()
        answer = await self.admin.get(f"/api/v1/devices/{device_id}/latest")
        return {one["series"]: one["value"] for one in answer.json()["latest"]}

    async def messages(self, device_id: str) -> list[dict[str, Any]]:
        await self.world.work()
        answer = await self.admin.get(f"/api/v1/devices/{device_id}/messages")
        return list(answer.json()["items"])

    async def change(self, device_id: str, **body: Any) -> None:
        answer = await self.admin.patch(f"/api/v1/devices/{device_id}", json=body)
        assert answer.status_code == 200, answer.text

    async def settles(self, path: str, status: int) -> None:
        """Send until it is answered so, which a change does within a second."""
        async with asyncio.timeout(10):
            while (await self.post(path, json={"late": 1})).status_code != status:
                await asyncio.sleep(0.02)


async def make(admin: AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await admin.post(f"/api/v1{path}", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.fixture
async def site(world: World) -> Site:
    admin = await world.admin()
    made: list[tuple[str, str, str, str]] = []
    for name in ("Aarhus", "Odense"):
        organization = (await make(admin, "/organizations", name=name))["id"]
        application = await make(admin, "/applications", organizationId=organization, name="Bins")
        of = {"applicationId": application["id"]}
        gateway = await make(admin, "/devices", **of, name="Gateway", kind="gateway")
        child = await make(admin, "/devices", **of, name="Child", gatewayId=gateway["id"])
        beside = await make(admin, "/devices", **of, name="Beside")
        made.append((application["id"], gateway["id"], child["id"], beside["id"]))
    (application_id, gateway_id, child_id, beside_id), (elsewhere, _, foreign, _) = made
    shown = await make(admin, f"/devices/{gateway_id}/credentials", kind="key")
    return Site(
        world, admin, {"id": gateway_id}, shown["secret"], child_id, beside_id, foreign,
        application_id, elsewhere,
    )  # fmt: skip


async def test_a_gateway_sends_for_its_children_and_nobody_else(site: Site) -> None:
    accepted = await site.post(f"devices/{site.child}/up/bin", json={"level": 4})
    assert (accepted.status_code, accepted.json()) == (202, {"accepted": 1})
    own = await site.post(f"devices/{site.gateway['id']}/up", json={"load": 1})
    assert own.status_code == 202

    for stranger in (site.beside, site.foreign, str(uuid4()), "", "+", site.child[:-1]):
        refused = await site.post(f"devices/{stranger}/up", json={"level": 9})
        assert (refused.status_code, refused.json()["code"]) == (403, "ingest.topic_refused")
    nobody = await site.post(f"devices/{site.child}/up", "mdk_wrong", json={"level": 9})
    assert nobody.status_code == 401
    oversize = await site.post(f"devices/{site.child}/up", content=b"x" * 300_000)
    assert oversize.status_code == 413
    malformed = await site.world.client().post(
        f"/ingest/v1/devices/{site.child}/up",
        headers={"X-Device-Key": site.key, "Content-Type": "application/json"},
        content=b'{"level',
    )
    assert malformed.status_code == 400

    assert await site.values(site.child) == {"level": 4}
    assert await site.values(site.gateway["id"]) == {"load": 1}
    assert await site.values(site.beside) == {}
    child = (await site.admin.get(f"/api/v1/devices/{site.child}")).json()
    assert child["connectivity"] == "seen"
    assert [m["channel"] for m in await site.messages(site.child)] == ["bin"]


async def test_a_child_speaks_for_nobody(site: Site) -> None:
    shown = await make(site.admin, f"/devices/{site.child}/credentials", kind="key")
    for other in (site.gateway["id"], site.beside):
        refused = await site.post(f"devices/{other}/up", shown["secret"], json={"a": 1})
        assert refused.status_code == 403
    own = await site.post(f"devices/{site.child}/up", shown["secret"], json={"a": 1})
    assert own.status_code == 202


async def test_a_gateway_speaks_for_whom_it_has_now(site: Site) -> None:
    path, late = f"devices/{site.child}/up", f"devices/{site.beside}/up"
    assert (await site.post(path, json={"a": 1})).status_code == 202
    await site.change(site.child, gatewayId=None)
    await site.settles(path, 403)
    await site.change(site.beside, gatewayId=site.gateway["id"])
    await site.settles(late, 202)
    await site.change(site.beside, state="suspended")
    await site.settles(late, 403)
    new = await make(
        site.admin, "/devices", applicationId=site.application, name="New",
        gatewayId=site.gateway["id"],
    )  # fmt: skip
    await site.settles(f"devices/{new['id']}/up", 202)
    moved = await site.admin.post(
        f"/api/v1/devices/{new['id']}/move", json={"applicationId": site.elsewhere}
    )
    assert moved.status_code == 200, moved.text
    await site.settles(f"devices/{new['id']}/up", 403)


async def test_commands_wait_for_the_one_they_are_for(site: Site) -> None:
    body = {"code": "blink"}
    made = await make(site.admin, f"/devices/{site.child}/operations", **body)
    headers = {"X-Device-Key": site.key}
    client = site.world.client()
    own = await client.get("/ingest/v1/op", headers=headers)
    assert (own.status_code, own.json()) == (200, {"downlinks": []})
    refused = await client.get(f"/ingest/v1/devices/{site.beside}/op", headers=headers)
    assert refused.status_code == 403
    down = (await client.get(f"/ingest/v1/devices/{site.child}/op", headers=headers)).json()
    (one,) = down["downlinks"]
    assert (one["id"], one["payload"]["code"]) == (made["id"], "blink")

    answered = await site.post(f"devices/{site.child}/op/{made['id']}/result", json={"lamp": "on"})
    assert answered.status_code == 202
    await site.world.work()
    told = (await site.admin.get(f"/api/v1/operations/{made['id']}")).json()
    assert (told["state"], told["result"]) == ("completed", {"lamp": "on"})


async def test_an_answer_is_taken_when_telemetry_is_shed(site: Site) -> None:
    made = await make(site.admin, f"/devices/{site.gateway['id']}/operations", code="blink")
    door = site.world.app.state.uplink.door
    usual = site.world.settings.ingest
    door.adjust(usual.model_copy(update={"device_rate": 0.001, "device_burst": 1}))
    assert (await site.post("up", json={"a": 1})).status_code == 202
    assert (await site.post("up", json={"a": 1})).status_code == 429
    async with asyncio.timeout(10):
        while (
            'moorage_messages_shed_total{reason="rate"} 1.0'
            not in (await site.admin.get("/api/v1/metrics")).text
        ):
            await asyncio.sleep(0.05)
    assert (await site.post(f"op/{made['id']}/result", json={})).status_code == 202
    # Whatever is called so is no answer.
    assert (await site.post("up/op/x", json={})).status_code == 429


# --- MQTT ---------------------------------------------------------------------


async def test_over_mqtt_a_gateway_speaks_until_it_loses_somebody(site: Site) -> None:
    async with site.world.mqtt() as port, connected(port, "gateway", site.key) as client:
        topic = f"v1/devices/{site.child}/up/bin"
        for level in (1, 2, 3):
            assert await client.publish(topic, b'{"level": %d}' % level) == 0
        for stranger in (site.beside, site.foreign):
            assert await client.publish(f"v1/devices/{stranger}/up", b"{}") == 0x87
            assert await client.subscribe(f"v1/devices/{stranger}/op/+") == 0x87
        assert await client.subscribe("v1/devices/+/op/+") == 1
        made = await make(site.admin, f"/devices/{site.child}/operations", code="blink")
        await make(site.admin, f"/devices/{site.beside}/operations", code="blink")
        down = await client.next(Publish)
        assert down.topic == f"v1/devices/{site.child}/op/{made['id']}"
        assert json.loads(down.payload)["code"] == "blink"
        assert await client.publish(f"{down.topic}/result", b'{"lamp": "on"}') == 0

        await site.change(site.child, gatewayId=None)
        told = await client.until_closed()
        assert isinstance(told, Disconnect)
        assert told.reason_code == 0x98
    async with site.world.mqtt() as port, connected(port, "gateway", site.key) as client:
        assert await client.publish(topic, b'{"level": 9}') == 0x87
    levels = [m["values"].get("level") for m in await site.messages(site.child)]
    assert levels == [None, 3, 2, 1]
    told_of = (await site.admin.get(f"/api/v1/operations/{made['id']}")).json()
    assert told_of["state"] == "completed"


async def test_a_credential_that_expires_ends_what_it_opened(site: Site) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=3)
    made = await make(
        site.admin, f"/devices/{site.beside}/credentials", kind="key", expiresAt=ends.isoformat()
    )
    async with site.world.mqtt() as port, connected(port, "beside", made["secret"]) as client:
        assert await client.publish("v1/up", b"{}") == 0
        assert (await site.post("up", made["secret"], json={})).status_code == 202
        told = await client.until_closed()
    assert told is not None
    assert told.reason_code == 0x98
    assert datetime.now(UTC) >= ends
    assert (await site.post("up", made["secret"], json={})).status_code == 401


# --- ChirpStack ---------------------------------------------------------------


def event(dev_eui: str = EUI, data: bytes = b"\x01\x02", **more: Any) -> dict[str, Any]:
    """Give an uplink event as ChirpStack v4 posts it."""
    return {
        "deduplicationId": str(uuid4()),
        "deviceInfo": {
            "tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242",
            "applicationId": "ca739e26-7b67-4f14-b69e-d568c22a5a75",
            "deviceName": "ers", "devEui": dev_eui, "tags": {},
        },
        "devAddr": "00189440", "adr": True, "dr": 1, "fCnt": 10, "fPort": 5, "confirmed": False,
        "data": base64.b64encode(data).decode(),
        "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -48, "snr": 9.0}],
        **more,
    }  # fmt: skip


SCRIPT = """
function decodeUplink(input) {
  return {data: {port: input.fPort, first: input.bytes[0], room: input.variables.room}};
}
"""


@pytest.fixture
async def inbox_key(site: Site) -> str:
    made = await make(site.admin, f"/applications/{site.application}/inbox-key")
    return str(made["secret"])


async def a_sensor(site: Site, **more: Any) -> str:
    body = {"applicationId": site.application, "name": "Sensor", **more}
    body["identifiers"] = [{"kind": "devEui", "value": EUI.upper()}]
    return str((await make(site.admin, "/devices", **body))["id"])


async def test_one_integration_serves_an_application(site: Site, inbox_key: str) -> None:
    application = (await site.admin.get(f"/api/v1/applications/{site.application}")).json()
    decoder = await make(
        site.admin, "/decoders", organizationId=application["organizationId"], name="ers",
        kind="javascript", script=SCRIPT,
    )  # fmt: skip
    sensor = await a_sensor(site, decoderId=decoder["id"], metadata={"room": "12"})
    told = event(time="2099-01-01T00:00:00Z")
    for _ in range(2):
        answer = await site.post("chirpstack?event=up", inbox_key, json=told)
        assert answer.status_code == 202, answer.text
    joined = await site.post("chirpstack?event=join", inbox_key, json=told)
    assert joined.status_code == 202

    assert await site.values(sensor) == {"port": 5, "first": 1, "room": "12"}
    join, uplink = await site.messages(sensor)
    assert (join["channel"], join["values"]) == ("network/join", {})
    assert base64.b64decode(uplink["payload"]) == b"\x01\x02"
    assert uplink["meta"]["port"] == 5
    assert uplink["meta"]["event"]["rxInfo"][0]["rssi"] == -48


async def test_without_a_decoder_what_the_server_decoded_counts(site: Site, inbox_key: str) -> None:
    sensor = await a_sensor(site)
    told = event(data=b"{\x01", object={"temperature": 21.5, "battery": {"v": 3.6}})
    answer = await site.post("chirpstack?event=up", inbox_key, json=told)
    assert answer.status_code == 202
    assert await site.values(sensor) == {"temperature": 21.5, "battery.v": 3.6}
    (message,) = await site.messages(sensor)
    assert base64.b64decode(message["payload"]) == b"{\x01"


async def test_an_unknown_dev_eui_waits_in_the_inbox(site: Site, inbox_key: str) -> None:
    answer = await site.post("chirpstack?event=up", inbox_key, json=event(OTHER_EUI))
    assert answer.status_code == 202, answer.text
    await site.world.work()
    (waiting,) = (await site.admin.get("/api/v1/inbox")).json()["items"]
    assert waiting["sender"] == OTHER_EUI
    adopted = await site.admin.post(f"/api/v1/inbox/{waiting['id']}/adopt", json={})
    assert adopted.status_code == 200, adopted.text
    assert adopted.json()["kind"] == "lorawan"
    again = await site.post("chirpstack?event=up", inbox_key, json=event(OTHER_EUI))
    assert again.status_code == 202
    assert len(await site.messages(waiting["id"])) == 2


async def test_a_lorawan_server_speaks_only_for_its_own(site: Site, inbox_key: str) -> None:
    sensor = await a_sensor(site)
    path = "chirpstack?event=up"
    assert (await site.post(path, "", json=event())).status_code == 401
    assert (await site.post(path, "mik_wrong", json=event())).status_code == 401
    # A device's own key, another application's inbox, and a gateway it does not stand behind.
    shown = await make(site.admin, f"/devices/{site.beside}/credentials", kind="key")
    assert (await site.post(path, shown["secret"], json=event())).status_code == 401
    other = await make(site.admin, f"/applications/{site.elsewhere}/inbox-key")
    assert (await site.post(path, other["secret"], json=event())).status_code == 401
    assert (await site.post(path, json=event())).status_code == 403
    for wrong in (
        {},
        [],
        {"deviceInfo": {"devEui": "12"}},
        event(data=b"") | {"data": "!"},
        event(x=2**70),
    ):
        answer = await site.post(path, inbox_key, json=wrong)
        assert answer.status_code == 400, wrong
    assert (await site.post("chirpstack", inbox_key, json=event())).status_code == 400
    assert (await site.post(path, inbox_key, content=b"x" * 9_000_000)).status_code == 413
    assert await site.messages(sensor) == []

    await site.change(sensor, gatewayId=site.gateway["id"])
    async with asyncio.timeout(10):
        while (await site.post(path, json=event())).status_code != 202:
            await asyncio.sleep(0.02)
    assert (await site.post(path, inbox_key, json=event())).status_code == 202
    await site.change(sensor, identifiers=[])
    async with asyncio.timeout(10):
        while (await site.post(path, json=event())).status_code != 403:
            await asyncio.sleep(0.02)
    key = f"/api/v1/applications/{site.application}/inbox-key"
    assert (await site.admin.delete(key)).status_code == 204
    async with asyncio.timeout(10):
        while (await site.post(path, inbox_key, json=event())).status_code != 401:
            await asyncio.sleep(0.02)


# --- Ports --------------------------------------------------------------------


async def test_a_port_reaches_the_message_by_every_way_in(site: Site) -> None:
    for path, headers in (("up?port=7", {}), ("up", {"X-Port": "8"})):
        answer = await site.world.client().post(
            f"/ingest/v1/{path}", headers={"X-Device-Key": site.key, **headers}, content=b"\x01"
        )
        assert answer.status_code == 202
    items = [{"port": 9, "values": {"a": 1}}, {"port": "x", "values": {"a": 2}}]
    assert (await site.post("up", json=items)).status_code == 202
    for wrong in ("256", "-1", "x"):
        assert (await site.post(f"up?port={wrong}", content=b"\x01")).status_code == 400
    async with site.world.mqtt() as port, connected(port, "gateway", site.key) as client:
        client.core.publish(
            "v1/up", b"\x01", qos=1, now=0.0, properties={"user_property": (("port", "10"),)}
        )
        await client.publish("v1/up", b'[{"port": 11, "values": {"a": 3}}]')

    found = await site.messages(site.gateway["id"])
    ports = [(m["meta"] or {}).get("port") for m in found]
    assert ports == [11, 10, None, 9, 8, 7]
    assert [m["values"] for m in found] == [{"a": 3}, {}, {"a": 2}, {"a": 1}, {}, {}]
