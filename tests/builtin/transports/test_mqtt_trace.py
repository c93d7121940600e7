"""Looking at open connections: figures, and the packets of devices that somebody watches."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from builtin.transports.test_mqtt import House, a_certificate, a_house, both, until
from moorage.plugin import TracedPacket
from moorage_mqtt import (
    V5,
    V311,
    Acknowledged,
    ConnAck,
    Disconnect,
    Publish,
    SubAck,
    Subscription,
    Will,
    encode,
)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Give a door that two devices may come to."""
    async with a_house() as one:
        one.host.add_device("dev")
        one.host.add_device("other")
        yield one


def traced(house: House, name: str = "dev") -> list[TracedPacket]:
    """Give what was shown of a device."""
    number = house.host.senders[name].number
    return [packet for device, packet in house.host.packets if device == number]


def kinds(house: House, name: str = "dev") -> list[str]:
    return [f"{p.direction} {p.kind}".strip() for p in traced(house, name)]


def watch(house: House, *names: str) -> None:
    """Have the packets of these devices watched, and of no others."""
    senders = house.host.senders
    house.host.trace({senders[name].number: frozenset({name}) for name in names})


@both
async def test_a_new_connection_is_shown_from_its_first_packet(house: House, version: int) -> None:
    watch(house, "dev")
    will = Will("v1/up/last", b"gone", 1, True)
    client = await house.connect(version=version, client_id="c1", will=will, keep_alive_s=30)
    client.core.publish("v1/up/a", b'{"t": 21}', qos=1, now=0.0)
    client.send()
    await client.event(Acknowledged)
    client.leave()
    await until(lambda: "closed" in kinds(house))

    packets = ["in CONNECT", "out CONNACK", "in PUBLISH", "out PUBACK", "in DISCONNECT"]
    assert kinds(house) == ["opened", *packets, "closed"]
    _, connect, connack, publish, puback, _, closed = traced(house)
    assert connect.details == {
        "version": "5" if version == V5 else "3.1.1",
        "clientId": "c1",
        "cleanStart": True,
        "keepAliveS": 30,
        "userName": "dev",
        "password": True,
        "will": {"topic": "v1/up/last", "qos": 1, "retain": True, "size": 4},
    }
    assert connack.reasons == ("accepted" if version == V311 else "success",)
    assert (publish.topic, publish.qos, publish.payload) == ("v1/up/a", 1, b'{"t": 21}')
    assert publish.packet_id == puback.packet_id > 0
    assert closed.details == {"cause": "client"}
    assert {packet.client_id for packet in traced(house)[2:]} == {"c1"}


async def test_no_secret_is_shown(house: House) -> None:
    watch(house, "dev")
    house.host.add_device("a-token-in-its-place")
    (await house.connect()).leave()
    await house.open("a-token-in-its-place", client_id="dev", password=b"wrong-password")
    await until(lambda: kinds(house).count("closed") == 2)
    said = repr(house.host.packets)
    assert "'***'" in said
    assert not [word for word in ("token-in", "ved", "wrong-password") if word in said]


async def test_what_authenticates_is_not_shown(house: House) -> None:
    watch(house, "dev")
    properties: Any = {"authentication_method": "M", "authentication_data": b"secret proof"}
    client = await house.open(properties=properties)
    assert (await client.event(ConnAck)).reason_code == 0x8C
    await until(lambda: "closed" in kinds(house))
    shown = traced(house)[1].properties
    assert ("authentication_data", "***") in shown
    assert b"secret proof".hex(" ") not in repr(house.host.packets)


async def test_a_trace_begins_in_the_middle_of_a_packet(house: House) -> None:
    client = await house.connect(client_id="c1")
    client.core.publish("v1/up/a", b"x" * 300, qos=1, now=0.0)
    whole = client.core.take()
    client.writer.write(whole[:100])
    await asyncio.sleep(0.05)
    watch(house, "dev")
    client.writer.write(whole[100:])
    await client.event(Acknowledged)
    joined, publish, _ = traced(house)
    assert (joined.kind, joined.client_id) == ("joined", "c1")
    assert (publish.kind, publish.size, publish.payload_size) == ("PUBLISH", len(whole), 300)
    assert publish.payload == b"x" * 256

    house.host.trace({})
    client.core.publish("v1/up/a", b"y", qos=1, now=0.0)
    client.send()
    await client.event(Acknowledged)
    assert kinds(house) == ["joined", "in PUBLISH", "out PUBACK"]


async def test_only_the_watched_device_is_shown(house: House) -> None:
    watch(house, "dev")
    other = await house.connect("other", client_id="dev")
    other.leave()
    client = await house.connect()
    client.leave()
    await until(lambda: "closed" in kinds(house))
    assert {device for device, _ in house.host.packets} == {house.host.senders["dev"].number}
    assert kinds(house).count("in CONNECT") == 1


@pytest.mark.parametrize("named", ["user name", "client id"])
async def test_a_refused_connection_is_shown_to_those_who_watch_whom_it_named(
    house: House, named: str
) -> None:
    watch(house, "dev", "other")
    name = "dev" if named == "user name" else "stranger"
    client = await house.open(name, client_id="dev", password=b"wrong")
    assert (await client.event(ConnAck)).reason_code == 0x86
    await until(lambda: "closed" in kinds(house))
    assert kinds(house) == ["opened", "in CONNECT", "out CONNACK", "closed"]
    assert traced(house)[2].reasons == ("bad user name or password",)
    assert traced(house)[3].details == {"cause": "refused"}
    assert not traced(house, "other")


async def test_subscriptions_and_refusals_are_shown_with_their_reasons(house: House) -> None:
    watch(house, "dev")
    client = await house.connect()
    client.core.subscribe(Subscription("v1/op/#", 1), Subscription("elsewhere", 2))
    client.send()
    await client.event(SubAck)
    client.core.publish("elsewhere", b"1", qos=1, now=0.0)
    client.send()
    await client.event(Acknowledged)
    subscribe, suback, _, puback = traced(house)[3:]
    assert subscribe.details == {
        "subscriptions": [{"filter": "v1/op/#", "qos": 1}, {"filter": "elsewhere", "qos": 2}],
        "count": 2,
    }
    assert (suback.codes, suback.reasons) == ((1, 0x87), ("granted QoS 1", "not authorized"))
    assert puback.reasons == ("not authorized",)


async def test_bytes_that_are_no_packet_are_named_and_not_shown(house: House) -> None:
    watch(house, "dev")
    client = await house.connect()
    client.writer.write(b"\xf7\x06secret")
    await client.event(Disconnect)
    await until(lambda: "closed" in kinds(house))
    malformed, told, _ = traced(house)[3:]
    assert (malformed.kind, malformed.size, malformed.direction) == ("malformed", 8, "in")
    assert told.reasons == ("malformed packet",)
    assert "secret" not in repr(house.host.packets)


async def test_a_topic_stands_where_an_alias_was_sent(house: House) -> None:
    watch(house, "dev")
    client = await house.connect()
    aliased: Any = {"topic_alias": 1}
    for topic in ("v1/up/a", ""):
        client.writer.write(encode(Publish(topic, b"1", properties=aliased), V5))
    await until(lambda: len(house.host.stored) == 2)
    assert [p.topic for p in traced(house) if p.kind == "PUBLISH"] == ["v1/up/a"] * 2


# --- Figures --------------------------------------------------------------------------------------


async def test_an_open_connection_is_measured(house: House) -> None:
    client = await house.connect(client_id="c1")
    for _ in range(3):
        client.core.publish("v1/up/a", b"12345678", qos=1, now=0.0)
        client.send()
        await client.event(Acknowledged)
    number = house.host.senders["dev"].number
    (measured,) = house.host.measure([number, 99], False)
    assert (measured.number, measured.client_id) == (number, "c1")
    figures = measured.figures
    assert (figures.messages_in, figures.messages_out) == (3, 0)
    assert figures.round_trip_ms is not None
    assert 0 < figures.round_trip_ms < 1000
    assert figures.bytes_in is not None
    assert figures.bytes_in > 3 * 20
    client.leave()
    await until(lambda: not house.host.presences[-1].connected)
    assert house.host.presences[-1].figures is not None
    assert house.host.presences[-1].figures.messages_in == 3
    assert not house.host.measure([number], False)


async def test_what_was_agreed_on_is_told_with_the_connection(tmp_path: Path) -> None:
    authority, context = a_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=authority)
    trusting.check_hostname = False
    async with a_house(trusting, tls=context) as house:
        house.host.add_device("dev")
        delayed: Any = {"will_delay_interval": 7}
        lasting: Any = {"session_expiry_interval": 60}
        will = Will("v1/up/last", b"gone", 1, False, delayed)
        await house.connect(will=will, keep_alive_s=25, properties=lasting)
        terms = house.host.presences[-1].terms
    assert terms is not None
    assert terms.tls_version == "TLSv1.3"
    assert terms.cipher.startswith("TLS_")
    assert (terms.keep_alive_s, terms.session_expiry_s) == (25, 60)
    assert terms.will is not None
    assert (terms.will.topic, terms.will.delay_s, terms.will.size) == ("v1/up/last", 7, 4)
