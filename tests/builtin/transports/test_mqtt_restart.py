"""A door that dies costs its devices one reconnect and nothing that was acknowledged.

The next door finds what the host had kept at the moment the first one died.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from builtin.transports.test_mqtt import House, a_house, both, until
from moorage_mqtt import (
    V5,
    Acknowledged,
    ConnAck,
    Disconnect,
    Publish,
    Session,
    SubAck,
    Subscription,
    Will,
)


@asynccontextmanager
async def a_first_door() -> AsyncIterator[House]:
    async with a_house() as house:
        house.host.add_device("dev")
        yield house


@asynccontextmanager
async def the_next_door(died: House) -> AsyncIterator[House]:
    """Run a door on what the host of another has kept so far, as if that had been killed now."""
    async with a_house() as house:
        house.host.senders = dict(died.host.senders)
        house.host.stored = list(died.host.stored)
        house.host.sessions = dict(died.host.sessions)
        house.host.retained = dict(died.host.retained)
        yield house


def lasting(version: int = V5, expiry_s: int = 100, **more: Any) -> dict[str, Any]:
    """Give how a client connects to a session that lasts."""
    if version == V5:
        more["properties"] = {"session_expiry_interval": expiry_s}
    return {"version": version, "clean_start": False, **more}


async def subscribed(house: House, client_id: str, **more: Any) -> Any:
    client = await house.connect(client_id=client_id, **more)
    client.core.subscribe(Subscription("v1/up/#", 2))
    client.send()
    await client.event(SubAck)
    return client


async def gone(house: House, client: Any) -> None:
    """Have a client leave, and wait until that is kept."""
    client.leave()
    await until(lambda: all(one.expires_at for one in house.host.sessions.values()))


@both
@pytest.mark.parametrize("qos", [1, 2])
async def test_what_waits_for_a_session_outlives_the_door(version: int, qos: int) -> None:
    async with a_first_door() as first:
        await gone(first, await subscribed(first, "away", **lasting(version)))
        speaks = await first.connect(client_id="speaks", version=version)
        for n in range(3):
            speaks.core.publish("v1/up/a", b"%d" % n, qos=qos, now=0.0)
            speaks.send()
            await speaks.event(Acknowledged)

        async with the_next_door(first) as second:
            back = await second.open(client_id="away", **lasting(version))
            assert (await back.event(ConnAck)).session_present
            got = [await back.event(Publish) for _ in range(3)]
            assert [(one.payload, one.qos) for one in got] == [(b"%d" % n, qos) for n in range(3)]
            speaks = await second.connect(client_id="speaks", version=version)
            speaks.core.publish("v1/up/b", b"live", qos=qos, now=0.0)
            speaks.send()
            assert (await back.event(Publish)).payload == b"live"


async def test_nothing_is_acknowledged_before_it_is_kept() -> None:
    async with a_first_door() as house:
        await gone(house, await subscribed(house, "away", **lasting()))
        house.host.keep_s = 0.3
        before = dict(house.host.sessions)
        speaks = await house.connect(client_id="speaks")
        speaks.core.publish("v1/up/a", b"x", qos=1, now=0.0)
        speaks.send()
        await until(lambda: house.host.stored)
        assert not [one for one in speaks.events if isinstance(one, Acknowledged)]
        assert house.host.sessions == before

        await speaks.event(Acknowledged)

        assert house.host.sessions != before


@both
async def test_a_subscription_is_confirmed_when_it_is_kept(version: int) -> None:
    async with a_first_door() as first:
        client = await subscribed(first, "c", **lasting(version))
        async with the_next_door(first) as second:
            back = await second.open(client_id="c", **lasting(version))
            assert (await back.event(ConnAck)).session_present
            back.core.publish("v1/up/a", b"own", qos=1, now=0.0)
            back.send()
            assert (await back.event(Publish)).payload == b"own"
        assert client.core.is_open


@both
async def test_a_message_of_qos_2_is_taken_once_though_the_door_died_in_between(
    version: int,
) -> None:
    session = Session()
    async with a_first_door() as first:
        client = await first.connect(client_id="c", session=session, **lasting(version))
        client.core.publish("v1/up", b"once", qos=2, now=0.0)
        frame = client.core.take()
        client.writer.write(frame)
        raw = await client.reader.readexactly(4)
        assert raw[0] == 0x50  # PUBREC; the client dies before it can answer.

        async with the_next_door(first) as second:
            back = await second.connect(client_id="c", session=session, **lasting(version))
            await back.event(Acknowledged)
            back.core.publish("v1/up", b"next", qos=1, now=0.0)
            back.send()
            await back.event(Acknowledged)
            assert not session.inflight
            assert second.host.payloads() == [b"once", b"next"]


async def test_a_message_of_qos_2_is_delivered_once_though_the_door_died_in_between() -> None:
    session = Session()
    async with a_first_door() as first:
        client = await subscribed(first, "c", session=session, **lasting())
        speaks = await first.connect(client_id="speaks")
        speaks.core.publish("v1/up", b"once", qos=2, now=0.0)
        speaks.send()
        message = await client.event(Publish)
        client.core.acknowledge(message.packet_id)
        client.writer.write(client.core.take())
        assert (await client.reader.readexactly(4))[0] == 0x62  # PUBREL has left.

        async with the_next_door(first) as second:
            back = await second.connect(client_id="c", session=session, **lasting())
            back.core.publish("v1/up", b"next", qos=1, now=0.0)
            back.send()
            assert (await back.event(Publish)).payload == b"next"
            assert not session.received


async def test_retained_messages_outlive_the_door_and_what_was_cleared_stays_cleared() -> None:
    async with a_first_door() as first:
        client = await first.connect()
        for topic, payload in (("a", b"kept"), ("b", b"gone"), ("b", b"")):
            client.core.publish(f"v1/up/{topic}", payload, qos=1, retain=True, now=0.0)
            client.send()
            await client.event(Acknowledged)
        async with the_next_door(first) as second:
            later = await subscribed(second, "later")
            later.core.publish("v1/up/c", b"live", qos=1, now=0.0)
            later.send()
            got = [await later.event(Publish) for _ in range(2)]
            assert [(one.payload, one.retain) for one in got] == [(b"kept", True), (b"live", False)]


async def test_a_device_finds_everything_again_at_whichever_door_it_comes_to() -> None:
    async with a_first_door() as house:
        will = Will("v1/up/will", b"gone", 1)
        await gone(house, await subscribed(house, "away", **lasting()))
        lost = await house.connect(client_id="lost", will=will)
        lost.core.publish("v1/up/kept", b"kept", qos=1, retain=True, now=0.0)
        lost.send()
        await lost.event(Acknowledged)
        lost.writer.close()
        await until(lambda: b"gone" in house.host.payloads())
        device = house.host.senders["dev"].number
        await until(lambda: device not in house.host.at_home)
        # Another door on the same rows: what this one remembers is of no account.
        async with the_next_door(house) as second:
            second.host.sessions, second.host.retained = house.host.sessions, house.host.retained
            for where in (second, house, second):
                back = await where.connect(client_id="away", session=Session(), **lasting())
                speaks = await where.connect(client_id="speaks")
                await gone(where, back)
                speaks.core.publish("v1/up/next", b"next", qos=1, now=0.0)
                speaks.send()
                await speaks.event(Acknowledged)
                speaks.leave()
                # Only then may another door serve it; a host sees to that by itself.
                await until(lambda where=where: device not in where.host.at_home)
            back = await house.connect(client_id="away", session=Session(), **lasting())
            got = [(await back.event(Publish)).payload for _ in range(5)]
            assert got == [b"kept", b"gone", b"next", b"next", b"next"]
            later = await subscribed(house, "later")
            assert (await later.event(Publish)).payload == b"kept"


async def test_a_session_that_expired_meanwhile_is_not_found() -> None:
    async with a_first_door() as first:
        await gone(first, await subscribed(first, "c", **lasting(expiry_s=1)))
        async with the_next_door(first) as second:
            await asyncio.sleep(1.0)
            back = await second.open(client_id="c", **lasting())
            assert not (await back.event(ConnAck)).session_present


async def test_a_will_that_waits_is_published_by_the_next_door() -> None:
    will = Will("v1/up/will", b"gone", 1, properties={"will_delay_interval": 1})
    async with a_first_door() as first:
        client = await first.connect(client_id="lost", will=will, **lasting())
        client.writer.close()
        await until(lambda: all(one.expires_at for one in first.host.sessions.values()))
        async with the_next_door(first) as second:
            await second.connect(client_id="other")
            await until(lambda: second.host.payloads() == [b"gone"])


@pytest.mark.parametrize("way", ["clean", "brief", "goodbye"])
async def test_a_session_that_was_discarded_is_kept_no_longer(way: str) -> None:
    async with a_first_door() as house:
        client = await subscribed(house, "c", **lasting())
        if way == "goodbye":
            client.core.disconnect(session_expiry_s=0)
            client.send()
        elif way == "clean":
            client.leave()
            await house.connect(client_id="c", clean_start=True)
        else:
            client.leave()
            await house.connect(client_id="c", clean_start=False)
        await until(lambda: house.host.sessions == {})


async def test_a_stopping_door_keeps_what_it_says_goodbye_to() -> None:
    async with a_first_door() as first:
        client = await subscribed(first, "c", **lasting())
        kept = first.host.sessions
        assert [one.expires_at for one in kept.values()] == [None]
    assert await client.event(Disconnect)
    assert all(one.expires_at for one in kept.values())
