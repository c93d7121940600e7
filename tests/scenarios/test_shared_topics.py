"""What devices share passes between listeners, and nothing of it that counts dies with one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from httpx2 import AsyncClient

from installation import DeviceKey, Installation, ok, running
from moorage_mqtt import Publish, Session, SubAck, Subscription, Will
from scenarios.client import Client, connected, dialled
from scenarios.listeners import Listener, accepted, lasting, started

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Give a running installation; its own listener is one of several."""
    with running(tmp_path_factory.mktemp("shared") / "data") as platform:
        yield platform


@pytest.fixture(scope="module")
def organization(platform: Installation) -> str:
    return platform.organization("Works")


@pytest.fixture(scope="module")
def application(platform: Installation, organization: str) -> str:
    made = platform.application(organization, "Line")
    rules: list[dict[str, Any]] = [{"topic": "line/#"}, {"topic": "kept/#", "channel": "kept"}]
    for rule in rules:
        body = {**rule, "publish": True, "subscribe": True}
        ok(platform.admin.post(f"/api/v1/applications/{made}/topic-rules", json=body))
    return made


@pytest.fixture
def keys(platform: Installation, application: str) -> tuple[DeviceKey, DeviceKey]:
    one, other = (platform.device(application, name, user_name=name) for name in
                  (f"hears-{uuid4().hex[:8]}", f"speaks-{uuid4().hex[:8]}"))  # fmt: skip
    return one, other


@pytest.fixture
def pair(platform: Installation) -> Iterator[tuple[Listener, Listener]]:
    with started(platform) as one, started(platform) as other:
        yield one, other


async def subscribe(client: Client, topic_filter: str, qos: int = 2) -> None:
    client.core.subscribe(Subscription(topic_filter, qos))
    client.flush()
    assert (await client.next(SubAck)).reason_codes == (qos,)


def service_key(platform: Installation, organization: str) -> str:
    """Make an API key that may read and operate."""
    body: dict[str, Any] = {"organizationId": organization, "name": f"group {uuid4()}",
                            "roles": ["Read", "OrganizationApplicationAdmin"]}  # fmt: skip
    group = ok(platform.admin.post("/api/v1/permissions", json=body)).json()["id"]
    body = {"organizationId": organization, "name": f"key {uuid4()}",
            "permissionGroupIds": [group]}  # fmt: skip
    return str(ok(platform.admin.post("/api/v1/api-keys", json=body)).json()["key"])


async def test_a_message_reaches_each_listener_where_somebody_waits_for_it(
    pair: tuple[Listener, Listener], keys: tuple[DeviceKey, DeviceKey]
) -> None:
    one, other = pair
    hears, speaks = keys
    async with (
        connected(one.port, hears.user_name, hears.secret, client_id="far") as far,
        connected(other.port, speaks.user_name, speaks.secret, client_id="near") as near,
        connected(other.port, speaks.user_name, speaks.secret, client_id="speaks") as client,
    ):
        for one_of in (far, near):
            await subscribe(one_of, "line/+")
            await subscribe(one_of, "kept/#")
        for topic in ("line/1", "kept/1"):
            for qos in (0, 1, 2):
                body = b'{"n":%d}' % qos
                client.core.publish(topic, body, qos=qos, now=0.0)
                client.flush()
                for one_of in (far, near):
                    got = await one_of.next(Publish)
                    assert (got.topic, got.payload, got.qos) == (topic, body, qos)
                    if qos:
                        one_of.core.acknowledge(got.packet_id)
                        one_of.flush()
        assert await client.publish("line/deep/er", b"") == 0
        assert await far.subscribe("v1/time") == 1
        assert (await far.next(Publish)).topic == "v1/time", "it was not subscribed to"


async def test_what_is_retained_is_found_at_every_listener(
    platform: Installation, pair: tuple[Listener, Listener], keys: tuple[DeviceKey, DeviceKey]
) -> None:
    one, other = pair
    hears, speaks = keys
    async with connected(one.port, speaks.user_name, speaks.secret) as client:
        client.core.publish("line/last", b"7", qos=1, retain=True, now=0.0, reference="r")
        client.flush()
        assert (await client.acknowledgement("r")).reason_code == 0
    one.kill()
    for port in (other.port, platform.mqtt_port):
        async with connected(port, hears.user_name, hears.secret) as client:
            await subscribe(client, "line/last")
            got = await client.next(Publish)
            assert (got.payload, got.retain) == (b"7", True)


async def test_who_is_away_hears_what_was_sent_after_its_listener_had_died(
    platform: Installation, pair: tuple[Listener, Listener], keys: tuple[DeviceKey, DeviceKey]
) -> None:
    one, other = pair
    hears, speaks = keys
    session = Session()
    async with dialled(one.port, **lasting(hears, "c", session=session)) as client:
        await accepted(client)
        await subscribe(client, "line/away")
    async with connected(other.port, speaks.user_name, speaks.secret) as speaker:
        for n in range(10):
            if n == 5:
                one.kill()
            assert await speaker.publish("line/away", b"%d" % n, qos=1 + n % 2) == 0
    other.kill()
    async with dialled(platform.mqtt_port, **lasting(hears, "c", session=session)) as client:
        assert await accepted(client)
        got = []
        for _ in range(10):
            message = await client.next(Publish)
            client.core.acknowledge(message.packet_id)
            client.flush()
            got.append(message.payload)
    assert got == [b"%d" % n for n in range(10)]


async def test_a_service_hears_devices_at_other_listeners(
    platform: Installation,
    organization: str,
    application: str,
    pair: tuple[Listener, Listener],
    keys: tuple[DeviceKey, DeviceKey],
) -> None:
    one, other = pair
    _, speaks = keys
    secret = service_key(platform, organization)
    root = f"v1/applications/{application}"
    async with (
        connected(one.port, "", secret, client_id="program") as program,
        connected(other.port, speaks.user_name, speaks.secret, client_id="speaks") as client,
    ):
        await subscribe(program, f"{root}/devices/+/up/#", 1)
        await subscribe(program, f"{root}/topics/line/#", 1)
        assert await client.publish("v1/up/a", b'{"n":1}') == 0
        got = await program.next(Publish)
        assert (got.topic, got.payload) == (f"{root}/devices/{speaks.id}/up/a", b'{"n":1}')
        assert await client.publish("line/1", b"x") == 0
        assert (await program.next(Publish)).topic == f"{root}/topics/line/1"
        await subscribe(client, "line/2")
        assert await program.publish(f"{root}/topics/line/2", b"down") == 0
        assert (await client.next(Publish)).payload == b"down"


async def test_programs_at_several_listeners_share_messages_between_them(
    platform: Installation,
    organization: str,
    application: str,
    pair: tuple[Listener, Listener],
    keys: tuple[DeviceKey, DeviceKey],
) -> None:
    one, other = pair
    _, speaks = keys
    secret = service_key(platform, organization)
    wanted = f"$share/workers/v1/applications/{application}/devices/+/up/#"
    async with (
        connected(one.port, "", secret, client_id="first") as first,
        connected(other.port, "", secret, client_id="second") as second,
        connected(platform.mqtt_port, speaks.user_name, speaks.secret) as client,
    ):
        got: list[bytes] = []

        async def work(program: Client) -> None:
            while len(got) < 20:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        message = await program.next(Publish)
                    got.append(message.payload)
                    assert "subscription_identifier" not in message.properties
                    program.core.acknowledge(message.packet_id)
                    program.flush()

        async def speak() -> None:
            for n in range(20):
                assert await client.publish("v1/up/a", b'{"n":%d}' % n) == 0

        for program in (first, second):
            await subscribe(program, wanted, 1)
        await asyncio.gather(work(first), work(second), speak())
    assert sorted(got) == sorted(b'{"n":%d}' % n for n in range(20))


async def test_what_comes_by_http_reaches_programs_at_every_listener_once_whoever_dies(
    platform: Installation,
    organization: str,
    application: str,
    pair: tuple[Listener, Listener],
    keys: tuple[DeviceKey, DeviceKey],
) -> None:
    one, other = pair
    _, speaks = keys
    secret = service_key(platform, organization)
    wanted = f"v1/applications/{application}/devices/+/up/#"
    who = speaks.user_name, speaks.secret

    async def post(numbers: range) -> None:
        async with AsyncClient(base_url=platform.url, timeout=30) as http:
            for n in numbers:
                body = {"n": n}
                answer = await http.post("/ingest/v1/up", json=body, auth=who)
                assert answer.status_code == 202, answer.text

    async def heard(program: Client, count: int) -> list[int]:
        found = []
        for _ in range(count):
            message = await program.next(Publish)
            program.core.acknowledge(message.packet_id)
            program.flush()
            found.append(json.loads(message.payload)["n"])
        return found

    async with connected(other.port, "", secret, client_id="far") as far:
        async with connected(one.port, "", secret, client_id="near") as near:
            await subscribe(near, wanted, 1)  # So it is this listener that reads for both.
            await subscribe(far, wanted, 1)
            await post(range(5))
            assert await heard(near, 5) == [*range(5)]
            assert await heard(far, 5) == [*range(5)]
            one.kill()
        await post(range(5, 10))
        assert await heard(far, 5) == [*range(5, 10)]
        async with connected(platform.mqtt_port, "", secret, client_id="near") as near:
            await subscribe(near, wanted, 1)
            await post(range(10, 15))
            assert await heard(near, 5) == [*range(10, 15)]
        assert await heard(far, 5) == [*range(10, 15)]


@pytest.mark.parametrize("stops", [False, True])
async def test_what_a_program_of_a_group_leaves_goes_to_another_at_another_listener(
    platform: Installation,
    organization: str,
    application: str,
    pair: tuple[Listener, Listener],
    keys: tuple[DeviceKey, DeviceKey],
    stops: bool,
) -> None:
    one, other = pair
    _, speaks = keys
    secret = service_key(platform, organization)
    wanted = f"$share/crew/v1/applications/{application}/devices/+/up/#"
    async with (
        connected(other.port, "", secret, client_id="second") as second,
        connected(platform.mqtt_port, speaks.user_name, speaks.secret) as client,
    ):
        async with connected(one.port, "", secret, client_id="first") as first:
            await subscribe(first, wanted, 1)
            for n in range(5):
                # So much that a listener that stops has to wait until it is sent.
                body = b'{"n":%d}' % n + b" " * 200_000 * stops
                assert await client.publish("v1/up/a", body) == 0
            taken = await first.next(Publish)
            first.core.acknowledge(taken.packet_id)
            first.flush()
            for _ in range(4):
                await first.next(Publish)  # And acknowledges none of them.
            await subscribe(second, wanted, 1)
            if stops:
                one.process.terminate()
                assert await first.until_closed() is not None
        left = []
        for _ in range(4):
            message = await second.next(Publish)
            second.core.acknowledge(message.packet_id)
            second.flush()
            left.append(message.payload.rstrip())
        assert await client.publish("v1/up/a", b'{"n":5}') == 0
        assert (await second.next(Publish)).payload == b'{"n":5}'
    assert [taken.payload.rstrip(), *left] == [b'{"n":%d}' % n for n in range(5)]


@pytest.mark.parametrize(("topic", "delay_s"), [("line/w/a", 0), ("line/w/b", 2), ("kept/w/a", 0)])
async def test_a_will_to_a_shared_topic_outlives_its_listener_and_is_heard_once(
    pair: tuple[Listener, Listener], keys: tuple[DeviceKey, DeviceKey], topic: str, delay_s: int
) -> None:
    one, other = pair
    hears, speaks = keys
    properties: Any = {"will_delay_interval": delay_s}
    will = Will(topic, b'{"gone":1}', 1, properties=properties)
    async with connected(other.port, hears.user_name, hears.secret, client_id="near") as near:
        await subscribe(near, topic.rpartition("/")[0] + "/#")
        async with dialled(one.port, **lasting(speaks, "lost", will=will)) as client:
            await accepted(client)
            one.kill()
        got = await near.next(Publish)
        assert (got.topic, got.payload, got.qos) == (topic, b'{"gone":1}', 1)
        near.core.acknowledge(got.packet_id)
        near.flush()
        async with connected(other.port, speaks.user_name, speaks.secret) as after:
            assert await after.publish(topic, b"after") == 0
        # Whatever were published twice would be there before this.
        assert (await near.next(Publish)).payload == b"after"


async def test_a_will_to_a_shared_topic_is_not_published_for_who_may_send_no_more(
    platform: Installation,
    pair: tuple[Listener, Listener],
    keys: tuple[DeviceKey, DeviceKey],
) -> None:
    one, other = pair
    hears, speaks = keys
    properties: Any = {"will_delay_interval": 3}
    will = Will("line/s/gone", b"1", 1, properties=properties)
    async with connected(other.port, hears.user_name, hears.secret, client_id="near") as near:
        await subscribe(near, "line/s/#")
        async with dialled(one.port, **lasting(speaks, "lost", will=will)) as client:
            await accepted(client)
            one.kill()
        suspended = {"state": "suspended"}
        ok(platform.admin.patch(f"/api/v1/devices/{speaks.id}", json=suspended))

        def has_waiting_will() -> bool:
            with psycopg.connect(platform.database_url) as database:
                rows = database.execute(
                    "SELECT 1 FROM session_kept JOIN devices USING (number) "
                    "WHERE devices.id = %s AND will_delay_s IS NOT NULL",
                    (speaks.id,),
                )
                return rows.fetchone() is not None

        await asyncio.to_thread(
            platform.until, lambda: not has_waiting_will(), "the will still waits"
        )
        assert await near.publish("line/s/after", b"x") == 0
        assert (await near.next(Publish)).topic == "line/s/after"


async def test_doctor_shows_the_listeners_and_whether_they_reach_each_other(
    platform: Installation, pair: tuple[Listener, Listener]
) -> None:
    def told() -> dict[str, tuple[str, str]]:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "moorage.entry.cli", "doctor", "--json"],
            env={**platform.environment(), "MOORAGE_DATABASE_URL": platform.database_url},
            capture_output=True,
            text=True,
            check=False,
        )
        return {
            one["check"]: (one["health"], one["found"])
            for one in json.loads(done.stdout)
            if one["check"].startswith("listener ")
        }

    def well() -> bool:
        found = told()
        return len(found) == 3 and {health for health, _ in found.values()} == {"good"}

    await asyncio.to_thread(platform.until, well, "not every listener is well")
    for _, found in told().values():
        assert "follows 2 of 2; reached at" in found
        assert found.endswith("its certificate ends never")
