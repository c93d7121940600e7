"""Several listeners on one database: a device finds everything at each, and each may die."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ingest.test_scram import first, go_on, scram
from installation import DeviceKey, Installation, ok, running
from moorage.entry import peers
from moorage.kit import secrets
from moorage.kit.ids import uuid7
from moorage.testing.authority import Authority
from moorage_mqtt import (
    V5,
    V311,
    Auth,
    ConnAck,
    Publish,
    ReasonCode,
    Session,
    Will,
)
from scenarios.client import PATIENCE_S, connected, dialled
from scenarios.listeners import Listener, accepted, lasting, started

BOTH = pytest.mark.parametrize("version", [pytest.param(V311, marks=pytest.mark.long), V5])


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Give a running installation; its own listener is one of several."""
    with running(tmp_path_factory.mktemp("listeners") / "data") as platform:
        yield platform


@pytest.fixture(scope="module")
def application(platform: Installation) -> str:
    return platform.application(platform.organization("Listeners"), "Pumps")


@pytest.fixture
def key(platform: Installation, application: str, request: pytest.FixtureRequest) -> DeviceKey:
    name = request.node.name
    return platform.device(application, name, user_name=name)


@pytest.fixture
def pair(platform: Installation) -> Iterator[tuple[Listener, Listener]]:
    with started(platform) as one, started(platform) as other:
        yield one, other


@BOTH
async def test_the_second_connect_of_a_client_takes_its_session_over(
    pair: tuple[Listener, Listener], key: DeviceKey, version: int
) -> None:
    one, other = pair
    session = Session()
    async with (
        dialled(one.port, **lasting(key, "c", version)) as first,
        connected(one.port, key.user_name, key.secret, client_id="speaks") as speaks,
    ):
        assert not await accepted(first)
        assert await first.subscribe("v1/up/#") == 1
        speaks.writer.close()
        async with dialled(other.port, **lasting(key, "c", version, session=session)) as second:
            assert await accepted(second)
            ended = await first.until_closed()
            if version == V5:
                assert ended is not None
                assert ended.reason_code == 0x8E
            assert await second.publish("v1/up/a", b"{}", qos=2) == 0
            assert (await second.next(Publish)).topic == "v1/up/a"


@BOTH
async def test_connections_of_a_device_at_different_listeners_hear_each_other(
    platform: Installation, pair: tuple[Listener, Listener], key: DeviceKey, version: int
) -> None:
    one, other = pair
    async with (
        dialled(one.port, **lasting(key, "hears", version)) as hears,
        connected(other.port, key.user_name, key.secret, version=version) as speaks,
    ):
        await accepted(hears)
        assert await hears.subscribe("v1/up/#") == 1
        for qos in (0, 1, 2):
            body = b'{"n":%d}' % qos
            speaks.core.publish("v1/up/a", body, qos=qos, now=0.0)
            speaks.flush()
            assert (await hears.next(Publish)).payload == body
        assert await speaks.subscribe("v1/op/#") == 1
        await asyncio.to_thread(
            platform.admin.post, f"/api/v1/devices/{key.id}/operations", json={"code": "blink"}
        )
        assert (await speaks.next(Publish)).topic.startswith("v1/op/")


async def test_who_is_carried_has_proved_himself_where_he_came(
    platform: Installation, pair: tuple[Listener, Listener], key: DeviceKey, tmp_path: Path
) -> None:
    one, other = pair
    prover = scram(key.user_name, key.secret)
    async with (
        connected(one.port, key.user_name, key.secret, client_id="holds") as holds,
        dialled(other.port, client_id="proves", properties=first(prover)) as proves,
    ):
        assert await holds.subscribe("v1/up/#") == 1
        await go_on(proves, prover)
        answer = await proves.next(ConnAck)
        assert answer.reason_code == 0
        prover.set_server_final(answer.properties["authentication_data"].decode())
        assert await proves.publish("v1/up/a", b"1") == 0
        assert (await holds.next(Publish)).payload == b"1"
        again = scram(key.user_name, key.secret)
        proves.core.authenticate(ReasonCode.REAUTHENTICATE, again.get_client_first().encode())
        proves.flush()
        await go_on(proves, again)
        assert (await proves.next(Auth)).reason_code == 0

        certificate, private = Authority(tmp_path).files("pump")
        body = {"certificate": certificate.read_text()}
        path = f"/api/v1/devices/{key.id}/certificates"
        added = await asyncio.to_thread(platform.admin.post, path, json=body)
        assert added.status_code == 201, added.text
        context = ssl.create_default_context(cafile=platform.directory / "tls" / "authority.pem")
        context.load_cert_chain(certificate, private)
        shows = await shown(other.tls_port, context)
        async with shows as client:
            assert (await client.next(ConnAck)).reason_code == 0
            assert await client.publish("v1/up/b", b"2") == 0
            assert (await holds.next(Publish)).payload == b"2"


async def shown(port: int, context: ssl.SSLContext) -> Any:
    """Connect once the listener has heard of the certificate."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(ssl.SSLError, ConnectionError, AssertionError):
                async with dialled(port, client_id="tries", tls=context) as tried:
                    await tried.next(ConnAck)
                    return dialled(port, client_id="shows", tls=context)
            await asyncio.sleep(0.1)


async def test_a_carried_connection_is_shown_once_and_measured_at_both_ends(
    platform: Installation, pair: tuple[Listener, Listener], key: DeviceKey
) -> None:
    one, other = pair
    packets: list[dict[str, Any]] = []
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def watch() -> None:
        path = f"/api/v1/devices/{key.id}/trace"
        with platform.admin.stream("GET", path, timeout=60) as answer:
            for line in answer.iter_lines():
                if line == "event: started":
                    loop.call_soon_threadsafe(begun.set)
                elif line.startswith("data: {") and '"kind"' in line:
                    packets.append(json.loads(line[6:]))
                    if packets[-1]["kind"] == "closed" and packets[-1]["clientId"] == "far":
                        return

    def measured() -> bool:
        path = f"/api/v1/devices/{key.id}/presence"
        found = ok(platform.admin.get(path)).json()["connections"]
        figures = next((one["figures"] for one in found if one["clientId"] == "far"), None) or {}
        # The one comes from the listener that carries, the other from the device's home.
        return bool(figures.get("roundTripMs")) and figures.get("messagesIn") == 1

    async with connected(one.port, key.user_name, key.secret, client_id="near"):
        watching = asyncio.create_task(asyncio.to_thread(watch))
        await begun.wait()
        # The listeners read along a moment later: a first connection shows that they do.
        while not any(packet["clientId"] == "early" for packet in packets):
            async with connected(other.port, key.user_name, key.secret, client_id="early"):
                await asyncio.sleep(0.3)
        async with connected(other.port, key.user_name, key.secret, client_id="far") as far:
            await far.publish("v1/up/a", b"21")
            await asyncio.to_thread(platform.until, measured, "it is not measured")
        await asyncio.wait_for(watching, 60)
    shown = [one["kind"] for one in packets if one["clientId"] == "far" and one["direction"]]
    assert shown[:4] == ["CONNECT", "CONNACK", "PUBLISH", "PUBACK"]
    homes = {packet["connection"].partition("-")[0] for packet in packets}
    assert len(homes) == 1  # Only where the device is at home are its packets shown.


@pytest.mark.parametrize("delay_s", [0, pytest.param(2, marks=pytest.mark.long)])
async def test_the_will_of_a_killed_listeners_device_is_published_once(
    platform: Installation, pair: tuple[Listener, Listener], key: DeviceKey, delay_s: int
) -> None:
    one, other = pair
    properties: Any = {"will_delay_interval": delay_s}
    will = Will("v1/up/will", b'{"gone":1}', 1, properties=properties)
    async with dialled(one.port, **lasting(key, "lost", will=will)) as client:
        await accepted(client)
        async with connected(other.port, key.user_name, key.secret, client_id="hears") as hears:
            assert await hears.subscribe("v1/up/#") == 1
            one.kill()
            # Its home was the one that died, so it comes back; who had the will does not.
            await hears.until_closed()
    async with connected(other.port, key.user_name, key.secret, client_id="after") as after:
        assert await after.publish("v1/up", b'{"n":1}') == 0
    platform.until(lambda: latest(platform, key).get("gone") == 1, "the will was not published")


@pytest.mark.long
async def test_a_listener_that_stops_takes_no_will_of_those_it_carries_along(
    platform: Installation, pair: tuple[Listener, Listener], key: DeviceKey
) -> None:
    one, other = pair
    will = Will("v1/up/will", b'{"gone":1}', 1)
    async with connected(one.port, key.user_name, key.secret, client_id="home") as home:
        assert await home.subscribe("v1/up/#") == 1
        async with dialled(other.port, **lasting(key, "carried", will=will)) as carried:
            await accepted(carried)
            assert await carried.publish("v1/up/a", b'{"n":1}') == 0
            assert (await home.next(Publish)).payload == b'{"n":1}'
            other.process.terminate()
            await carried.until_closed()
        await asyncio.to_thread(other.process.wait, 20)
        assert await home.publish("v1/up/b", b'{"n":2}') == 0
        assert (await home.next(Publish)).payload == b'{"n":2}'


def latest(platform: Installation, key: DeviceKey) -> dict[str, Any]:
    found = platform.admin.get(f"/api/v1/devices/{key.id}/latest").json()["latest"]
    return {one["series"]: one["value"] for one in found}


async def test_who_has_another_root_key_is_not_talked_to(
    pair: tuple[Listener, Listener], platform: Installation
) -> None:
    with psycopg.connect(platform.database_url) as database:
        (address,) = database.execute("SELECT address FROM session_listeners").fetchone() or ("",)
    host, _, port = address.rpartition(":")
    stranger = secrets.SealingKey(uuid7(), b"x" * 32, datetime.now(UTC))
    for context in (peers.PeerContexts(secrets.Sealer([stranger])).dialling(), None):
        reader, writer = None, None
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
            writer.write(b"\0\4abcd")
            assert await reader.read() == b""
        if writer is not None:
            writer.close()
