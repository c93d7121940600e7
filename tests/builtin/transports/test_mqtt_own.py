"""A device's own topics: what it publishes reaches its other connections, once it is stored."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from builtin.transports.test_mqtt import House, a_certificate, a_house, both, until
from moorage.builtin.transports.mqtt.frozen import thaw
from moorage_mqtt import (
    V5,
    Acknowledged,
    ConnAck,
    Publish,
    Session,
    SubAck,
    Subscription,
    UnsubAck,
    Will,
    encode,
)

LASTING: Any = {"properties": {"session_expiry_interval": 100}}


@pytest.fixture
async def house() -> Any:
    """Give a door that two devices may come to."""
    async with a_house() as one:
        one.host.add_device("dev")
        one.host.add_device("other")
        yield one


async def subscribed(house: House, client_id: str, *filters: str, **more: Any) -> Any:
    client = await house.connect(client_id=client_id, **more)
    client.core.subscribe(*(Subscription(one, 2) for one in filters))
    client.send()
    assert all(code <= 2 for code in (await client.event(SubAck)).reason_codes)
    return client


@both
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_a_message_reaches_the_devices_other_connection_with_its_commit(
    house: House, version: int, qos: int
) -> None:
    hears = await subscribed(house, "hears", "v1/up/#", version=version)
    other = await house.connect("other", client_id="hears")
    house.host.commit_s = 0.2
    speaks = await house.connect(client_id="speaks", version=version)
    speaks.core.publish("v1/up/a", b"21", qos=qos, now=0.0)
    speaks.send()

    message = await hears.event(Publish)

    assert (message.topic, message.payload, message.qos) == ("v1/up/a", b"21", qos)
    assert house.host.payloads() == [b"21"]
    assert not other.events


async def test_who_subscribes_later_gets_what_follows(house: House) -> None:
    speaks = await house.connect(client_id="speaks")

    async def publish(payload: bytes) -> None:
        speaks.core.publish("v1/up/a", payload, qos=1, now=0.0)
        speaks.send()
        await speaks.event(Acknowledged)

    await publish(b"before")
    await publish(b"before")
    hears = await subscribed(house, "hears", "v1/up/+")
    await publish(b"after")
    assert (await hears.event(Publish)).payload == b"after"
    hears.core.unsubscribe("v1/up/+")
    hears.send()
    await hears.event(UnsubAck)
    await publish(b"later")
    assert not [one for one in hears.events if isinstance(one, Publish)]


async def test_what_was_not_stored_reaches_nobody(house: House) -> None:
    hears = await subscribed(house, "hears", "v1/up/#")
    house.host.failing = True
    hears.core.publish("v1/up/a", b"lost", qos=1, now=0.0)
    hears.send()
    assert (await hears.event(Acknowledged)).reason_code == 0x97
    house.host.failing = False
    hears.core.publish("v1/up/a", b"kept", qos=1, now=0.0)
    hears.send()
    assert (await hears.event(Publish)).payload == b"kept"


async def test_a_retained_message_waits_for_the_devices_next_subscription(house: House) -> None:
    client = await house.connect()
    client.core.publish("v1/up/a", b"kept", qos=1, retain=True, now=0.0)
    client.send()
    await client.event(Acknowledged)
    later = await subscribed(house, "later", "v1/up/#")
    message = await later.event(Publish)
    assert (message.payload, message.retain) == (b"kept", True)

    other = await house.connect("other")
    other.core.subscribe(Subscription("v1/up/#", 1))
    other.core.publish("v1/up/b", b"own", qos=1, now=0.0)
    other.send()
    assert (await other.event(Publish)).payload == b"own"


@both
async def test_messages_wait_for_the_devices_other_session(house: House, version: int) -> None:
    more: Any = {"version": version, "clean_start": False, "session": Session()}
    if version == V5:
        more |= LASTING
    away = await subscribed(house, "away", "v1/up/#", **more)
    away.leave()
    await until(lambda: len(house.host.presences) == 2)
    speaks = await house.connect(client_id="speaks", version=version)
    for qos in (1, 2):
        speaks.core.publish("v1/up", b"%d" % qos, qos=qos, now=0.0)
        speaks.send()
        await speaks.event(Acknowledged)

    back = await house.open(client_id="away", **more)
    assert (await back.event(ConnAck)).session_present
    assert [(await back.event(Publish)).payload for _ in range(2)] == [b"1", b"2"]


async def test_a_will_is_retained_and_told_to_the_devices_other_connection(house: House) -> None:
    hears = await subscribed(house, "hears", "v1/up/#")
    lost = await house.connect(client_id="lost", will=Will("v1/up/will", b"gone", 1, retain=True))
    lost.writer.close()
    assert (await hears.event(Publish)).payload == b"gone"
    assert house.host.payloads() == [b"gone"]
    later = await subscribed(house, "later", "v1/up/will")
    assert (await later.event(Publish)).retain


@pytest.mark.parametrize("tls", [False, True])
async def test_a_device_comes_over_websocket_on_the_same_ports(tmp_path: Path, tls: bool) -> None:
    authority, context = a_certificate(tmp_path)
    trusting: Any = ssl.create_default_context(cafile=authority) if tls else None
    async with a_house(tls=context) as house:
        house.host.add_device("dev")
        async with aiomqtt.Client(
            "127.0.0.1", house.door.ports[int(tls)], username="dev", password="ved",
            transport="websockets", websocket_path="/mqtt", tls_context=trusting,
        ) as client:  # fmt: skip
            for qos in range(3):
                await client.publish("v1/up", b"x" * 60_000, qos=qos)
            await client.subscribe("v1/op/#", qos=1)
            assert house.host.deliver(house.command(b"blink"))
            async with asyncio.timeout(5):
                assert (await anext(aiter(client.messages))).payload == b"blink"
        await until(lambda: len(house.host.stored) == 3)
        assert house.host.presences[0].tls is tls


@pytest.mark.parametrize("qos", [1, 2])
async def test_a_message_that_was_stored_and_told_nobody_is_told_when_it_is_sent_again(
    house: House, qos: int
) -> None:
    message = Publish("v1/up/a", b"21", qos, packet_id=7)
    first = await house.connect(client_id="speaks")
    first.writer.write(encode(message, V5))
    await until(lambda: house.host.stored)
    first.leave()
    hears = await subscribed(house, "hears", "v1/up/#")
    again = await house.connect(client_id="speaks")
    again.writer.write(encode(message._replace(dup=True), V5))

    told = await hears.event(Publish)

    assert (told.payload, told.qos, told.dup) == (b"21", qos, False)
    assert house.host.payloads() == [b"21"]


async def test_what_was_taken_is_written_with_what_waits_for_the_other_session(
    house: House,
) -> None:
    more: Any = {"clean_start": False, **LASTING}
    away = await subscribed(house, "away", "v1/up/#", session=Session(), **more)
    away.leave()
    speaks = await house.connect(client_id="speaks", session=Session(), **more)
    await until(lambda: (1, "speaks") in house.host.sessions)
    house.host.keep_s = 0.1
    speaks.writer.write(encode(Publish("v1/up", b"once", 2, packet_id=3), V5))

    def waiting() -> list[Any]:
        return list(thaw(house.host.sessions[1, "away"], 0.0).session.queue)

    await until(waiting)
    assert thaw(house.host.sessions[1, "speaks"], 0.0).session.received == {3}


async def test_what_was_taken_after_its_sender_had_gone_is_written_as_well(house: House) -> None:
    more: Any = {"clean_start": False, **LASTING}
    message = Publish("v1/up", b"once", 2, packet_id=3)
    speaks = await house.connect(client_id="speaks", session=Session(), **more)
    house.host.commit_s = 0.1
    speaks.writer.write(encode(message, V5))
    speaks.writer.close()
    await until(lambda: house.host.stored and 1 not in house.host.at_home)
    assert thaw(house.host.sessions[1, "speaks"], 0.0).session.received == {3}

    # So whoever hears such messages hears it once [MQTT-4.3.3-10].
    back = await house.connect(client_id="speaks", session=Session(), **more)
    back.writer.write(encode(message._replace(dup=True), V5))
    assert (await back.reader.readexactly(4))[0] == 0x50
    assert house.host.looked_up == 0
