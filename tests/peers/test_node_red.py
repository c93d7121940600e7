"""A real Node-RED at the MQTT door, as a device, and in lab mode."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
import pytest

import lab as lab_mode
import node_red
from installation import DeviceKey, Installation, ok
from installation import running as installed
from moorage_mqtt import ConnAck, Publish
from node_red import NodeRed, Way
from scenarios.client import dialled

VERSIONS = (4, 5)
# Each way to come in: over which port, in which version.
WAYS = [f"{how}-{version}" for how in ("plain", "tls") for version in VERSIONS]
each_way = pytest.mark.parametrize("name", WAYS)


# --- Lab mode -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab_mode.Lab]:
    with lab_mode.started(tmp_path_factory.mktemp("node-red-lab")) as running:
        yield running


@pytest.fixture(scope="module")
def in_lab(
    lab: lab_mode.Lab, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[NodeRed, dict[str, Way]]]:
    """Run Node-RED with a broker for each way in."""
    ways = {}
    for name in WAYS:
        how, version = name.split("-")
        port, authority = (lab.tls_port, lab.authority) if how == "tls" else (lab.port, None)
        ways[name] = Way(name, port, int(version), authority, hears=f"{name}/#")
    with node_red.running(tmp_path_factory.mktemp("node-red"), list(ways.values())) as running:
        yield running, ways


@each_way
def test_messages_of_each_qos_go_there_and_back(
    in_lab: tuple[NodeRed, dict[str, Way]], name: str
) -> None:
    red, way = in_lab[0], in_lab[1][name]
    for qos in (0, 1, 2):
        red.publish(way, f"{name}/é", f"qos {qos}", qos=qos)
    red.until(lambda: len(red.heard(way, topic=f"{name}/é")) == 3, "they did not come back")
    got = red.heard(way, topic=f"{name}/é")
    assert [(one["payload"], one["qos"]) for one in got] == [
        (f"qos {qos}", qos) for qos in (0, 1, 2)
    ]
    red.until(lambda: len(red.heard(way, "published")) == 3, "not all were acknowledged")
    assert red.heard(way, "caught") == []


@each_way
def test_who_subscribes_later_is_told_what_is_retained(
    in_lab: tuple[NodeRed, dict[str, Way]], name: str
) -> None:
    red, way = in_lab[0], in_lab[1][name]
    topic, marker = f"kept/{name}", f"marker/{name}"
    red.publish(way, topic, "kept", qos=1, retain=True)
    red.until(lambda: red.payloads(way, "published", topic=topic), "it was not acknowledged")
    red.subscribe(way, topic, marker)
    red.until(lambda: red.heard(way, topic=topic), "it did not come")
    assert [(one["payload"], one["retain"]) for one in red.heard(way, topic=topic)] == [
        ("kept", True)
    ]

    red.publish(way, topic, "", qos=1, retain=True)
    red.until(lambda: len(red.heard(way, topic=topic)) == 2, "the clearing did not come")
    red.unsubscribe(way, topic)
    red.subscribe(way, topic)
    red.publish(way, marker, "after", qos=1)
    red.until(lambda: red.heard(way, topic=marker), "the marker did not come")
    assert len(red.heard(way, topic=topic)) == 2


@pytest.mark.parametrize("name", [name for name in WAYS if name.endswith("5")])
def test_properties_of_a_message_arrive_as_they_were_given(
    in_lab: tuple[NodeRed, dict[str, Way]], name: str
) -> None:
    red, way = in_lab[0], in_lab[1][name]
    given = {
        "userProperties": {"unit": "°C", "line": "4"},
        "responseTopic": f"{name}/answers",
        "correlationData": "n-1",
        "contentType": "application/json",
    }
    topic = f"{name}/properties"
    red.publish(way, topic, {"t": 21}, qos=2, messageExpiryInterval=60, **given)
    red.until(lambda: red.heard(way, topic=topic), "it did not come back")
    (got,) = red.heard(way, topic=topic)
    assert {key: got[key] for key in given} == given
    assert got["payload"] == '{"t":21}'
    assert 0 < got["messageExpiryInterval"] <= 60


def test_two_brokers_of_node_red_share_the_work(in_lab: tuple[NodeRed, dict[str, Way]]) -> None:
    red, ways = in_lab
    pair, topic = [ways["plain-5"], ways["tls-5"]], "work/done"
    for way in pair:
        red.subscribe(way, "$share/crew/work/+", f"ready/{way.name}")
        # SUBACK of both: what is retained for the second filter comes after it.
        red.publish(way, f"ready/{way.name}", "", qos=1)
        red.until(lambda way=way: red.heard(way, topic=f"ready/{way.name}"), "it did not subscribe")
    for n in range(6):
        red.publish(ways["plain-4"], topic, n, qos=1)

    def done() -> list[list[Any]]:
        return [red.payloads(way, topic=topic) for way in pair]

    red.until(lambda: sum(map(len, done())) == 6, "not all was done")
    assert [len(one) for one in done()] == [3, 3]
    assert sorted(chain(*done())) == [str(n) for n in range(6)]


@pytest.mark.parametrize("version", VERSIONS)
async def test_birth_close_and_will_are_heard_when_they_are_due(
    lab: lab_mode.Lab, tmp_path: Path, version: int
) -> None:
    said = f"said/{version}"
    way = Way(
        f"announces-{version}",
        lab.port,
        version,
        announces={one: f"{said}/{one}" for one in ("birth", "close", "will")},
    )
    red = NodeRed(tmp_path / "own", [way])
    try:
        async with dialled(lab.port, client_id=f"watches-{version}") as watches:
            assert (await watches.next(ConnAck)).reason_code == 0
            assert await watches.subscribe(f"{said}/+") == 1
            for ending, last in ((signal.SIGKILL, "will"), (signal.SIGTERM, "close")):
                await asyncio.to_thread(red.start)
                assert (await watches.next(Publish)).payload == b"birth"
                await asyncio.to_thread(red.stop, ending)
                message = await watches.next(Publish)
                assert (message.topic, message.payload) == (f"{said}/{last}", last.encode())
                if version == 5:
                    assert message.properties["content_type"] == "text/plain"
            assert watches.events == []
    finally:
        red.close()


# --- The platform ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("node-red-platform") / "data") as platform:
        yield platform


@pytest.fixture(scope="module")
def keys(platform: Installation) -> dict[str, DeviceKey]:
    application = platform.application(platform.organization("Works"), "Flows")
    return {
        name: platform.device(application, name, user_name=name)
        for name in (*WAYS, *(f"doomed-{version}" for version in VERSIONS))
    }


def a_device(platform: Installation, key: DeviceKey, **more: Any) -> Way:
    """Give the way of a device of the platform, named after it."""
    how, version = key.user_name.split("-")
    authority, port = None, platform.mqtt_port
    if how == "tls":
        authority, port = platform.directory / "tls" / "authority.pem", platform.tls_port
    return Way(key.user_name, port, int(version), authority, key.user_name, key.secret, **more)


@pytest.fixture(scope="module")
def devices(
    platform: Installation, keys: dict[str, DeviceKey], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[NodeRed, dict[str, Way]]]:
    """Run Node-RED as four devices, whose sessions last, and who answer commands."""
    ways = {name: a_device(platform, keys[name], answers="v1/op/+", lasts=True) for name in WAYS}
    with node_red.running(tmp_path_factory.mktemp("devices"), list(ways.values())) as running:
        yield running, ways


def messages(platform: Installation, key: DeviceKey, channel: str) -> list[dict[str, Any]]:
    """List a device's messages of a channel, oldest first."""
    asked = {"limit": 200}
    answer = platform.admin.get(f"/api/v1/devices/{key.id}/messages", params=asked)
    found = [one for one in ok(answer).json()["items"] if one["channel"] == channel]
    return sorted(found, key=lambda one: int(one["position"].rpartition(":")[2]))


def acknowledged(red: NodeRed, way: Way) -> set[int]:
    """Give the numbers whose messages have been acknowledged."""
    bodies = red.payloads(way, "published", topic="v1/up/count")
    return {json.loads(one)["values"]["n"] for one in bodies}


def command(platform: Installation, key: DeviceKey, code: str) -> str:
    """Give a device a command; give its path."""
    path = f"/api/v1/devices/{key.id}/operations"
    made = ok(platform.admin.post(path, json={"code": code})).json()
    return f"/api/v1/operations/{made['id']}"


@each_way
def test_a_flow_is_a_device_that_reports_and_takes_commands(
    platform: Installation,
    keys: dict[str, DeviceKey],
    devices: tuple[NodeRed, dict[str, Way]],
    name: str,
) -> None:
    red, way, key = devices[0], devices[1][name], keys[name]
    for qos in (0, 1, 2):
        red.publish(
            way, "v1/up/report", {"n": qos}, qos=qos, retain=qos == 1,
            userProperties={"id": f"{name} {qos}", "shift": "late"},
        )  # fmt: skip
    red.until(lambda: len(red.heard(way, "published")) == 3, "not all were acknowledged")
    platform.until(lambda: len(messages(platform, key, "report")) == 3, "not all are stored")
    stored = messages(platform, key, "report")
    assert [one["text"] for one in stored] == [f'{{"n":{qos}}}' for qos in (0, 1, 2)]
    if way.version == 5:
        assert all(["shift", "late"] in one["meta"]["user_properties"] for one in stored)
        red.publish(way, "v1/up/report", {"n": 2}, qos=2, userProperties={"id": f"{name} 2"})
        red.until(lambda: len(red.heard(way, "published")) == 4, "it was not acknowledged")
        assert len(messages(platform, key, "report")) == 3

    path = command(platform, key, "blink")
    platform.until(
        lambda: ok(platform.admin.get(path)).json()["state"] == "completed", "no answer came"
    )
    assert ok(platform.admin.get(path)).json()["result"] == {"heard": "blink"}

    red.subscribe(way, "v1/up/#")
    red.until(lambda: red.heard(way, topic="v1/up/report"), "nothing retained came")
    (kept,) = red.heard(way, topic="v1/up/report")
    assert (kept["payload"], kept["retain"]) == ('{"n":1}', True)
    red.unsubscribe(way, "v1/up/#")


@each_way
def test_a_message_that_two_filters_of_a_device_match_is_heard(
    devices: tuple[NodeRed, dict[str, Way]], name: str
) -> None:
    red, way = devices[0], devices[1][name]
    red.subscribe(way, "v1/up/two/#", "v1/up/two/+", "v1/up/marker")
    red.publish(way, "v1/up/two/a", "two", qos=1)
    red.publish(way, "v1/up/marker", "marker", qos=1)
    red.until(lambda: red.heard(way, topic="v1/up/marker"), "it is not subscribed")
    # Once for each filter: by the identifiers of two copies, or both by the topic of one.
    assert red.payloads(way, topic="v1/up/two/a") == ["two", "two"]
    red.unsubscribe(way, "v1/up/two/#", "v1/up/two/+", "v1/up/marker")


@each_way
def test_what_a_device_may_not_do_is_told_and_listed(
    platform: Installation,
    keys: dict[str, DeviceKey],
    devices: tuple[NodeRed, dict[str, Way]],
    name: str,
) -> None:
    red, way = devices[0], devices[1][name]
    other = next(key for one, key in keys.items() if one != name)
    topic = f"v1/devices/{other.id}/up"
    seen = len(red.heard(way, "status"))
    red.publish(way, topic, "mine", qos=1)

    def listed() -> bool:
        asked = {"deviceId": keys[name].id}
        found = ok(platform.admin.get("/api/v1/refusals", params=asked)).json()["items"]
        return any(one["reason"] == "topic" and topic in one["detail"] for one in found)

    platform.until(listed, "the refusal is not listed")
    if way.version == 5:
        red.until(lambda: red.heard(way, "caught"), "Node-RED shows no error")
        assert "Not authorized" in red.heard(way, "caught")[-1]["error"]
        assert len(red.heard(way, "status")) == seen
    else:
        # MQTT 3.1.1 has no word for it but the end of the connection.
        red.until(lambda: len(red.heard(way, "status")) > seen, "Node-RED shows nothing")
    red.until(lambda: red.is_connected(way), "it did not come back")
    red.publish(way, "v1/up/after", "still here", qos=1)
    red.until(lambda: messages(platform, keys[name], "after"), "the device is shut out")
    assert messages(platform, other, "default") == []


@each_way
def test_a_killed_listener_costs_a_flow_nothing_that_was_acknowledged(
    platform: Installation,
    keys: dict[str, DeviceKey],
    devices: tuple[NodeRed, dict[str, Way]],
    name: str,
) -> None:
    red, way, key = devices[0], devices[1][name], keys[name]
    listener = platform.part("listen")
    assert listener is not None

    def count(numbers: range) -> None:
        # Its client sends again without DUP; by an id of its own a message is known all the same.
        for n in numbers:
            body = {"id": f"{name} {n}", "values": {"n": n}}
            red.publish(way, "v1/up/count", body, qos=1 + n % 2)

    count(range(10))
    listener.kill()
    path = command(platform, key, "meanwhile")
    count(range(10, 20))
    psutil.wait_procs([listener], timeout=10)
    platform.await_ready()
    red.until(lambda: red.is_connected(way), "it did not come back")
    count(range(20, 21))
    red.until(lambda: 20 in acknowledged(red, way), "the last was not acknowledged")

    stored = [one["values"]["n"] for one in messages(platform, key, "count")]
    assert acknowledged(red, way) <= set(stored)
    assert len(stored) == len(set(stored)), "something was stored twice"
    platform.until(
        lambda: ok(platform.admin.get(path)).json()["state"] == "completed",
        "the command was lost",
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_birth_and_will_of_a_device_are_its_messages(
    platform: Installation, keys: dict[str, DeviceKey], tmp_path: Path, version: int
) -> None:
    key = keys[f"doomed-{version}"]
    announces = dict.fromkeys(("birth", "close", "will"), "v1/up/state")
    red = NodeRed(tmp_path / "doomed", [a_device(platform, key, announces=announces)])

    def states() -> list[str]:
        return [one["text"] for one in messages(platform, key, "state")]

    try:
        expected = []
        for ending, last in ((signal.SIGKILL, "will"), (signal.SIGTERM, "close")):
            red.start()
            expected.append("birth")
            red.until(lambda: states() == expected, "no birth")
            red.stop(ending)
            expected.append(last)
            platform.until(lambda: states() == expected, f"no {last}")
    finally:
        red.close()


def test_a_wrong_password_is_shown_as_no_connection_and_listed(
    platform: Installation, keys: dict[str, DeviceKey], tmp_path: Path
) -> None:
    ways = [
        Way(f"stranger-{version}", platform.mqtt_port, version, None, "plain-4", "guess")
        for version in VERSIONS
    ]
    red = NodeRed(tmp_path / "strangers", ways)

    def listed() -> bool:
        found = ok(platform.admin.get("/api/v1/refusals")).json()["items"]
        hints = {one["hint"] for one in found if one["reason"] == "credentials"}
        return bool(hints)

    try:
        red.start()
        platform.until(listed, "the refusal is not listed")
        for way in ways:
            red.until(lambda way=way: len(red.heard(way, "status")) > 2, "nothing is shown")
            assert not any(one["status"].endswith(".connected") for one in red.heard(way, "status"))
    finally:
        red.close()
