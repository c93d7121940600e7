"""The MQTT kind against a real Mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

import moorage_mqtt as mqtt
from moorage.builtin.targets.mqtt import KIND
from moorage.kit.errors import FieldInvalid
from moorage.targets import Delivery, Outcome, Result
from moorage.testing.authority import Authority
from moorage.testing.targets import CHECKS, NETWORK, Bench, Received, a_delivery
from ports import free_port
from targets.servers import mosquitto, until_listening


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[int]:
    """Run a broker that lets anybody publish, but not below `closed/`."""
    directory = tmp_path_factory.mktemp("mosquitto")
    (directory / "acl").write_text("topic readwrite open/#\n")
    lines = ("allow_anonymous true", f"acl_file {directory}/acl", "max_packet_size 100000")
    async with mosquitto(directory, *lines) as port:
        yield port


class Subscriber(asyncio.Protocol):
    """A subscriber that keeps what it is sent."""

    def __init__(self, topic: str) -> None:
        self.machine = mqtt.ClientConnection(f"sub-{uuid4().hex[:8]}", now=time.monotonic())
        self.topic = topic
        self.received: list[mqtt.Publish] = []
        self.subscribed = asyncio.get_running_loop().create_future()
        self.news = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.transport.write(self.machine.take())

    def data_received(self, data: bytes) -> None:
        for event in self.machine.receive(data, time.monotonic()):
            if isinstance(event, mqtt.ConnAck):
                self.machine.subscribe(mqtt.Subscription(self.topic, 0))
            elif isinstance(event, mqtt.SubAck):
                self.subscribed.set_result(None)
            elif isinstance(event, mqtt.Publish):
                self.received.append(event)
                self.news.set()
        self.transport.write(self.machine.take())


@contextlib.asynccontextmanager
async def subscriber(port: int, topic: str) -> AsyncIterator[Subscriber]:
    made = Subscriber(topic)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(lambda: made, "127.0.0.1", port)
    await made.subscribed
    try:
        yield made
    finally:
        transport.close()


async def settled(made: Subscriber, count: int) -> Sequence[mqtt.Publish]:
    """Wait for what the broker still has to pass on."""
    async with asyncio.timeout(10):
        while len(made.received) < count:
            made.news.clear()
            await made.news.wait()
    return made.received


def a_setting(port: int, **others: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "encrypted": False, "topic": "open/a", **others}


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_mqtt_kind_conforms(
    check: Callable[[Bench], Awaitable[None]], version: str, broker: int
) -> None:
    topic = f"open/{uuid4().hex}"
    settings = a_setting(broker, topic=f"{topic}/{{{{key}}}}", version=version)
    async with subscriber(broker, f"{topic}/#") as made:

        async def received() -> list[Received]:
            await asyncio.sleep(0.1)  # The broker acknowledges first and passes on after.
            return [Received(p.topic.rpartition("/")[2], p.payload) for p in made.received]

        await check(
            Bench(
                KIND,
                settings,
                received,
                # A broker of 3.1.1 cannot refuse a message but by hanging up.
                {**settings, "topic": "closed/a"} if version == "5" else None,
                a_setting(free_port()),
                a_setting(broker, topic="open/#"),
            )
        )


async def send(
    settings: Mapping[str, Any],
    deliveries: Sequence[Delivery] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Sequence[Result]:
    KIND.check(settings, frozenset(secrets or ()))
    sender = await KIND.open(settings, secrets or {}, NETWORK, f"test-{uuid4().hex[:8]}")
    try:
        return await sender.send(deliveries or [a_delivery(1)])
    finally:
        await sender.close()


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_every_qos_is_delivered(qos: int, broker: int) -> None:
    topic = f"open/{uuid4().hex}"
    async with subscriber(broker, topic) as made:
        results = await send(
            a_setting(broker, topic=topic, qos=qos), [a_delivery(n) for n in range(50)]
        )
        assert {r.outcome for r in results} == {Outcome.ACCEPTED}
        assert len(await settled(made, 50)) == 50


async def test_topic_and_key_come_from_the_message(broker: int) -> None:
    root = f"open/{uuid4().hex}"
    delivery = a_delivery(1)
    async with subscriber(broker, f"{root}/#") as made:
        await send(
            a_setting(
                broker, topic=f"{root}/{{{{device.name}}}}/{{{{document.number}}}}",
                body="{{document}}",
            ),
            [delivery],
        )  # fmt: skip
        (message,) = await settled(made, 1)
    assert message.topic == f"{root}/Conformance/1"
    assert message.properties["user_property"] == [("id", delivery.key)]
    assert message.properties["content_type"] == "application/json"


async def test_a_retained_message_stays(broker: int) -> None:
    topic = f"open/{uuid4().hex}"
    await send(a_setting(broker, topic=topic, retain=True))
    async with subscriber(broker, topic) as made:
        (message,) = await settled(made, 1)
    assert message.retain


async def test_an_oversize_message_is_refused_and_stops_no_other(broker: int) -> None:
    big = a_delivery(1)
    big.content.document = b'"' + b"x" * 200_000 + b'"'
    results = await send(a_setting(broker), [big, a_delivery(2)])
    assert [r.outcome for r in results] == [Outcome.REFUSED, Outcome.ACCEPTED]


async def test_many_batches_at_once_share_one_connection(broker: int) -> None:
    topic = f"open/{uuid4().hex}"
    sender = await KIND.open(a_setting(broker, topic=topic), {}, NETWORK, "one-connection")
    try:
        async with subscriber(broker, topic) as made:
            batches = [[a_delivery(n) for n in range(100)] for _ in range(20)]
            results = await asyncio.gather(*(sender.send(batch) for batch in batches))
            assert {r.outcome for batch in results for r in batch} == {Outcome.ACCEPTED}
            assert len(await settled(made, 2000)) == 2000
    finally:
        await sender.close()


async def test_a_lost_broker_is_an_outage_until_it_is_back(tmp_path: Path) -> None:
    async with mosquitto(tmp_path, "allow_anonymous true") as port:
        sender = await KIND.open(a_setting(port), {}, NETWORK, "test-lost")
        assert (await sender.send([a_delivery(1)]))[0].outcome is Outcome.ACCEPTED
    try:
        (gone,) = await sender.send([a_delivery(2)])
        assert gone.outcome is Outcome.OUTAGE
        again = await asyncio.create_subprocess_exec(
            "/usr/sbin/mosquitto", "-c", str(tmp_path / "mosquitto.conf"),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await until_listening(port)
            (back,) = await sender.send([a_delivery(3)])
            assert back.outcome is Outcome.ACCEPTED
        finally:
            again.terminate()
            await again.wait()
    finally:
        await sender.close()


async def test_tls_user_and_client_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "ca.crt").write_text(authority.certificate)
    certificate, key = authority.files("localhost")
    client, client_key = authority.issue("moorage")
    for file in (tmp_path / "ca.crt", certificate, key):
        file.chmod(0o644)
    lines = (
        f"cafile {tmp_path}/ca.crt", f"certfile {certificate}", f"keyfile {key}",
        "require_certificate true", "allow_anonymous true",
    )  # fmt: skip
    async with mosquitto(tmp_path, *lines) as port:
        settings = {"host": "localhost", "port": port, "topic": "a", "timeoutS": 5}
        (untrusted,) = await send(settings)
        assert untrusted.outcome is Outcome.OUTAGE
        assert "not trusted" in untrusted.detail
        trusted = {**settings, "tls": {"authority": authority.certificate}}
        assert (await send(trusted))[0].outcome is Outcome.OUTAGE
        whole = {
            **settings,
            "tls": {"authority": authority.certificate, "clientCertificate": client},
        }
        assert (await send(whole, None, {"clientKey": client_key}))[0].outcome is Outcome.ACCEPTED


async def test_a_wrong_password_is_named(tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text("us:$7$101$AAAAAAAAAAAAAAAA$AAAA\n")
    (tmp_path / "passwords").chmod(0o600)
    async with mosquitto(
        tmp_path, "allow_anonymous false", f"password_file {tmp_path}/passwords"
    ) as port:
        for version, words in (("5", "not authorized"), ("3.1.1", "authorized")):
            settings = a_setting(port, user="us", version=version)
            (result,) = await send(settings, None, {"password": "wrong"})
            assert result.outcome is Outcome.OUTAGE
            assert words in result.detail or "wrong" in result.detail


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ({"topic": "a"}, "/settings/host"),
        ({"host": "x", "topic": "a/+/b"}, "/settings/topic"),
        ({"host": "x", "topic": "a/{{device.id}}/#"}, "/settings/topic"),
        ({"host": "x", "topic": "a", "qos": 3}, "/settings/qos"),
        ({"host": "x/y", "topic": "a"}, "/settings/host"),
        ({"host": "x", "topic": "{{nonsense}}"}, "/settings/topic"),
    ],
)
def test_wrong_settings_are_named(settings: Mapping[str, Any], pointer: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        KIND.check(settings, frozenset())
    assert refused.value.pointer == pointer
