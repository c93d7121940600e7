"""Who may use which topics over MQTT: devices by rules, services by the rights of their key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.devices.service.topics import PLACES, filled
from moorage.ingest.service import topics
from moorage.organizations import Role
from moorage.organizations import jobs as organizations_jobs
from moorage_mqtt import V311, ConnAck, Publish, Will, covers, matches
from scenarios.client import Client, connected, dialled
from web import World
from works import Works, make


@pytest.fixture
async def towns(world: World) -> AsyncIterator[tuple[Works, Works]]:
    admin = await world.admin()
    async with world.mqtt() as port:
        made = [
            await Works(world, admin).found(name, "pump", "valve") for name in ("Aarhus", "Odense")
        ]
        for one in made:
            one.port = port
        yield made[0], made[1]


async def nothing_came(client: Client) -> None:
    """Ask for the time, which comes after all that was sent before, and look what comes first."""
    assert await client.subscribe("v1/time") == 1
    assert (await client.next(Publish)).topic == "v1/time"


# --- Devices --------------------------------------------------------------------------------------


async def test_devices_of_an_application_share_topics_by_rules_and_nobody_else_sees_them(
    towns: tuple[Works, Works],
) -> None:
    here, there = towns
    for town in towns:
        await town.rule("line/{serial}/state", publish=True)
        await town.rule("line/#", subscribe=True)
    async with (
        here.device("pump") as pump,
        here.device("valve") as valve,
        there.device("valve") as foreign,
    ):
        assert await valve.subscribe("line/+/state") == 1
        assert await foreign.subscribe("line/#") == 1
        assert await pump.publish("line/Aarhus-pump/state", b"on") == 0
        heard = await valve.next(Publish)
        assert (heard.topic, heard.payload) == ("line/Aarhus-pump/state", b"on")
        # Somebody else's name, another level, and what no rule is about.
        for topic in ("line/Aarhus-valve/state", "line/Aarhus-pump", "line", "plant", "$SYS/x"):
            assert await pump.publish(topic, b"off") == 0x87, topic
        for topic_filter in ("#", "+/#", "plant/#", "$SYS/#", "v1/devices/#"):
            assert await valve.subscribe(topic_filter) == 0x87, topic_filter
        await nothing_came(foreign)
    await here.world.work()
    stored = await here.admin.get(f"/api/v1/devices/{here.ids['pump']}/messages")
    assert stored.json()["items"] == []
    await here.listed("line/Aarhus-valve/state")


async def test_a_rule_with_a_channel_makes_messages_of_a_devices_own_layout(
    towns: tuple[Works, Works],
) -> None:
    here, _ = towns
    await here.rule("factory/{serial}/telemetry", publish=True, channel="legacy")
    async with here.device("pump") as pump:
        assert await pump.publish("factory/Aarhus-pump/telemetry", b'{"t": 21}') == 0
    await here.world.work()
    stored = await here.admin.get(f"/api/v1/devices/{here.ids['pump']}/messages")
    assert [one["channel"] for one in stored.json()["items"]] == ["legacy"]
    mine = await here.admin.get(f"/api/v1/devices/{here.ids['pump']}/topics")
    assert [one["topic"] for one in mine.json()] == ["factory/Aarhus-pump/telemetry"]


async def test_a_rule_may_be_for_one_device_or_one_model(towns: tuple[Works, Works]) -> None:
    here, there = towns
    await here.rule("alarm", publish=True, deviceId=here.ids["pump"])
    await here.rule("news", publish=True, model="V2")
    async with here.device("pump") as pump, here.device("valve") as valve:
        assert await pump.publish("alarm", b"1") == 0
        assert await valve.publish("alarm", b"1") == 0x87
        assert await valve.publish("news", b"1") == 0x87
        path = f"/api/v1/devices/{here.ids['valve']}"
        assert (await here.admin.patch(path, json={"model": "V2"})).status_code == 200
        assert (await valve.until_closed()) is not None
    async with here.device("valve") as valve:
        assert await valve.publish("news", b"1") == 0
    path = f"/api/v1/applications/{here.application}/topic-rules"
    body = {"topic": "alarm", "publish": True, "deviceId": there.ids["pump"]}
    answer = await here.admin.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "devices.unknown")


async def test_a_rule_taken_back_ends_the_connection_and_what_it_allowed(
    towns: tuple[Works, Works],
) -> None:
    here, _ = towns
    rule_id = await here.rule("line/#", publish=True, subscribe=True)
    async with here.device("pump") as pump:
        assert await pump.subscribe("line/#") == 1
        await here.remove_rule(rule_id)
        told = await pump.until_closed()
        assert told is not None
        assert told.reason_code == 0x98
    async with here.device("pump") as pump:
        assert await pump.publish("line/x", b"1") == 0x87


async def test_what_waits_for_a_device_is_dropped_with_the_right_to_it(
    towns: tuple[Works, Works],
) -> None:
    here, _ = towns
    await here.rule("line/#", publish=True)
    rule_id = await here.rule("line/#", subscribe=True)
    async with here.lasting("valve") as valve:
        assert (await valve.next(ConnAck)).reason_code == 0
        assert await valve.subscribe("line/#") == 1
    async with here.device("pump") as pump:
        assert await pump.publish("line/a", b"kept for it") == 0
    async with here.lasting("valve") as valve:
        assert (await valve.next(ConnAck)).session_present
        assert (await valve.next(Publish)).payload == b"kept for it"
    async with here.device("pump") as pump:
        assert await pump.publish("line/a", b"secret") == 0
        await here.remove_rule(rule_id)
        await pump.until_closed()
    async with here.lasting("valve") as valve:
        assert (await valve.next(ConnAck)).session_present
        await nothing_came(valve)


async def test_a_moved_device_leaves_the_topics_of_its_application(
    towns: tuple[Works, Works],
) -> None:
    here, there = towns
    for town in towns:
        await town.rule("line/#", publish=True, subscribe=True)
    async with here.lasting("valve") as valve:
        assert (await valve.next(ConnAck)).reason_code == 0
        assert await valve.subscribe("line/#") == 1
        path = f"/api/v1/devices/{here.ids['valve']}/move"
        answer = await here.admin.post(path, json={"applicationId": there.application})
        assert answer.status_code == 200, answer.text
        assert (await valve.until_closed()) is not None
    async with (
        here.device("pump") as old,
        there.device("pump") as new,
        here.lasting("valve") as valve,
    ):
        assert (await valve.next(ConnAck)).session_present
        # What it subscribed to there is not what the same name means here.
        assert await old.publish("line/a", b"old") == 0
        assert await new.publish("line/a", b"new") == 0
        await nothing_came(valve)
        assert await valve.subscribe("line/#") == 1
        assert await old.publish("line/a", b"old") == 0
        assert await new.publish("line/a", b"new") == 0
        assert (await valve.next(Publish)).payload == b"new"


async def test_a_message_for_a_shared_topic_may_be_retained(towns: tuple[Works, Works]) -> None:
    here, _ = towns
    await here.rule("line/#", publish=True, subscribe=True)
    async with here.device("pump") as pump:
        pump.core.publish("line/last", b"7", qos=1, retain=True, now=0.0, reference="r")
        pump.flush()
        assert (await pump.acknowledgement("r")).reason_code == 0
    async with here.device("valve") as valve:
        assert await valve.subscribe("line/#") == 1
        found = await valve.next(Publish)
        assert (found.payload, found.retain) == (b"7", True)


async def test_a_will_goes_to_a_shared_topic_if_the_device_may_publish_there(
    towns: tuple[Works, Works],
) -> None:
    here, _ = towns
    await here.rule("line/{name}", publish=True)
    await here.rule("line/#", subscribe=True)
    who: Any = {"username": "pump", "secret": here.keys["pump"]}
    async with here.device("valve") as valve:
        assert await valve.subscribe("line/#") == 1
        async with dialled(here.port, **who, will=Will("line/valve", b"forged", 1)) as pump:
            assert (await pump.next(ConnAck)).reason_code == 0x87
        async with dialled(here.port, **who, will=Will("line/pump", b"lost", 1)) as pump:
            assert (await pump.next(ConnAck)).reason_code == 0
        heard = await valve.next(Publish)
        assert (heard.topic, heard.payload) == ("line/pump", b"lost")


async def test_a_layout_has_topics_of_its_own_for_commands_and_their_answers(
    towns: tuple[Works, Works],
) -> None:
    here, there = towns
    for town in towns:
        await town.rule("plc/{serial}/do/{operationId}", subscribe=True)
        await town.rule("plc/{serial}/{operationId}/done", publish=True)
        await town.rule("plc/#", publish=True)
    async with (
        here.device("pump") as pump,
        here.device("valve") as valve,
        there.device("pump") as foreign,
    ):
        for client, name in ((pump, "Aarhus-pump"), (foreign, "Odense-pump")):
            assert await client.subscribe(f"plc/{name}/do/+") == 1
        for refused in ("plc/Aarhus-valve/do/+", "plc/+/do/+", "plc/Aarhus-pump/#"):
            assert await pump.subscribe(refused) == 0x87, refused
        # Whoever may publish everywhere there still commands nobody.
        assert await valve.publish("plc/Aarhus-pump/do/forged", b'{"code": "stop"}') == 0
        path = f"/devices/{here.ids['pump']}/operations"
        operation = (await make(here.admin, path, code="stop"))["id"]
        down = await pump.next(Publish)
        assert (down.topic, json.loads(down.payload)["code"]) == (
            f"plc/Aarhus-pump/do/{operation}",
            "stop",
        )
        answers = f"plc/Aarhus-pump/{operation}/done"
        assert down.properties["response_topic"] == answers
        done = json.dumps({"state": "completed", "result": {"stopped": True}}).encode()
        # Answers are the device's own: another cannot give them.
        assert await valve.publish(answers, done) == 0
        assert await pump.publish(answers, done) == 0
        await nothing_came(foreign)
    async with asyncio.timeout(20):
        while True:
            answer = await here.admin.get(f"/api/v1/operations/{operation}")
            if (ended := answer.json())["state"] == "completed":
                break
            await asyncio.sleep(0.05)
    assert ended["result"] == {"stopped": True}
    shown = (await here.admin.get(f"/api/v1/devices/{here.ids['pump']}/topics")).json()
    assert [one["operations"] for one in shown] == [
        "plc/Aarhus-pump/do/{operationId}",
        "plc/Aarhus-pump/{operationId}/done",
        None,
    ]


@pytest.mark.parametrize(
    "topic",
    ["v1/up", "$SYS/#", "a/#/b", "a+", "{unknown}/x", "{name", "/".join("a" * 40), "", "a\0",
     "a{operationId}", "{operationId}/{operationId}", "a/+/{operationId}", "{operationId}/#"],
)  # fmt: skip
async def test_a_rule_must_be_a_topic_filter_of_the_application(
    towns: tuple[Works, Works], topic: str
) -> None:
    here, _ = towns
    path = f"/api/v1/applications/{here.application}/topic-rules"
    answer = await here.admin.post(path, json={"topic": topic, "publish": True})
    assert answer.status_code == 422, answer.text
    assert "/topic" in answer.text
    both = {"publish": True, "subscribe": True}
    for body in (
        {"topic": "fine"},
        {"topic": "fine", "subscribe": True, "channel": "x"},
        {"topic": "{operationId}", "publish": True, "channel": "x"},
        {"topic": "{operationId}", **both},
    ):
        assert (await here.admin.post(path, json=body)).status_code == 422


async def test_rules_are_changed_with_the_rights_and_the_version_they_have(
    towns: tuple[Works, Works],
) -> None:
    here, there = towns
    rule_id = await here.rule("line/#", publish=True)
    path = f"/api/v1/applications/{here.application}/topic-rules"
    one = f"{path}/{rule_id}"
    reader = await here.world.person("reader@example.org", UUID(here.organization), Role.READ)
    assert (await reader.get(path)).status_code == 200
    assert (await reader.post(path, json={"topic": "x", "publish": True})).status_code == 403
    assert (await reader.patch(one, json={"topic": "x"})).status_code == 403
    assert (await reader.delete(one)).status_code == 403
    elsewhere = f"/api/v1/applications/{there.application}/topic-rules/{rule_id}"
    assert (await here.admin.get(elsewhere)).status_code == 404
    match = {"If-Match": (await here.admin.get(one)).headers["ETag"]}
    changed = await here.admin.patch(one, json={"subscribe": True}, headers=match)
    assert changed.status_code == 200, changed.text
    assert changed.json()["subscribe"] is True
    stale = await here.admin.patch(one, json={"publish": False}, headers=match)
    assert stale.status_code == 412
    log = (await here.admin.get("/api/v1/audit", params={"subjectId": rule_id})).json()["items"]
    names = {entry["name"] for entry in log}
    assert names == {"devices.topic_rule_made", "devices.topic_rule_changed"}


# --- Services -------------------------------------------------------------------------------------


async def test_a_service_reads_the_applications_its_key_may_read(
    towns: tuple[Works, Works],
) -> None:
    here, there = towns
    key = await here.api_key(Role.READ)
    async with (
        connected(here.port, "billing", key["secret"], client_id="billing") as service,
        here.device("pump") as pump,
        there.device("pump") as foreign,
    ):
        # Where this goes is remembered until somebody subscribes.
        assert await pump.publish("v1/up", b"0") == 0
        everything = f"v1/applications/{here.application}/devices/+/up/#"
        assert await service.subscribe(everything) == 1
        assert await pump.publish("v1/up", b"1") == 0
        assert await pump.publish("v1/up/flow", b"2") == 0
        assert await foreign.publish("v1/up", b"3") == 0
        heard = [await service.next(Publish) for _ in range(2)]
        assert [(one.topic, one.payload) for one in heard] == [
            (here.shown("pump", "up"), b"1"), (here.shown("pump", "up/flow"), b"2"),
        ]  # fmt: skip
        for refused in (
            f"v1/applications/{there.application}/devices/+/up/#", "v1/applications/+/devices/+/up",
            "v1/applications/#", "#", "+/+", "v1/up", "v1/op/+",
            here.shown("pump", "op/+"), here.shown("pump", "#"),
            f"v1/devices/{here.ids['pump']}/up",
            f"v1/applications/{here.application.upper()}/devices/+/up",
            f"v1/applications/{here.application}/devices/x/up",
            f"v1/applications/{uuid4()}/topics/#", "$SYS/#",
        ):  # fmt: skip
            assert await service.subscribe(refused) == 0x87, refused
        # It reads; it commands nobody.
        assert await service.publish(here.shown("pump", "op"), b'{"code": "stop"}') == 0x87
        assert await service.publish("v1/up", b"1") == 0x87
        topic = f"v1/applications/{here.application}/topics/line/a"
        assert await service.publish(topic, b"1") == 0x87


async def test_a_service_commands_the_devices_its_key_may_operate(
    towns: tuple[Works, Works],
) -> None:
    here, there = towns
    key = await here.api_key(Role.APPLICATION_ADMIN)
    async with (
        connected(here.port, "control", key["secret"], client_id="control") as service,
        here.device("pump") as pump,
    ):
        assert await pump.subscribe("v1/op/+") == 1
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


async def test_a_service_hears_what_comes_by_http_once_and_in_order(
    towns: tuple[Works, Works],
) -> None:
    here, there = towns
    keys = [await one.api_key(Role.READ) for one in towns]
    uplink = here.world.client()
    async with (
        connected(here.port, "billing", keys[0]["secret"], client_id="billing") as service,
        connected(here.port, "others", keys[1]["secret"], client_id="others") as others,
        here.device("valve") as valve,
    ):
        bearer = {"Authorization": f"Bearer {here.keys['pump']}"}
        before = await uplink.post("/ingest/v1/up", json={"n": 0}, headers=bearer)
        assert before.status_code == 202, before.text
        for client, works in ((service, here), (others, there)):
            everything = f"v1/applications/{works.application}/devices/+/up/#"
            assert await client.subscribe(everything) == 1
        body: Any = [{"values": {"n": 1}}, {"at": "2026-01-02T03:04:05.678Z", "values": {"n": 2}}]
        for path, sent in (("up/flow", body), ("up?port=7", {"n": 3})):
            answer = await uplink.post(f"/ingest/v1/{path}", json=sent, headers=bearer)
            assert answer.status_code == 202, answer.text
        heard = [await service.next(Publish) for _ in range(3)]
        said = [json.loads(one.payload) for one in heard]
        assert said == [*body, {"n": 3}]
        flow = here.shown("pump", "up/flow")
        assert [one.topic for one in heard] == [flow, flow, here.shown("pump", "up")]
        assert [one.qos for one in heard] == [1, 1, 1]
        assert heard[1].properties["user_property"] == [("at", "2026-01-02T03:04:05.678Z")]
        assert heard[2].properties == {
            "content_type": "application/json",
            "user_property": [("port", "7")],
        }
        assert await valve.publish("v1/up", b'{"n": 4}') == 0
        got = await service.next(Publish)
        assert (got.topic, got.payload) == (here.shown("valve", "up"), b'{"n": 4}')
        answer = await uplink.post("/ingest/v1/up", json={"n": 5}, headers=bearer)
        assert answer.status_code == 202, answer.text
        assert json.loads((await service.next(Publish)).payload) == {"n": 5}
        bearer = {"Authorization": f"Bearer {there.keys['pump']}"}
        answer = await uplink.post("/ingest/v1/up", json={"n": 6}, headers=bearer)
        assert answer.status_code == 202, answer.text
        got = await others.next(Publish)
        assert (got.topic, json.loads(got.payload)) == (there.shown("pump", "up"), {"n": 6})
        assert not [one for one in others.events if isinstance(one, Publish)]


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


@pytest.mark.parametrize(
    "how", ["revoked", "rights", "application", "outer group", "time", "expired"]
)
async def test_a_key_that_loses_its_rights_is_cut_within_a_second(
    towns: tuple[Works, Works], how: str
) -> None:
    here, _ = towns
    if how == "outer group":
        key = await here.api_key()
        gives = await here.api_key(Role.READ)
        outer = f"/api/v1/permissions/{gives['group']}/members"
        joined = await here.admin.post(outer, json={"kind": "group", "id": key["group"]})
        assert joined.status_code == 204, joined.text
    else:
        key = await here.api_key(Role.READ)
    async with connected(here.port, "x", key["secret"]) as service:
        topic_filter = f"v1/applications/{here.application}/devices/+/up"
        assert await service.subscribe(topic_filter) == 1
        if how == "revoked":
            answer = await here.admin.delete(f"/api/v1/api-keys/{key['id']}")
        elif how == "rights":
            path = f"/api/v1/permissions/{key['group']}"
            answer = await here.admin.patch(path, json={"roles": []})
        elif how == "outer group":
            answer = await here.admin.delete(f"{outer}/group/{key['group']}")
        elif how == "expired":
            path = f"/api/v1/api-keys/{key['id']}"
            soon = datetime.now(UTC) + timedelta(seconds=1.5)
            answer = await here.admin.patch(path, json={"expiresAt": soon.isoformat()})
        elif how == "time":
            path = f"/api/v1/permissions/{key['group']}/members"
            body = {"kind": "apiKey", "id": key["id"], "until": "2999-01-01T00:00:00Z"}
            answer = await here.admin.post(path, json=body)
            async with here.world.database.begin() as tx:
                await tx.execute("UPDATE permission_group_members SET until = now() "
                                 "WHERE until IS NOT NULL")  # fmt: skip
            async with here.world.database.begin() as tx:
                await organizations_jobs.end_members(tx)
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
        if how in ("revoked", "expired"):
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
    await here.listed("Nobody has this API key")


async def test_a_service_is_told_that_nothing_is_kept_for_it(towns: tuple[Works, Works]) -> None:
    here, _ = towns
    key = await here.api_key(Role.READ)
    lasting: Any = {"clean_start": False, "properties": {"session_expiry_interval": 3600}}
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

_first = st.sampled_from(["a", "b", "+", "$x"])
_more = st.lists(st.sampled_from(["a", "b", "+", ""]), max_size=3)
_filters = st.tuples(_first, _more, st.sampled_from([[], ["#"]])).map(
    lambda parts: "/".join([parts[0], *parts[1], *parts[2]])
) | st.just("#")
_topics = st.tuples(
    st.sampled_from(["a", "b", "$x"]), st.lists(st.sampled_from(["a", "b", ""]), max_size=4)
).map(lambda parts: "/".join([parts[0], *parts[1]]))


@given(_filters, _filters, _topics)
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
