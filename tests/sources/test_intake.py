"""Messages are fetched from a real Mosquitto: whose they are, what is refused, what is kept."""

from __future__ import annotations

import json

import pytest

from moorage import devices, sources
from moorage.devices import CalledBy
from moorage.kit.ids import uuid7
from moorage.kit.pages import PageRequest
from moorage.sources.model import Outcome
from sources.world import ROOT, Broker, World, each_once, fetching


@pytest.mark.parametrize("version", list(sources.Version))
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_one_connection_brings_the_messages_of_many_devices(
    world: World, broker: Broker, qos: int, version: sources.Version
) -> None:
    pumps = [await world.a_device(f"Pump {n}") for n in range(3)]
    topic = "plant/{device}/+/{channel}"
    source = await world.a_source(broker.url, topic, version=version, qos=qos)
    async with fetching(world):
        await world.until_connected(source)
        for n, _pump in enumerate(pumps):
            texts = [f'{{"n": {i}}}' for i in range(20)]
            await broker.publish(f"plant/pump {n}/hall/up", *texts, qos=qos)
        await world.until_stored(60)
        await world.until_counted(source, taken=60, repeated=0, refused=0)
    stored = await world.stored()
    for pump in pumps:
        own = [message for message in stored if message.device == pump.number]
        assert [json.loads(m.payload)["n"] for m in own] == list(range(20))
        assert {m.channel for m in own} == {"up"}
    assert stored[0].meta == {"source": str(source.id), "topic": "plant/pump 0/hall/up"}
    (newest, *_rest) = await world.log(source)
    assert (newest.outcome, newest.device_id) == (Outcome.TAKEN, pumps[2].id)


@pytest.mark.parametrize("by", list(CalledBy))
async def test_a_device_is_known_by_whatever_it_is_called_by(
    world: World, broker: Broker, by: CalledBy
) -> None:
    mac = devices.Identifier("mac", "0080e1150001")
    pump = await world.a_device("Pump", serial="SN-1", identifiers=(mac,))
    async with world.database.begin(ROOT) as tx:
        password = devices.CredentialKind.PASSWORD
        await devices.make_credential(tx, ROOT, pump.id, password, user_name="pump@plant")
    called = {
        CalledBy.ID: str(pump.id),
        CalledBy.NAME: "pump",
        CalledBy.SERIAL: "sn-1",
        CalledBy.USER_NAME: "pump@plant",
        CalledBy.IDENTIFIER: "00-80-E1-15-00-01",
    }
    kind = "mac" if by is CalledBy.IDENTIFIER else ""
    source = await world.a_source(
        broker.url, "tele/meter_{device}/{port}", called_by=by, identifier_kind=kind
    )
    async with fetching(world):
        await world.until_connected(source)
        await broker.publish("tele/meter_nobody/1", "x")
        await broker.publish(f"tele/meter_{called[by]}/7", "ok")
        await broker.publish(f"tele/other_{called[by]}/7", "not ours")
        await world.until_counted(source, taken=1, refused=2)
    (message,) = await world.stored()
    assert (message.device, message.payload) == (pump.number, b"ok")
    assert message.meta is not None and message.meta["port"] == 7


async def test_payloads_and_settings_say_whose_messages_are(world: World, broker: Broker) -> None:
    pumps = [await world.a_device(f"Pump {n}") for n in range(2)]
    boiler = await world.a_device("Boiler")
    asked = (
        sources.Subscription("gateway/up", pointer="/about/names/0"),
        sources.Subscription("house/boiler/#", device="Boiler"),
    )
    source = await world.a_source(broker.url, subscriptions=asked)
    async with fetching(world):
        await world.until_connected(source)
        both = [{"about": {"names": [f"Pump {n}"]}, "n": n} for n in range(2)]
        await broker.publish("gateway/up", json.dumps(both))
        await broker.publish("house/boiler/a/b", "21.5")
        await broker.publish("gateway/up", "{not json", '{"about": 1}')
        await world.until_counted(source, taken=3, refused=2)
    stored = await world.stored()
    assert [m.device for m in stored] == [pumps[0].number, pumps[1].number, boiler.number]
    assert json.loads(stored[1].payload) == both[1]
    details = [entry.detail for entry in await world.log(source, refused=True)]
    assert "neither text nor number at /about/names/0" in details[0]
    assert "not JSON" in details[1]


async def test_a_device_of_another_organization_is_nobody(world: World, broker: Broker) -> None:
    elsewhere = await world.another_application()
    foreign = await world.a_device("Pump", elsewhere.id, serial="SN-9")
    source = await world.a_source(broker.url, "p/{device}", called_by=CalledBy.ID)
    by_name = await world.a_source(broker.url, "p/{device}", inbox_id=world.application.id)
    async with fetching(world):
        await world.until_connected(source)
        await world.until_connected(by_name)
        await broker.publish(f"p/{foreign.id}", "stolen")
        await world.until_counted(source, taken=0, refused=1)
        await world.until_counted(by_name, taken=1)
    # Under that name somebody new waits in our own inbox.
    assert foreign.number not in {message.device for message in await world.stored()}
    (entry,) = await world.log(source)
    assert "no device of the organization is called so" in entry.detail


async def test_strangers_wait_in_the_inbox_and_are_adopted(world: World, broker: Broker) -> None:
    source = await world.a_source(broker.url, "p/{device}", inbox_id=world.application.id)
    async with fetching(world):
        await world.until_connected(source)
        await broker.publish("p/newcomer", "1", "2")
        await world.until_counted(source, taken=2)
        wanted = devices.DeviceFilter(states=(devices.DeviceState.WAITING,))
        async with world.database.begin(ROOT) as tx:
            (waits,) = (await devices.list_devices(tx, ROOT, PageRequest(), wanted)).items
            await devices.adopt(tx, ROOT, waits.id, {"name": "Well known"})
        await broker.publish("p/newcomer", "3")
        await world.until_counted(source, taken=3)
        assert await world.payloads(waits) == ["1", "2", "3"]


async def test_a_name_that_several_devices_have_belongs_to_none(
    world: World, broker: Broker
) -> None:
    await world.a_device("Pump")
    await world.a_device("PUMP")
    source = await world.a_source(broker.url, "p/{device}")
    async with fetching(world):
        await world.until_connected(source)
        await broker.publish("p/pump", "1")
        await world.until_counted(source, taken=0, refused=1)
    assert "several devices" in (await world.log(source))[0].detail


async def test_who_is_suspended_or_renamed_is_known_no_longer(world: World, broker: Broker) -> None:
    pump = await world.a_device("Pump")
    source = await world.a_source(broker.url, "p/{device}")
    taken = 0
    async with fetching(world):
        await world.until_connected(source)
        for changes in ({"name": "Other"}, {"state": devices.DeviceState.SUSPENDED}):
            name = "pump" if "name" in changes else "other"
            await world.until(lambda name=name: _taken(world, broker, source, name), 30)
            taken = (await world.get(source)).health.taken
            async with world.database.begin(ROOT) as tx:
                await devices.change(tx, ROOT, pump.id, changes)
            await world.until(lambda name=name: _refused(world, broker, source, name), 30)
    assert taken >= 2
    detail = (await world.log(source, refused=True))[0].detail
    assert "suspended" in detail


async def _taken(world: World, broker: Broker, source: sources.Source, name: str) -> bool:
    before = (await world.get(source)).health
    await broker.publish(f"p/{name}", "x")
    await world.until(lambda: _counted_on(world, source, before.taken + before.refused), 30)
    return (await world.get(source)).health.taken > before.taken


async def _refused(world: World, broker: Broker, source: sources.Source, name: str) -> bool:
    return not await _taken(world, broker, source, name)


async def _counted_on(world: World, source: sources.Source, before: int) -> bool:
    health = (await world.get(source)).health
    return health.taken + health.refused > before


async def test_what_is_too_large_or_too_fast_stops_nobody_else(
    world: World, broker: Broker
) -> None:
    pump, other = await world.a_device("Pump"), await world.a_device("Other")
    source = await world.a_source(broker.url, "p/{device}")
    async with fetching(world, largest_message=1_024, device_rate=0.001, device_burst=5):
        await world.until_connected(source)
        await broker.publish("p/pump", "x" * 2_000)
        await broker.publish("p/pump", *(str(n) for n in range(8)))
        await broker.publish("p/other", "fine")
        await world.until_counted(source, taken=6, refused=4)
    assert await world.payloads(pump) == ["0", "1", "2", "3", "4"]
    assert await world.payloads(other) == ["fine"]
    details = {entry.detail for entry in await world.log(source, refused=True)}
    assert details == {
        "The message has 2000 bytes; at most 1024 are taken.",
        "The device's allowance of 0.001 messages a second is used up.",
    }


async def test_retained_messages_are_left_at_the_broker(world: World, broker: Broker) -> None:
    pump = await world.a_device("Pump")
    await broker.publish("p/pump", "old", retain=True)
    for version in sources.Version:
        source = await world.a_source(broker.url, "p/{device}", version=version)
        async with fetching(world):
            await world.until_connected(source)
            await broker.publish("p/pump", version.value)
            await world.until_counted(source, taken=1)
        async with world.database.begin(ROOT) as tx:
            await sources.remove(tx, ROOT, source.id)
    assert await world.payloads(pump) == ["5", "3.1.1"]


async def test_a_paused_source_goes_on_where_it_stopped(world: World, broker: Broker) -> None:
    pump = await world.a_device("Pump")
    source = await world.a_source(broker.url, "p/{device}")
    async with fetching(world):
        await world.until_connected(source)
        await broker.publish("p/pump", *(str(n) for n in range(10)))
        await world.until_counted(source, taken=10)
        async with world.database.begin(ROOT) as tx:
            await sources.pause(tx, ROOT, source.id, paused=True)
        goodbye = f"Received DISCONNECT from moorage-{source.id.hex}"
        await world.until(lambda: _logged(broker, goodbye))
        await broker.publish("p/pump", *(str(n) for n in range(10, 20)))
        async with world.database.begin(ROOT) as tx:
            await sources.pause(tx, ROOT, source.id, paused=False)
        await world.until_counted(source, taken=20, repeated=0)
    assert each_once(await world.payloads(pump), 20)


async def _logged(broker: Broker, text: str) -> bool:
    return text in broker.log


async def test_a_change_of_subscriptions_is_made_at_the_broker(
    world: World, broker: Broker
) -> None:
    pump = await world.a_device("Pump")
    source = await world.a_source(broker.url, "a/{device}", "b/{device}")
    async with fetching(world):
        await world.until_connected(source)
        asked = (sources.Subscription("b/{device}"), sources.Subscription("c/{device}", 2))
        await world.change(source, subscriptions=asked)
        await world.until(lambda: _logged(broker, "c/+ (QoS 2)"))
        for letter in "abc":
            await broker.publish(f"{letter}/pump", letter)
        await world.until_counted(source, taken=2)
    assert sorted(await world.payloads(pump)) == ["b", "c"]


async def test_of_a_source_that_is_removed_the_broker_keeps_nothing(
    world: World, broker: Broker
) -> None:
    await world.a_device("Pump")
    source = await world.a_source(broker.url, "p/{device}", version=sources.Version.V311)
    async with fetching(world):
        await world.until_connected(source)
        async with world.database.begin(ROOT) as tx:
            await sources.remove(tx, ROOT, source.id)
        client = f"moorage-{source.id.hex}"
        await world.until(lambda: _logged(broker, f"Received UNSUBSCRIBE from {client}"))


async def test_ids_given_by_the_sender_are_kept_once(world: World, broker: Broker) -> None:
    pump = await world.a_device("Pump")
    source = await world.a_source(broker.url, "p/{device}")
    named = json.dumps({"id": "one", "values": {"n": 1}})
    async with fetching(world):
        await world.until_connected(source)
        await broker.publish("p/pump", named, named, named)
        await broker.publish("p/pump", json.dumps({"id": str(uuid7()), "values": {"n": 2}}))
        await world.until_stored(2)
        await world.until_counted(source, taken=4)
    assert len(await world.payloads(pump)) == 2
