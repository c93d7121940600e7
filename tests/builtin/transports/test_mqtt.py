from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from memory_host import MemoryHost
from moorage.builtin.transports.mqtt import DoorSettings, MqttDoor
from moorage.builtin.transports.mqtt.link import Link
from moorage.plugin import Command, Peers, uuid7
from moorage_mqtt import (
    V5,
    V311,
    Acknowledged,
    ClientConnection,
    ConnAck,
    Disconnect,
    Event,
    Limits,
    Publish,
    SubAck,
    Subscription,
    Will,
    encode,
)

both = pytest.mark.parametrize("version", [V311, V5])


class RawClient:
    """The core's client on a socket, so that a test sees every packet."""

    def __init__(self, core: ClientConnection, reader: Any, writer: Any) -> None:
        self.core = core
        self.reader = reader
        self.writer = writer
        self.events: list[Event] = []

    def send(self) -> None:
        self.writer.write(self.core.take())

    async def event(self, kind: type[Any], timeout_s: float = 5.0) -> Any:
        """Wait for the next event of a kind; None if the server closes before."""
        async with asyncio.timeout(timeout_s):
            while True:
                for at, event in enumerate(self.events):
                    if isinstance(event, kind):
                        del self.events[: at + 1]
                        return event
                data = await self.reader.read(65536)
                if not data:
                    return None
                self.events += self.core.receive(data, 0.0)
                self.send()

    async def closed(self, timeout_s: float = 5.0) -> bool:
        async with asyncio.timeout(timeout_s):
            with suppress(ConnectionError):
                while await self.reader.read(65536):
                    pass
            return True

    def leave(self) -> None:
        self.core.disconnect()
        self.send()
        self.writer.close()


class House:
    """A running door with its host."""

    def __init__(
        self, host: MemoryHost, door: MqttDoor, trusting: ssl.SSLContext | None = None
    ) -> None:
        self.host = host
        self.door = door
        self.trusting = trusting
        """With it, clients come over TLS."""
        self.clients: list[RawClient] = []

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection, encrypted or not."""
        port = self.door.ports[0 if self.trusting is None else 1]
        return await asyncio.open_connection("127.0.0.1", port, ssl=self.trusting)

    def command(self, payload: bytes, meta: dict[str, Any] | None = None) -> Command:
        """Make a command for the first device."""
        device = self.host.senders["dev"]
        return Command(device.number, device.device_id, uuid7(), payload, meta or {})

    async def open(self, name: str = "dev", version: int = V5, **more: Any) -> RawClient:
        """Connect a socket and send CONNECT."""
        reader, writer = await self.dial()
        password = more.pop("password", name[::-1].encode())
        core = ClientConnection(
            more.pop("client_id", name), now=0.0, version=version, username=name, password=password,
            keep_alive_s=more.pop("keep_alive_s", 0), **more,
        )  # fmt: skip
        client = RawClient(core, reader, writer)
        self.clients.append(client)
        client.send()
        return client

    async def connect(self, name: str = "dev", version: int = V5, **more: Any) -> RawClient:
        """Connect and expect to be accepted."""
        client = await self.open(name, version, **more)
        answer = await client.event(ConnAck)
        assert answer.reason_code == 0
        return client


def a_certificate(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a self-signed certificate of 127.0.0.1; gives its file and a server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path, key_path = directory / "server.pem", directory / "server.key"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key_path)
    return path, context


async def until(true: Callable[[], object], timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not true():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def a_house(trusting: ssl.SSLContext | None = None, **settings: Any) -> AsyncIterator[House]:
    host = MemoryHost()
    door = MqttDoor(replace(DoorSettings(port=0, tls_port=0, stop_timeout_s=1.0), **settings))
    ready = asyncio.Event()
    running = asyncio.create_task(door.run(host, ready.set))
    await ready.wait()
    house = House(host, door, trusting)
    try:
        yield house
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        for client in house.clients:
            client.writer.close()


@pytest.fixture(params=["tcp", "tls"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """Give a door that is spoken to in the clear, then one over TLS: it is the same door."""
    trusting = context = None
    if request.param == "tls":
        authority, context = a_certificate(tmp_path)
        trusting = ssl.create_default_context(cafile=authority)
        trusting.check_hostname = False
    async with a_house(trusting, tls=context) as one:
        one.host.add_device("dev")
        yield one


# --- Messages up ----------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("qos", [1, 2])
async def test_an_acknowledgement_follows_the_commit(house: House, version: int, qos: int) -> None:
    house.host.commit_s = 1.0
    client = await house.connect(version=version)
    client.core.publish("v1/up/meter", b"21", qos=qos, now=0.0)
    client.send()
    await asyncio.sleep(0.02)
    assert not client.events
    assert not house.host.stored

    await client.event(Acknowledged)

    [message] = house.host.stored
    assert (message.device, message.channel, message.payload) == (1, "meter", b"21")
    assert message.packet == 1


@both
async def test_many_messages_under_way_keep_their_order(house: House, version: int) -> None:
    client = await house.connect(version=version)
    for n in range(300):
        client.core.publish("v1/up", b"%d" % n, qos=n % 3, now=0.0)
        client.send()
    for _ in range(200):
        await client.event(Acknowledged)
    await until(lambda: len(house.host.stored) == 300)

    numbers = [int(one) for one in house.host.payloads()]
    assert sorted(numbers) == list(range(300))
    assert [n for n in numbers if n % 3] == [n for n in range(300) if n % 3]


async def test_properties_travel_with_the_message(house: House) -> None:
    client = await house.connect()
    properties: Any = {
        "content_type": "application/cbor",
        "user_property": [("id", "m-1"), ("site", "roof")],
    }
    for _ in range(2):
        client.core.publish("v1/up", b"x", qos=1, now=0.0, properties=properties)
    client.send()
    await client.event(Acknowledged)
    await client.event(Acknowledged)

    first, second = house.host.stored
    assert first.content_type == "application/cbor"
    assert first.own_id
    assert len(first.id) == 16
    assert first.id == second.id
    assert first.meta == {"qos": 1, "user_properties": [("id", "m-1"), ("site", "roof")]}


@both
async def test_a_repeat_of_a_stored_message_is_acknowledged_and_not_stored(
    house: House, version: int
) -> None:
    client = await house.connect(version=version)
    message = Publish("v1/up", b"a", 1, packet_id=7)
    other = Publish("v1/up", b"b", 1, packet_id=8, dup=True)
    client.writer.write(encode(message, version))
    await until(lambda: house.host.stored)
    frames = [message._replace(dup=True), other, Publish("v1/up", b"c", 1, packet_id=9)]
    client.writer.write(b"".join(encode(one, version) for one in frames))

    await until(lambda: len(house.host.stored) == 3)
    assert house.host.payloads() == [b"a", b"b", b"c"]
    assert house.host.looked_up == 1


async def test_what_cannot_be_stored_is_refused_to_5_and_ends_3_1_1(house: House) -> None:
    five = await house.connect(client_id="five")
    three = await house.connect(version=V311, client_id="three")
    house.host.failing = True
    for client in (five, three):
        client.core.publish("v1/up", b"x", qos=1, now=0.0)
        client.send()

    assert (await five.event(Acknowledged)).reason_code == 0x97
    assert await three.event(Acknowledged) is None
    assert [one.reason for one in house.host.refusals] == ["overload", "overload"]


@both
async def test_a_topic_of_somebody_else_is_refused_and_listed(house: House, version: int) -> None:
    client = await house.connect(version=version)
    client.core.publish("other/topic", b"x", qos=1, now=0.0)
    client.send()

    answer = await client.event(Acknowledged)

    if version == V5:
        assert answer.reason_code == 0x87
    else:
        assert answer is None
    [refusal] = house.host.refusals
    assert (refusal.reason, refusal.hint, refusal.device) == ("topic", "other/topic", 1)


@both
async def test_a_packet_too_long_is_refused_by_its_header(version: int) -> None:
    async with a_house(limits=Limits(packet_bytes=1000)) as house:
        house.host.add_device("dev")
        client = await house.connect(version=version)
        client.writer.write(b"\x30\xff\xff\x7f")

        answer = await client.event(Disconnect)

        assert answer is None if version == V311 else answer.reason_code == 0x95
        await until(lambda: len(house.host.presences) == 2)
        assert [one.reason for one in house.host.refusals] == ["oversize"]


async def test_an_overloaded_host_stops_the_reading_until_it_is_relieved(house: House) -> None:
    client = await house.connect()
    house.host.overloaded = True
    client.core.publish("v1/up", b"first", qos=1, now=0.0)
    client.send()
    await client.event(Acknowledged)
    client.core.publish("v1/up", b"second", qos=1, now=0.0)
    client.send()
    await asyncio.sleep(0.1)
    assert house.host.payloads() == [b"first"]

    house.host.relieve()

    await client.event(Acknowledged)
    assert house.host.payloads() == [b"first", b"second"]


# --- Coming and going -----------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "code"), [(V311, 4), (V5, 0x86)])
async def test_wrong_credentials_are_refused(house: House, version: int, code: int) -> None:
    client = await house.open(version=version, password=b"wrong")

    assert (await client.event(ConnAck)).reason_code == code
    assert await client.closed()
    assert house.host.presences == []


@pytest.mark.parametrize(("version", "code"), [(V311, 3), (V5, 0x88)])
async def test_a_stopped_database_is_no_wrong_password(
    house: House, version: int, code: int
) -> None:
    house.host.failing = True
    client = await house.open(version=version)

    assert (await client.event(ConnAck)).reason_code == code


@both
async def test_what_nobody_foresaw_ends_the_connection_and_no_other(
    house: House, version: int
) -> None:
    house.host.add_device("other")
    other = await house.connect("other", version)
    client = await house.connect(version=version)
    house.host.broken = True
    repeat = Publish("v1/up", b"a", 1, packet_id=7, dup=True)
    client.writer.write(encode(repeat, version))
    assert await client.closed()
    came = await house.open(version=version)
    assert (await came.event(ConnAck)).reason_code == (0x80 if version == V5 else 3)
    assert await came.closed()
    assert [one.cause for one in house.host.presences if not one.connected] == ["fault"]

    house.host.broken = False
    other.writer.write(encode(repeat, version))
    again = await house.connect(version=version)
    again.writer.write(encode(repeat, version))
    await until(lambda: len(house.host.stored) == 2)


@both
async def test_presence_tells_who_came_how_and_why_it_left(house: House, version: int) -> None:
    client = await house.connect(version=version)
    client.leave()
    await until(lambda: len(house.host.presences) == 2)
    lost = await house.connect(version=version)
    lost.writer.transport.abort()
    await until(lambda: len(house.host.presences) == 4)

    came, went, _, dropped = house.host.presences
    assert (came.connected, came.client_id, came.address, came.tls) == (
        True,
        "dev",
        "127.0.0.1",
        house.trusting is not None,
    )
    assert came.version == ("5" if version == V5 else "3.1.1")
    assert (went.connected, went.cause) == (False, "client")
    assert dropped.cause == "lost"


@both
async def test_silence_beyond_the_keep_alive_ends_the_connection(
    house: House, version: int
) -> None:
    client = await house.connect(version=version, keep_alive_s=1)

    assert await client.closed(timeout_s=10)
    assert house.host.presences[-1].cause == "keep-alive"
    assert house.host.refusals == []


async def test_who_may_be_silent_for_ever_is_looked_after_by_the_kernel(house: House) -> None:
    house.host.add_device("other")
    silent = await house.connect("dev", keep_alive_s=0)
    pings = await house.connect("other", keep_alive_s=60)

    def is_probed(client: RawClient) -> bool:
        """Tell whether the server's side of a connection has the timer of keep-alives (02)."""
        # Its own end first: others may have a connection to the same port of theirs.
        ends = [client.writer.get_extra_info(one)[1] for one in ("peername", "sockname")]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            cells = line.split()
            if [int(one.rpartition(":")[2], 16) for one in cells[1:3]] == ends:
                return cells[5].startswith("02")
        return False

    await until(lambda: is_probed(silent))
    assert not is_probed(pings), "its own keep-alive ends it"


async def test_who_does_not_connect_is_closed(house: House) -> None:
    async with a_house(limits=Limits(connect_timeout_s=0.2)) as quick:
        reader, writer = await asyncio.open_connection("127.0.0.1", quick.door.ports[0])
        assert await reader.read() == b""
        writer.close()
    reader, writer = await house.dial()
    writer.write(b"HELO somebody\r\n")
    assert await reader.read() == b""
    writer.close()
    assert [one.reason for one in house.host.refusals] == ["malformed"]


async def test_more_connections_than_allowed_are_closed() -> None:
    async with a_house(connections=2) as house:
        for name in ("a", "b", "c"):
            house.host.add_device(name)
        await house.connect("a")
        await house.connect("b")

        assert await (await house.open("c")).closed()
        assert [one.reason for one in house.host.refusals] == ["overload"]


@both
async def test_the_same_client_id_takes_over_and_another_devices_does_not(
    house: House, version: int
) -> None:
    house.host.add_device("other")
    first = await house.connect(version=version)
    foreign = await house.connect("other", version, client_id="dev")

    second = await house.connect(version=version)

    goodbye = await first.event(Disconnect)
    assert goodbye is None if version == V311 else goodbye.reason_code == 0x8E
    for client in (second, foreign):
        client.core.publish("v1/up", b"x", qos=1, now=0.0)
        client.send()
        await client.event(Acknowledged)
    assert [one.cause for one in house.host.presences if not one.connected] == ["taken-over"]


@both
async def test_a_lasting_session_is_found_again_and_a_qos_2_message_not_taken_twice(
    house: House, version: int
) -> None:
    house.host.commit_s = 0.1
    lasting: Any = {"properties": {"session_expiry_interval": 100}} if version == V5 else {}
    first = await house.connect(version=version, clean_start=False, **lasting)
    first.core.subscribe(Subscription("v1/op/+", 1))
    first.send()
    await first.event(SubAck)
    message = Publish("v1/up", b"once", 2, packet_id=3)
    first.writer.write(encode(message, version))
    await asyncio.sleep(0.03)
    first.writer.transport.abort()

    second = await house.open(version=version, clean_start=False, **lasting)
    answer = await second.event(ConnAck)
    assert answer.session_present
    second.writer.write(encode(message._replace(dup=True), version))
    await asyncio.sleep(0.2)

    assert house.host.payloads() == [b"once"]
    assert house.host.connected() == [1]
    clean = await house.open(version=version)
    assert not (await clean.event(ConnAck)).session_present
    assert house.host.connected() == []


async def test_a_connection_that_has_ended_is_let_go_of_at_once(house: House) -> None:
    def links() -> int:
        return sum(type(one) is Link for one in gc.get_objects())

    before = links()
    clients = [await house.connect(client_id=f"c{n}") for n in range(3)]
    assert links() == before + 3
    gc.disable()  # Nothing has to look for it.
    try:
        for client in clients:
            client.leave()
        await until(lambda: links() == before)
    finally:
        gc.enable()


async def test_a_client_without_id_is_given_one(house: House) -> None:
    client = await house.open(client_id="")
    answer = await client.event(ConnAck)
    assert answer.properties["assigned_client_identifier"] == house.host.presences[0].client_id


@both
async def test_a_will_is_a_message_of_the_lost_device(house: House, version: int) -> None:
    will = Will("v1/up/status", b"gone", 1)
    polite = await house.connect(version=version, will=will)
    polite.leave()
    await until(lambda: len(house.host.presences) == 2)
    rude = await house.connect(version=version, will=will)
    rude.writer.transport.abort()
    await until(lambda: house.host.stored)

    assert [(one.channel, one.payload) for one in house.host.stored] == [("status", b"gone")]
    refused = await house.open(version=version, will=Will("elsewhere", b""))
    assert (await refused.event(ConnAck)).reason_code == (0x87 if version == V5 else 5)


async def test_a_delayed_will_waits_and_is_spared_by_a_return(house: House) -> None:
    will = Will("v1/up", b"gone", properties={"will_delay_interval": 1})
    lasting: Any = {"session_expiry_interval": 100}
    first = await house.connect(will=will, properties=lasting)
    first.writer.transport.abort()
    second = await house.connect(will=will, clean_start=False, properties=lasting)
    await asyncio.sleep(2.5)
    assert house.host.stored == []

    second.writer.transport.abort()
    await until(lambda: house.host.payloads() == [b"gone"])


@both
async def test_a_stopping_door_waits_for_the_commit_and_says_goodbye(version: int) -> None:
    async with a_house() as house:
        house.host.add_device("dev")
        house.host.commit_s = 0.2
        client = await house.connect(version=version)
        client.core.publish("v1/up", b"x", qos=1, now=0.0)
        client.send()
        await asyncio.sleep(0.05)
    assert house.host.payloads() == [b"x"]
    await client.event(Acknowledged)
    goodbye = await client.event(Disconnect)
    assert goodbye is None if version == V311 else goodbye.reason_code == 0x8B
    assert house.host.presences[-1].cause == "shutdown"


async def test_what_has_ended_a_connection_of_mqtt_3_1_1_is_dropped_when_it_comes_again(
    house: House,
) -> None:
    denied = [Publish("elsewhere", b"%d" % n, 1, packet_id=n) for n in (5, 6)]
    allowed = Publish("v1/up", b"mine", 1, packet_id=7)

    async def said(*messages: Publish) -> bytes:
        client = await house.connect(version=V311)
        client.writer.write(b"".join(encode(one, V311) for one in messages))
        answers = b""
        while len(answers) < 4 * len(messages) and (data := await client.reader.read(100)):
            answers += data
        client.writer.close()
        return answers

    # A client sends again what was not acknowledged, as new or with DUP.
    assert await said(*denied, allowed) == b""
    assert await said(denied[0]._replace(dup=True), denied[1], allowed) == b"\x40\x02\x00\x05"
    assert house.host.payloads() == []
    assert await said(denied[1], allowed) == b"\x40\x02\x00\x06\x40\x02\x00\x07"
    assert house.host.payloads() == [b"mine"]
    assert {one.hint for one in house.host.refusals if one.reason == "topic"} == {"elsewhere"}
    # Another message is told anew.
    assert await said(denied[0]) == b""


# --- Commands down --------------------------------------------------------------------------------


async def test_what_the_door_itself_sends_names_the_subscriptions_it_is_for(house: House) -> None:
    client = await house.connect()
    for identifier, wanted in ((7, "v1/op/+"), (8, "v1/op/#"), (9, "v1/time")):
        properties: Any = {"subscription_identifier": [identifier]}
        client.core.subscribe(Subscription(wanted, 1), properties=properties)
        client.send()
        await client.event(SubAck)

    time = await client.event(Publish)
    assert house.host.deliver(house.command(b"blink"))
    command = await client.event(Publish)

    assert time.properties == {"subscription_identifier": [9]}
    assert command.properties["subscription_identifier"] == [7, 8]


@both
async def test_a_gateway_takes_the_commands_of_the_devices_behind_it(
    house: House, version: int
) -> None:
    host = house.host
    host.senders["dev"] = replace(host.senders["dev"], is_gateway=True)
    child, other = host.add_device("child"), host.add_device("other")
    host.behind = {str(child.device_id): child}
    client = await house.connect(version=version)
    client.core.subscribe(Subscription("v1/devices/+/op/+", 1))
    client.send()
    await client.event(SubAck)
    assert sorted(host.connected()) == [1, child.number]

    command = Command(child.number, child.device_id, uuid7(), b"blink", gateway=1)
    assert host.deliver(command)
    down = await client.event(Publish)
    assert down.topic == f"v1/devices/{child.device_id}/op/{command.id}"
    assert not host.deliver(Command(other.number, other.device_id, uuid7(), b"no"))

    host.behind = {}
    assert host.connected() == [1]


async def test_what_is_turned_away_is_counted_as_shed(house: House) -> None:
    client = await house.connect()
    house.host.wait_s = 0.5
    for qos in (0, 1):
        client.core.publish("v1/up", b"{}", qos=qos, now=0.0)
    client.send()
    assert (await client.event(Acknowledged)).reason_code == 0x97
    assert house.host.shed_for == ["rate", "rate"]
    house.host.wait_s = 0.0
    house.host.failing = True
    client.core.publish("v1/up", b"{}", qos=1, now=0.0)
    client.send()
    assert (await client.event(Acknowledged)).reason_code == 0x97
    assert house.host.shed_for == ["rate", "rate", "overload"]
    assert house.host.stored == []


async def test_the_older_version_is_closed_when_a_quota_is_used_up_for_long(house: House) -> None:
    client = await house.connect(version=V311)
    house.host.wait_s = 300.0
    client.core.publish("v1/up", b"{}", qos=1, now=0.0)
    client.send()
    assert await client.closed(30.0)
    assert house.host.stored == []
    assert house.host.shed_for == ["rate"]
    assert house.host.presences[-1].cause == "overload"


@both
async def test_a_device_that_asks_is_told_the_time(house: House, version: int) -> None:
    client = await house.connect(version=version)
    client.core.subscribe(Subscription("v1/time", 1))
    client.send()
    first = await client.event(Publish)
    client.core.publish("v1/time", b"", qos=1, now=0.0)
    client.send()
    again = await client.event(Publish)
    assert (first.topic, again.topic) == ("v1/time", "v1/time")
    now_ms = datetime.now(UTC).timestamp() * 1000
    assert now_ms - 60_000 < int(first.payload) <= int(again.payload) <= now_ms + 1
    assert house.host.stored == []


@both
async def test_a_connection_ends_with_its_credential(house: House, version: int) -> None:
    sender = house.host.senders["dev"]
    for name, ends in (("later", timedelta(hours=1)), ("dev", timedelta(seconds=0.2))):
        house.host.senders[name] = replace(sender, valid_until=datetime.now(UTC) + ends)
    lasting = await house.connect("later", version=version)
    client = await house.connect(version=version)
    if version == V5:
        assert (await client.event(Disconnect)).reason_code == 0x98
    assert await client.closed()
    assert house.host.presences[-1].cause == "revoked"
    lasting.core.publish("v1/up", b"{}", qos=1, now=0.0)
    lasting.send()
    await lasting.event(Acknowledged)


@both
async def test_a_command_reaches_the_device_that_subscribed(house: House, version: int) -> None:
    client = await house.connect(version=version)
    command = house.command(b'{"on": true}', {"content_type": "application/json"})
    assert house.host.connected() == []
    assert not house.host.deliver(command)
    client.core.subscribe(Subscription("v1/op/+", 1))
    client.send()
    assert (await client.event(SubAck)).reason_codes == (1,)
    assert house.host.connected() == [1]

    assert house.host.deliver(command)

    got = await client.event(Publish)
    assert (got.topic, got.payload, got.qos) == (f"v1/op/{command.id}", b'{"on": true}', 1)
    if version == V5:
        assert got.properties == {
            "content_type": "application/json",
            "response_topic": f"v1/op/{command.id}/result",
        }
    client.core.unsubscribe("v1/op/+")
    client.send()
    await until(lambda: house.host.connected() == [])


@pytest.mark.parametrize(("version", "codes"), [(V311, [0x80] * 3), (V5, [0x87, 0x87, 0x9E])])
async def test_a_device_subscribes_to_its_own_topics_only_and_shares_none(
    house: House, version: int, codes: list[int]
) -> None:
    client = await house.connect(version=version)
    wanted = ("v1/op/#", "#", "v1/devices/x/op/+", "$share/g/v1/op/+")
    client.core.subscribe(*(Subscription(one, 2) for one in wanted))
    client.send()

    assert (await client.event(SubAck)).reason_codes == (2, *codes)
    assert {one.reason for one in house.host.refusals} == {"topic"}


@both
async def test_changed_rights_cut_the_connection_at_once(house: House, version: int) -> None:
    client = await house.connect(version=version, will=Will("v1/up", b"w"))

    house.host.cut([1])

    goodbye = await client.event(Disconnect)
    assert goodbye is None if version == V311 else goodbye.reason_code == 0x98
    assert house.host.presences[-1].cause == "revoked"
    assert house.host.stored == []


# --- Other people's clients -----------------------------------------------------------------------


async def run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(20):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.mark.parametrize("version", ["311", "5"])
async def test_mosquitto_clients_publish_and_take_commands_over_tls(
    tmp_path: Path, version: str
) -> None:
    authority, context = a_certificate(tmp_path)
    async with a_house(tls=context) as house:
        house.host.add_device("dev")
        common = [
            "-h", "127.0.0.1", "-p", str(house.door.ports[1]), "--cafile", str(authority),
            "-V", version, "-u", "dev", "-P", "ved",
        ]  # fmt: skip
        for qos in "012":
            await run("mosquitto_pub", *common, "-q", qos, "-t", "v1/up", "-m", f"qos {qos}")
        await until(lambda: len(house.host.stored) == 3)
        listening = asyncio.create_task(
            run("mosquitto_sub", *common, "-q", "1", "-t", "v1/op/+", "-C", "1", "-F", "%t %p")
        )
        await until(house.host.connected)
        command = house.command(b"blink")
        assert house.host.deliver(command)

        assert (await listening).strip() == f"v1/op/{command.id} blink"
        assert house.host.payloads() == [b"qos 0", b"qos 1", b"qos 2"]
        assert all(one.tls for one in house.host.presences)


async def fails(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(20):
        assert await process.wait() != 0


async def say(port: int, content: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(content)
    with suppress(ConnectionError):
        await reader.read()
    writer.close()


async def test_the_tls_door_tells_what_went_wrong_before_a_word_of_mqtt(tmp_path: Path) -> None:
    authority, context = a_certificate(tmp_path)
    (tmp_path / "other").mkdir()
    stranger, _ = a_certificate(tmp_path / "other")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    async with a_house(tls=context) as house:
        house.host.add_device("dev")
        plain, tls = house.door.ports
        told = house.host.refusals

        def publish(port: int, *more: str) -> tuple[str, ...]:
            to = ("-h", "127.0.0.1", "-p", str(port), "-u", "dev", "-P", "ved")
            return "mosquitto_pub", *to, "-t", "v1/up", "-m", "1", *more

        async def one(reason: str, words: str) -> None:
            await until(lambda: told)
            assert (told[0].reason, told[0].address) == (reason, "127.0.0.1")
            assert words in told[0].detail
            told.clear()

        await fails(*publish(tls))
        await one("no-tls", f"use port {house.door.settings.port}")
        await say(tls, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await one("no-tls", "HTTP came without TLS")
        await say(tls, b"\x00" * 64)
        await one("no-tls", "Switch TLS on")
        await fails(*publish(tls, "--cafile", str(stranger)))
        await one("tls", "does not trust the certificate")
        weak = "s_client", "-connect", f"127.0.0.1:{tls}", "-cipher", "ALL:@SECLEVEL=0"
        await fails("openssl", *weak, "-tls1_1")
        await one("tls", "too old")
        await fails("openssl", *weak[:-1], "AES128-SHA", "-tls1_2")
        await one("tls", "no cipher in common")
        await fails(*publish(plain, "--cafile", str(authority)))
        await one("tls-on-plain", "TLS came to the port of MQTT without encryption")

        # Whoever looks whether the port is open, and goes, is nobody's mistake.
        _, writer = await asyncio.open_connection("127.0.0.1", tls)
        writer.close()
        await run(*publish(tls, "--cafile", str(authority), "-q", "1"))
        assert (told, house.host.payloads()) == ([], [b"1"])
    async with a_house(tls=context, limits=Limits(connect_timeout_s=0.2)) as quick:
        await say(quick.door.ports[1], b"\x16\x03")
        (told,) = quick.host.refusals
        assert told.detail == "The client began a TLS handshake and did not finish it in time."


@pytest.mark.parametrize("protocol", [aiomqtt.ProtocolVersion.V311, aiomqtt.ProtocolVersion.V5])
async def test_paho_publishes_with_every_qos_and_takes_commands(
    house: House, protocol: aiomqtt.ProtocolVersion
) -> None:
    async with aiomqtt.Client(
        "127.0.0.1", house.door.ports[0], username="dev", password="ved", protocol=protocol
    ) as client:
        for n in range(30):
            await client.publish("v1/up/a", b"%d" % n, qos=n % 3)
        await client.subscribe("v1/op/#", qos=2)
        command = house.command(b"blink")
        assert house.host.deliver(command)
        async with asyncio.timeout(5):
            message = await anext(aiter(client.messages))
        assert (str(message.topic), message.payload) == (f"v1/op/{command.id}", b"blink")
    await until(lambda: len(house.host.stored) == 30)


async def test_a_door_that_finds_its_port_taken_says_so_and_leaves_its_neighbours_in_peace(
    tmp_path: Path,
) -> None:
    _, context = a_certificate(tmp_path)
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        socket.create_server(("127.0.0.1", 0)) as met,
    ):
        door = MqttDoor(
            DoorSettings(
                host="127.0.0.1",
                port=taken.getsockname()[1],
                tls_port=0,
                peers=Peers(met, context, lambda: context),
                stop_timeout_s=1.0,
            )
        )
        with pytest.raises(OSError, match="in use"):
            await door.run(MemoryHost(), lambda: None)
