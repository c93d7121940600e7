"""How brokers are reached, and what is said when they cannot be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

import moorage_mqtt as mqtt
from moorage import sources
from moorage.testing.authority import Authority
from ports import free_port
from sources.world import Broker, World, a_broker, fetching


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest_asyncio.fixture
async def closed(tmp_path: Path) -> AsyncIterator[Broker]:
    """Run a broker that lets in `plant` with a password, to what lies below `p/` only."""
    made = await asyncio.create_subprocess_exec(
        "mosquitto_passwd", "-b", "-c", str(tmp_path / "passwords"), "plant", "sesame"
    )
    assert await made.wait() == 0
    (tmp_path / "acl").write_text("user plant\ntopic readwrite p/#\n")
    files = (f"password_file {tmp_path}/passwords", f"acl_file {tmp_path}/acl")
    async with a_broker(tmp_path, *files) as broker:
        yield broker


@pytest_asyncio.fixture
async def over_tls(tmp_path: Path, authority: Authority) -> AsyncIterator[Broker]:
    """Run a broker that knows people by their certificates."""
    certificate, key = authority.files("localhost")
    (tmp_path / "ca.crt").write_text(authority.certificate)
    async with a_broker(
        tmp_path,
        f"certfile {certificate}",
        f"keyfile {key}",
        f"cafile {tmp_path}/ca.crt",
        "require_certificate true",
        "use_identity_as_username true",
    ) as broker:
        yield broker


async def test_a_password_opens_and_a_wrong_one_is_told_of(world: World, closed: Broker) -> None:
    await world.a_device("Pump")
    for version in sources.Version:
        wrong = await world.a_source(
            closed.url, "p/{device}", version=version, user_name="plant",
            secrets={"password": "open"},
        )  # fmt: skip
        async with fetching(world):
            told = await world.until_failing(wrong)
            assert told.startswith("The broker refuses the connection: ")
            assert "not authorized" in told
            health = (await world.get(wrong)).health
            assert health.retry_at is not None
            assert health.failed_at is not None
            await world.change(wrong, secrets={"password": "sesame"})
            await world.until_connected(wrong)
            options = {"username": "plant", "pw": "sesame"}
            await closed.publish("p/pump", "in", **options)
            await world.until_counted(wrong, taken=1)
        assert (await world.get(wrong)).health.error == ""


async def test_a_client_certificate_opens(
    world: World, over_tls: Broker, authority: Authority, tmp_path: Path
) -> None:
    pump = await world.a_device("Pump")
    certificate, key = authority.issue("moorage")
    source = await world.a_source(
        f"mqtts://localhost:{over_tls.port}", "p/{device}", authority=authority.certificate,
        client_certificate=certificate, secrets={"clientKey": key},
    )  # fmt: skip
    own, own_key = authority.files("publisher")
    async with fetching(world):
        await world.until_connected(source)
        process = await asyncio.create_subprocess_exec(
            "mosquitto_pub", "-h", "localhost", "-p", str(over_tls.port), "-q", "1", "-t", "p/pump",
            "-m", "in", "--cafile", str(tmp_path / "ca.crt"), "--cert", str(own),
            "--key", str(own_key),
        )  # fmt: skip
        assert await process.wait() == 0
        await world.until_counted(source, taken=1)
    assert await world.payloads(pump) == ["in"]
    assert "u'moorage'" in over_tls.log


async def test_a_broker_that_cannot_prove_who_it_is_is_not_spoken_to(
    world: World, over_tls: Broker, authority: Authority, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    certificate, key = authority.issue("moorage")
    own = {"client_certificate": certificate, "secrets": {"clientKey": key}}
    by_name, by_number = f"mqtts://localhost:{over_tls.port}", f"mqtts://127.0.0.1:{over_tls.port}"
    foreign = Authority(elsewhere).certificate
    wrong_authority = await world.a_source(by_name, "a/{device}", authority=foreign, **own)
    wrong_name = await world.a_source(
        by_number, "b/{device}", authority=authority.certificate, **own
    )
    async with fetching(world):
        told = await world.until_failing(wrong_authority)
        assert told.startswith("The certificate of localhost is not trusted: ")
        told = await world.until_failing(wrong_name)
        assert told.startswith("The certificate of 127.0.0.1 is not trusted: ")
        assert "127.0.0.1" in told.partition(": ")[2]
    assert "moorage-" not in over_tls.log


async def test_websocket_carries_mqtt(world: World, tmp_path: Path) -> None:
    pump = await world.a_device("Pump")
    plain = free_port()
    lines = ("protocol websockets", f"listener {plain} 127.0.0.1", "allow_anonymous true")
    async with a_broker(tmp_path, *lines) as broker:
        url = f"ws://127.0.0.1:{broker.port}"
        ports = broker.port
        broker.port = plain
        found = [await world.a_source(url, f"{v}/{{device}}", version=v) for v in sources.Version]
        async with fetching(world):
            for source in found:
                await world.until_connected(source)
            for version in sources.Version:
                await broker.publish(f"{version}/pump", *(f"{version}-{n}" for n in range(300)))
            for source in found:
                await world.until_counted(source, taken=300)
            no_websocket = await world.a_source(f"ws://127.0.0.1:{plain}", "x/{device}")
            assert await world.until_failing(no_websocket)
        assert len(set(await world.payloads(pump))) == 600
        broker.port = ports


async def test_a_broker_that_is_not_there_is_told_of(world: World) -> None:
    wrong = await world.a_source("mqtt://127.0.0.1:1", "p/{device}")
    unknown = await world.a_source("mqtt://nowhere.invalid", "p/{device}")
    async with fetching(world):
        assert "No connection to 127.0.0.1:1" in await world.until_failing(wrong)
        assert "nowhere.invalid cannot be found" in await world.until_failing(unknown)


async def test_two_processes_hold_a_source_once(world: World, broker: Broker) -> None:
    pump = await world.a_device("Pump")
    source = await world.a_source(broker.url, "p/{device}")
    async with fetching(world):
        await world.until_connected(source)
        async with fetching(world):
            await broker.publish("p/pump", *(str(n) for n in range(50)))
            await world.until_counted(source, taken=50, repeated=0)
    assert len(await world.payloads(pump)) == 50
    assert broker.log.count(f"as moorage-{source.id.hex}") == 1


class Fussy(asyncio.Protocol):
    """The smallest broker there is: refuses what begins with `no/`, and sends what it is told."""

    def __init__(self) -> None:
        self.machine = mqtt.ServerConnection(mqtt.Limits(), now=time.monotonic())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        for event in self.machine.receive(data, time.monotonic()):
            if isinstance(event, mqtt.Connect):
                now = time.monotonic()
                self.machine.accept(mqtt.Session(), now=now, session_present=False)
            elif isinstance(event, mqtt.Subscribe):
                filters = [one.topic_filter for one in event.subscriptions]
                codes = [0x87 if name.startswith("no/") else 1 for name in filters]
                self.machine.suback(event.packet_id, tuple(codes))
                if any(code == 1 for code in codes):
                    self.machine.publish("p/pump", b"in", now=time.monotonic(), qos=1)
        self.transport.write(self.machine.take())


async def test_what_the_broker_refuses_is_shown_while_the_rest_flows(world: World) -> None:
    pump = await world.a_device("Pump")
    server = await asyncio.get_running_loop().create_server(Fussy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        source = await world.a_source(f"mqtt://127.0.0.1:{port}", "p/{device}", "no/{device}")
        async with fetching(world):
            await world.until_connected(source)
            await world.until_counted(source, taken=1)
        error = (await world.get(source)).health.error
    finally:
        server.close()
    assert error == "The broker refuses subscriptions: no/+ (not authorized)."
    assert await world.payloads(pump) == ["in"]


class Babbling(asyncio.Protocol):
    """No broker at all."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 50)


async def test_who_speaks_something_else_is_told_of(world: World) -> None:
    server = await asyncio.get_running_loop().create_server(Babbling, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with fetching(world):
            for scheme in ("mqtt", "ws", "mqtts"):
                url = f"{scheme}://localhost:{port}"
                assert await world.until_failing(await world.a_source(url, f"{scheme}/{{device}}"))
    finally:
        server.close()
