"""Messages in by HTTP: kept as received, read out as readings, each once."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import pytest
from httpx2 import AsyncClient, Response

from moorage.telemetry import MAX_SERIES
from web import World


@dataclass
class Meter:
    """A device of a running world, with its door and its page."""

    world: World
    admin: AsyncClient
    id: str
    key: str

    async def send(self, path: str = "", **content: Any) -> Response:
        headers = {"X-Device-Key": self.key} | content.pop("headers", {})
        return await self.world.client().post(f"/ingest/v1/up{path}", headers=headers, **content)

    async def get(self, what: str, **params: Any) -> Any:
        await self.world.work()
        answer = await self.admin.get(f"/api/v1/devices/{self.id}/{what}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def latest(self) -> dict[str, Any]:
        return {v["series"]: v["value"] for v in (await self.get("latest"))["latest"]}

    async def messages(self) -> list[dict[str, Any]]:
        return list((await self.get("messages"))["items"])


@pytest.fixture
async def meter(world: World) -> Meter:
    admin = await world.admin()

    async def make(path: str, **body: Any) -> dict[str, Any]:
        answer = await admin.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    organization = await make("/organizations", name="Aarhus")
    application = await make("/applications", organizationId=organization["id"], name="Water")
    device = await make("/devices", applicationId=application["id"], name="Meter 1")
    shown = await make(f"/devices/{device['id']}/credentials", kind="key")
    return Meter(world, admin, device["id"], shown["secret"])


async def test_a_json_object_is_values_now(meter: Meter) -> None:
    answer = await meter.send(json={"flow": 1.5, "valve": {"open": True, "name": "north"}})

    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    assert await meter.latest() == {"flow": 1.5, "valve.open": True, "valve.name": "north"}


async def test_the_bytes_are_kept_as_they_came(meter: Meter) -> None:
    body = b'{ "flow":1.50 }\n'
    await meter.send("/raw", content=body, headers={"Content-Type": "application/json"})

    (message,) = await meter.messages()
    assert base64.b64decode(message["payload"]) == body
    assert (message["channel"], message["protocol"], message["size"]) == ("raw", "http", len(body))
    again = await meter.get(f"messages/{message['position']}")
    assert again == message


async def test_a_message_carries_its_own_time_and_id(meter: Meter) -> None:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    item = {"at": at.isoformat(), "id": "a-1", "values": {"flow": 2}}
    await meter.send(json=item)
    await meter.send(json=item)

    (message,) = await meter.messages()
    assert datetime.fromisoformat(message["at"]) == at
    assert message["values"] == {"flow": 2}


async def test_an_array_is_several_messages_acknowledged_together(meter: Meter) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    items = [
        {"at": (now - timedelta(minutes=n)).isoformat(), "id": str(n), "values": {"flow": n}}
        for n in range(5)
    ]
    answer = await meter.send(json=[*items, items[0]])

    assert answer.json() == {"accepted": 6}
    rows = (await meter.get("readings"))["items"]
    assert [row["values"]["flow"] for row in rows] == [4, 3, 2, 1, 0]
    assert await meter.latest() == {"flow": 0}


async def test_an_idempotency_key_makes_a_repeat_harmless(meter: Meter) -> None:
    for _ in range(3):
        answer = await meter.send(json=[{"a": 1}, {"a": 2}], headers={"Idempotency-Key": "k1"})
        assert answer.status_code == 202
    await meter.send(json={"a": 3}, headers={"Idempotency-Key": "k2"})

    assert sorted(m["values"]["a"] for m in await meter.messages()) == [1, 2, 3]


async def test_the_same_bytes_without_an_id_are_a_new_message(meter: Meter) -> None:
    await meter.send(json={"a": 1})
    await meter.send(json={"a": 1})
    assert len(await meter.messages()) == 2


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/cbor", cbor2.dumps({"t": 21.5, "ok": False}), {"t": 21.5, "ok": False}),
        (
            "application/senml+json",
            b'[{"bn":"urn:dev:1:","n":"temp","u":"Cel","v":23.1},{"n":"hum","u":"%RH","v":40}]',
            {"temp": 23.1, "hum": 40},
        ),
        ("application/xml", b"<m><t>21.5</t></m>", {"m.t": 21.5}),
        ("text/plain", b"17.25", {"value": 17.25}),
    ],
)
async def test_common_formats_need_no_decoder(
    meter: Meter, content_type: str, body: bytes, expected: dict[str, Any]
) -> None:
    answer = await meter.send(content=body, headers={"Content-Type": content_type})
    assert answer.status_code == 202
    assert await meter.latest() == expected


async def test_unknown_bytes_are_kept_without_readings(meter: Meter) -> None:
    body = bytes(range(200, 256))
    await meter.send(content=body, headers={"Content-Type": "application/octet-stream"})
    (message,) = await meter.messages()
    assert base64.b64decode(message["payload"]) == body
    assert message["values"] == {}


async def test_an_unbelievable_time_is_replaced_and_marked(meter: Meter) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=40)
    ahead = datetime.now(UTC) + timedelta(hours=2)
    for at in (long_ago, ahead):
        await meter.send(json={"at": at.isoformat(), "values": {"flow": 9}})

    rows = (await meter.get("readings"))["items"]
    assert [row["quality"] for row in rows] == ["clock", "clock"]
    for row in rows:
        assert abs(datetime.fromisoformat(row["at"]) - datetime.now(UTC)) < timedelta(minutes=5)


async def test_late_data_does_not_become_the_latest(meter: Meter) -> None:
    now = datetime.now(UTC)
    await meter.send(json={"at": now.isoformat(), "values": {"flow": 1}})
    await meter.send(json={"at": (now - timedelta(days=2)).isoformat(), "values": {"flow": 2}})

    assert await meter.latest() == {"flow": 1}
    start = (now - timedelta(days=3)).isoformat()
    rows = (await meter.get("readings", **{"from": start, "to": now.isoformat()}))["items"]
    assert [row["values"]["flow"] for row in rows] == [2]


async def test_series_beyond_the_limit_are_left_out_not_the_message(meter: Meter) -> None:
    await meter.send(json={f"s{n}": n for n in range(MAX_SERIES + 20)})
    await meter.send(json={"s0": 7, "one too many": 1})

    latest = await meter.latest()
    assert len(latest) == MAX_SERIES
    assert latest["s0"] == 7
    assert (await meter.get("latest"))["droppedValues"] == 21
    assert len(await meter.messages()) == 2


async def test_a_location_moves_the_device(meter: Meter) -> None:
    await meter.send(json={"lat": 56.15, "lon": 10.21, "flow": 1})
    await meter.world.work()
    device = (await meter.admin.get(f"/api/v1/devices/{meter.id}")).json()
    assert device["location"]["coordinates"][:2] == [10.21, 56.15]
    assert device["connectivity"] == "seen"


async def test_a_command_waits_for_the_device_that_asks(meter: Meter) -> None:
    issued = await meter.admin.post(
        f"/api/v1/devices/{meter.id}/operations", json={"code": "close", "payload": {"valve": 2}}
    )
    assert issued.status_code == 201, issued.text
    operation_id = issued.json()["id"]

    answer = (await meter.send("?downlinks=1", json={"a": 1})).json()
    (down,) = answer["downlinks"]
    assert down["id"] == operation_id
    assert down["payload"]["payload"] == {"valve": 2}
    assert (down["payload"]["code"], down["topic"]) == ("close", f"v1/op/{operation_id}")
    assert (await meter.send("?downlinks=1", json={"a": 2})).json()["downlinks"] == []

    done = await meter.send(
        f"/op/{operation_id}/result", json={"state": "completed", "result": {"closed": True}}
    )
    assert (done.status_code, done.json()) == (202, {"accepted": 1})
    await meter.world.work()
    shown = (await meter.admin.get(f"/api/v1/operations/{operation_id}")).json()
    assert (shown["state"], shown["result"]) == ("completed", {"closed": True})


def test_the_door_stands_in_the_document(world: World) -> None:
    document = world.openapi()
    for path in ("/ingest/v1/up", "/ingest/v1/up/{channel}"):
        operation = document["paths"][path]["post"]
        assert "downlinks" in {one["name"] for one in operation["parameters"]}
        assert {"application/json", "application/cbor"} <= {*operation["requestBody"]["content"]}
        schemes = {name for one in operation["security"] for name in one}
        assert schemes <= {*document["components"]["securitySchemes"]}


@pytest.mark.parametrize(
    ("headers", "content", "status", "code"),
    [
        ({}, b"{}", 401, "ingest.sender_unknown"),
        ({"X-Device-Key": "mdk_wrong"}, b"{}", 401, "ingest.sender_unknown"),
        ({"Authorization": "Basic !!!"}, b"{}", 401, "ingest.sender_unknown"),
    ],
)
async def test_without_the_right_key_nothing_comes_in(
    meter: Meter, headers: dict[str, str], content: bytes, status: int, code: str
) -> None:
    answer = await meter.world.client().post("/ingest/v1/up", headers=headers, content=content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await meter.messages() == []


async def test_bad_messages_get_a_clear_answer_and_are_listed(meter: Meter) -> None:
    json_type = {"Content-Type": "application/json"}
    malformed = await meter.send(content=b'{"a":', headers=json_type)
    oversize = await meter.send(content=b"x" * 300_000)
    wrong_method = await meter.world.client().get("/ingest/v1/up")

    assert (malformed.status_code, malformed.json()["code"]) == (400, "ingest.message_malformed")
    assert (oversize.status_code, oversize.json()["code"]) == (413, "ingest.message_too_large")
    assert wrong_method.status_code == 405
    await meter.send(json={"a": 1})
    assert len(await meter.messages()) == 1


async def test_a_revoked_key_is_refused_at_once(meter: Meter) -> None:
    (credential,) = (await meter.admin.get(f"/api/v1/devices/{meter.id}/credentials")).json()
    assert (await meter.send(json={"a": 1})).status_code == 202
    gone = await meter.admin.delete(f"/api/v1/devices/{meter.id}/credentials/{credential['id']}")
    assert gone.status_code == 204
    for _ in range(50):
        if (await meter.send(json={"a": 2})).status_code == 401:
            break
    else:
        pytest.fail("The revoked key still worked after fifty tries.")
