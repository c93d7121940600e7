"""Who may use which topics over MQTT: devices by rules, services by the rights of their key."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx2 import AsyncClient
from hypothesis import given
from hypothesis import strategies as st

from moorage.builtin.transports.mqtt import DoorSettings, MqttDoor
from moorage.devices.service.topics import PLACES, filled
from moorage.ingest.service import topics
from moorage.organizations import Role
from moorage_mqtt import V311, ConnAck, Publish, check_filter, covers, matches
from scenarios.client import Client, connected, dialled
from web import World


async def make(admin: AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await admin.post(f"/api/v1{path}", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


class Works:
    """An organisation with an application and its devices, and the door to it."""

    def __init__(self, world: World, admin: AsyncClient) -> None:
        self.world = world
        self.admin = admin
        self.port = 0
        self.organization = ""
        self.application = ""
        self.ids: dict[str, str] = {}
        self.keys: dict[str, str] = {}

    async def found(self, name: str, *devices: str) -> Works:
        self.organization = (await make(self.admin, "/organizations", name=name))["id"]
        body = {"organizationId": self.organization, "name": "Plant"}
        self.application = (await make(self.admin, "/applications", **body))["id"]
        for one in devices:
            body = {"applicationId": self.application, "name": one, "serial": f"{name}-{one}"}
            self.ids[one] = (await make(self.admin, "/devices", **body))["id"]
            shown = await make(self.admin, f"/devices/{self.ids[one]}/credentials", kind="key")
            self.keys[one] = shown["secret"]
        return self

    async def rule(self, topic: str, **body: Any) -> str:
        path = f"/applications/{self.application}/topic-rules"
        return str((await make(self.admin, path, topic=topic, **body))["id"])

    async def remove_rule(self, rule_id: str) -> None:
        path = f"/api/v1/applications/{self.application}/topic-rules/{rule_id}"
        assert await service.subscribe(here.shown("pump", "op/+/result")) == 1
        asked = json.dumps({"code": "stop", "payload": {"within": 5}}).encode()
        assert await service.publish(here.shown("pump", "op"), asked) == 0
        down = await pump.next(Publish)
        assert json.loads(down.payload)["code"] == "stop"
        done = json.dumps({"status": "done"}).encode()
        await pump.publish(f"{down.topic}/result", done)
        answer = await service.next(Publish)
        assert answer.topic == here.shown("pump", f"{down.topic[3:]}/result")

        for malformed in (
            b"",
            b"{",
            b"[]",
            b'{"code": 1}',
            b'{"code": "a b"}',
            b'{"x": 1}',
            b'{"code": "a", "payload": "\\u0000"}',
            b"\xff",
            b"[" * 100_000,
        ):
            assert await service.publish(here.shown("pump", "op"), malformed) == 0x99, malformed[
                :20
            ]
        foreign = f"v1/applications/{there.application}/devices/{there.ids['pump']}/op"
        mixed = f"v1/applications/{here.application}/devices/{there.ids['pump']}/op"
        nobody = f"v1/applications/{here.application}/devices/{uuid4()}/op"
        for topic in (foreign, mixed, nobody):
            assert await service.publish(topic, asked) == 0x87, topic
        oversize = json.dumps({"code": "a", "payload": "x" * 20_000}).encode()
        assert await service.publish(here.shown("pump", "op"), oversize) == 0x97


async def test_a_service_and_devices_meet_on_shared_topics(towns: tuple[Works, Works]) -> None:
    here, _ = towns
    await here.rule("line/#", publish=True, subscribe=True)
    key = await here.api_key(Role.APPLICATION_ADMIN)
    prefix = f"v1/applications/{here.application}/topics"
    async with (
        connected(here.port, "control", key["secret"], client_id="control") as service,
        here.device("pump") as pump,
    ):
        assert await service.subscribe(f"{prefix}/line/#") == 1
        assert await pump.subscribe("line/down") == 1
        assert await pump.publish("line/up", b"1") == 0
        assert (await service.next(Publish)).topic == f"{prefix}/line/up"
        assert await service.publish(f"{prefix}/line/down", b"2") == 0
        heard = await pump.next(Publish)
        assert (heard.topic, heard.payload) == ("line/down", b"2")
        for forged in ("v1/op/x", "$SYS/x", "v1/up"):
            assert await service.publish(f"{prefix}/{forged}", b"3") == 0x87


async def test_a_key_of_some_applications_sees_these_only(towns: tuple[Works, Works]) -> None:
    here, _ = towns
    body = {"organizationId": here.organization, "name": "Other"}
    other = (await make(here.admin, "/applications", **body))["id"]
    key = await here.api_key(Role.READ, applications=[other])
    async with connected(here.port, "x", key["secret"]) as service:
        assert await service.subscribe(f"v1/applications/{other}/devices/+/up") == 1
        mine = f"v1/applications/{here.application}/devices/+/up"
        assert await service.subscribe(mine) == 0x87


@pytest.mark.parametrize("how", ["revoked", "rights", "application"])
async def test_a_key_that_loses_its_rights_is_cut_within_a_second(
    towns: tuple[Works, Works], how: str
) -> None:
    here, _ = towns
    key = await here.api_key(Role.READ)
    async with connected(here.port, "x", key["secret"]) as service:
        topic_filter = f"v1/applications/{here.application}/devices/+/up"
        assert await service.subscribe(topic_filter) == 1
        if how == "revoked":
            answer = await here.admin.delete(f"/api/v1/api-keys/{key['id']}")
        elif how == "rights":
            path = f"/api/v1/permissions/{key['group']}"
            answer = await here.admin.patch(path, json={"roles": []})
        else:
            path = f"/api/v1/applications/{here.application}/move"
            other = (await make(here.admin, "/organizations", name="Elsewhere"))["id"]
            answer = await here.admin.post(path, json={"organizationId": other})
        assert answer.status_code in (200, 204), answer.text
        told = await service.until_closed()
        assert told is not None
        assert told.reason_code == 0x98
    async with dialled(here.port, username="x", secret=key["secret"]) as service:
        answer = await service.next(ConnAck)
        if how == "revoked":
            assert answer.reason_code == 0x86
        else:
            assert await service.subscribe(topic_filter) == 0x87


async def test_nobody_connects_with_a_wrong_or_missing_key(towns: tuple[Works, Works]) -> None:
    here, _ = towns
    for version, expected in ((5, 0x86), (V311, 4)):
        async with dialled(here.port, version=version, username="x", secret="mk_wrong") as client:
            assert (await client.next(ConnAck)).reason_code == expected
    async with dialled(here.port, username=None, secret=None) as client:
        assert (await client.next(ConnAck)).reason_code == 0x87
    async with asyncio.timeout(10):
        while not any("Nobody has this API key" in o["detail"] for o in await here.refusals()):
            await asyncio.sleep(0.05)


async def test_a_service_is_told_that_nothing_is_kept_for_it(towns: tuple[Works, Works]) -> None:
    here, _ = towns
    key = await here.api_key(Role.READ)
    lasting = {"clean_start": False, "session_expiry_s": 3600}
    for _ in range(2):
        async with dialled(here.port, username="x", secret=key["secret"], **lasting) as service:
            answer = await service.next(ConnAck)
            assert not answer.session_present
            assert answer.properties["session_expiry_interval"] == 0
            assert await service.subscribe(here.shown("pump", "up")) == 1


async def test_mqtt_3_is_cut_for_a_publish_it_may_not(towns: tuple[Works, Works]) -> None:
    here, _ = towns
    key = await here.api_key(Role.READ)
    async with connected(here.port, "x", key["secret"], version=V311) as service:
        service.send(f"v1/applications/{here.application}/topics/a", b"1")
        assert await service.until_closed() is None
    async with here.device("pump", version=V311) as pump:
        assert await pump.subscribe("line/#") == 0x80
        pump.send("line/a", b"1")
        assert await pump.until_closed() is None


# --- The rules alone ------------------------------------------------------------------------------

_levels = st.lists(st.sampled_from(["a", "b", "+", "#", "", "$x"]), min_size=1, max_size=4)


def _is_filter(text: str) -> bool:
    try:
        check_filter(text)
    except Exception:  # noqa: BLE001
        return False
    return True


_filters = _levels.map("/".join).filter(lambda text: bool(text) and _is_filter(text))
_topics = st.lists(st.sampled_from(["a", "b", "", "$x"]), min_size=1, max_size=5).map("/".join)


@given(_filters, _filters, _topics.filter(bool))
def test_what_a_filter_covers_it_matches(allowed: str, wanted: str, topic: str) -> None:
    if covers(allowed, wanted) and matches(wanted, topic):
        assert matches(allowed, topic)


@given(st.dictionaries(st.sampled_from(PLACES), st.text(max_size=8), min_size=5))
def test_no_name_widens_a_rule(values: dict[str, str]) -> None:
    made = filled("{name}/{serial}/x", values)
    if made is not None:
        assert made.count("/") == 2
        assert not set(made) & {"+", "#", "\0"}
        assert not made.startswith(("v1/", "$"))


@given(st.text(max_size=80).map(lambda text: topics.APPLICATIONS + text))
def test_no_text_is_a_topic_of_an_application_but_the_one_form(topic: str) -> None:
    found = topics.named(topic)
    assert found is None or str(found.application_id) in topic
