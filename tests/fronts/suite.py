"""What devices may rely on wherever they connect; each test is given a `place`."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any
from uuid import uuid4

from fronts.broker import Place
from installation import DeviceKey, ok
from moorage_mqtt import V311, Publish

COUNT = 300


async def _in_thread(call: Any, *given: Any) -> Any:
    return await asyncio.to_thread(call, *given)


def _is_connected(place: Place, key: DeviceKey) -> bool:
    found = ok(place.api.get(f"/api/v1/devices/{key.id}/presence")).json()["connections"]
    return any(one["connected"] for one in found)


async def test_a_device_is_let_in_by_what_it_proves_itself_with(place: Place) -> None:
    key, other = place.device("one"), place.device("other")
    async with place.connected(key):
        pass
    stranger = DeviceKey(str(uuid4()), key.secret, "", str(uuid4()))
    if place.tls_of is None:
        assert await place.refuses(key, secret="guess")
        assert await place.refuses(key, secret=other.secret)
        assert await place.refuses(stranger)
    async with place.connected(key):
        pass


async def test_a_message_arrives_once_and_as_it_was_sent(place: Place) -> None:
    key = place.device("speaker")
    topic = f"v1/devices/{key.id}/up"
    async with place.connected(key) as client:
        assert await client.publish(topic, b'{"temperature": 21.5}') == 0
        assert await client.publish(f"{topic}/hall/left", b"\x00\xff no JSON") == 0
        client.send(topic, b'{"temperature": 22}', qos=0)
        await _in_thread(place.until, lambda: len(place.messages(key)) == 3, "not all is stored")
    found = {message["channel"]: message for message in place.messages(key)}
    assert set(found) == {"", "hall/left"}


async def test_a_device_keeps_to_its_own_topics(place: Place) -> None:
    key, other = place.device("curious"), place.device("victim")
    theirs = f"v1/devices/{other.id}"
    async with place.connected(other) as victim:
        await victim.subscribe(f"{theirs}/op/#")
        with contextlib.suppress(AssertionError):
            async with place.connected(key) as client:
                assert await client.subscribe(f"{theirs}/op/#") >= 0x80
        for topic in (f"{theirs}/up", f"{theirs}/op/{uuid4()}", f"{theirs}/op/x/result"):
            # Some brokers answer, some end the connection.
            with contextlib.suppress(AssertionError, ConnectionError):
                async with place.connected(key) as client:
                    await client.publish(topic, b'{"stolen": 1}')
        assert await victim.publish(f"{theirs}/up", b'{"own": 1}') == 0
        await _in_thread(place.until, lambda: place.messages(other), "the own is not stored")
        assert not [event for event in victim.events if isinstance(event, Publish)]
    assert len(place.messages(other)) == 1
    assert not place.messages(key)


async def test_what_is_acknowledged_is_stored_whoever_is_killed(place: Place) -> None:
    key = place.device("steadfast")
    topic = f"v1/devices/{key.id}/up"
    acknowledged: set[int] = set()
    # Each has an id of its own: whoever got no answer sends again.
    payloads = [json.dumps({"id": str(n), "values": {"n": n}}).encode() for n in range(COUNT)]
    kills = [COUNT // 4, COUNT // 2]
    while len(acknowledged) < COUNT:
        with contextlib.suppress(AssertionError, OSError, TimeoutError):
            async with place.connected(key) as client:
                for n in sorted(set(range(COUNT)) - acknowledged):
                    if kills and len(acknowledged) >= kills[0]:
                        kills.pop(0)
                        part = await _in_thread(place.platform.part, "listen")
                        if part is not None:
                            part.kill()
                    if await client.publish(topic, payloads[n]) == 0:
                        acknowledged.add(n)
        await asyncio.sleep(0.2)
    await _in_thread(place.platform.await_ready)
    await _in_thread(place.until, lambda: len(place.messages(key)) >= COUNT, "something is lost")
    assert len(place.messages(key)) == COUNT


async def test_the_platform_knows_who_is_connected(place: Place) -> None:
    key = place.device("visitor")
    async with place.connected(key):
        await _in_thread(place.until, lambda: _is_connected(place, key), "its coming is not noted")
    await _in_thread(place.until, lambda: not _is_connected(place, key), "its going is not noted")


async def test_a_command_goes_down_and_its_answer_comes_up(place: Place) -> None:
    key = place.device("obedient")
    own = f"v1/devices/{key.id}"
    async with place.connected(key) as client:
        assert await client.subscribe(f"{own}/op/#") < 0x80
        assert await client.publish(f"{own}/up", b'{"here": 1}') == 0
        asked = {"code": "reboot", "payload": {"in": 5}}
        issued = ok(
            await _in_thread(
                lambda: place.api.post(f"/api/v1/devices/{key.id}/operations", json=asked)
            )
        ).json()
        command = await client.next(Publish)
        assert command.topic.endswith(f"op/{issued['id']}")
        body = json.loads(command.payload)
        assert (body["code"], body["payload"]) == ("reboot", {"in": 5})
        answer = b'{"state": "completed", "result": {"ok": true}}'
        assert await client.publish(f"{own}/op/{issued['id']}/result", answer) == 0

        def is_done() -> bool:
            found = ok(place.api.get(f"/api/v1/operations/{issued['id']}")).json()
            return bool(found["state"] == "completed")

        await _in_thread(place.until, is_done, "the answer is not noted")


async def test_another_organizations_device_is_refused(place: Place) -> None:
    if not place.broker_id:
        return  # Our own door is everybody's.
    elsewhere = place.platform.organization(f"Elsewhere {uuid4()}")
    key = place.device("foreign", place.platform.application(elsewhere, "Away"))
    if place.tls_of is None:
        assert await place.refuses(key)
        return
    # The certificate is good, but the platform takes nothing.
    own = place.device("native")
    async with place.connected(key) as client, place.connected(own) as native:
        client.send(f"v1/devices/{key.id}/up", b'{"stolen": 1}')
        assert await native.publish(f"v1/devices/{own.id}/up", b'{"own": 1}') == 0
        await _in_thread(place.until, lambda: place.messages(own), "the own is not stored")
    assert not place.messages(key)


async def test_what_is_too_large_is_refused_and_the_rest_goes_on(place: Place) -> None:
    key = place.device("talkative")
    topic = f"v1/devices/{key.id}/up"
    large = b"x" * 40_000
    with contextlib.suppress(AssertionError, ConnectionError):
        # MQTT 5 is told what is too large, and does not even send it.
        async with place.connected(key, version=V311) as client:
            await client.publish(topic, large)
    async with place.connected(key) as client:
        assert await client.publish(topic, b'{"small": 1}') == 0
        await _in_thread(place.until, lambda: place.messages(key), "the small one is not stored")
    assert len(place.messages(key)) == 1

    def is_listed() -> bool:
        found = ok(place.api.get("/api/v1/refusals", params={"limit": "200"})).json()["items"]
        return any(row["reason"] == "oversize" for row in found)

    await _in_thread(place.until, is_listed, "the large one is not listed")


async def test_who_is_suspended_is_heard_no_more(place: Place) -> None:
    key, other = place.device("rogue"), place.device("witness")
    topic = f"v1/devices/{key.id}/up"
    async with place.connected(key) as client:
        assert await client.publish(topic, b'{"before": 1}') == 0
        await _in_thread(place.until, lambda: place.messages(key), "the first is not stored")
        path = f"/api/v1/devices/{key.id}"
        ok(await _in_thread(lambda: place.api.patch(path, json={"state": "suspended"})))
        await asyncio.sleep(1)
        await _in_thread(place.refresh)
        with contextlib.suppress(AssertionError, ConnectionError):
            await client.publish(topic, b'{"after": 1}')
    if place.tls_of is None:
        assert await place.refuses(key)
    async with place.connected(other) as client:
        assert await client.publish(f"v1/devices/{other.id}/up", b'{"after": 1}') == 0
        await _in_thread(place.until, lambda: place.messages(other), "the witness is not heard")
    assert len(place.messages(key)) == 1


async def test_a_revoked_password_ends_the_connection_and_opens_nothing(place: Place) -> None:
    if place.tls_of is not None:
        return  # Certificates are revoked by whoever signed them.
    key, other = place.device("revoked"), place.device("unmoved")
    async with place.connected(key) as client, place.connected(other) as neighbour:
        await _in_thread(place.until, lambda: _is_connected(place, key), "its coming is not noted")
        path = f"/api/v1/devices/{key.id}/credentials/{key.credential_id}"
        ok(await _in_thread(lambda: place.api.delete(path)))
        await _in_thread(place.refresh)
        await client.until_closed()
        assert await neighbour.publish(f"v1/devices/{other.id}/up", b'{"still": 1}') == 0
    assert await place.refuses(key)
