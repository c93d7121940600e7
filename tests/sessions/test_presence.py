"""Who is connected."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from fleet import a_device, a_town
from moorage import devices, sessions
from moorage.devices import Connectivity
from moorage.kit.db import Database, Tx
from moorage.kit.pages import PageRequest
from moorage.sessions import PresenceEvent, PresenceFilter, service


def came(tx: Tx, device: devices.Device, client_id: str = "c1") -> PresenceEvent:
    return PresenceEvent(device.number, True, tx.now, client_id, "mqtt", "5", "10.0.0.9", True)


def went(event: PresenceEvent, cause: str, after_s: float = 1) -> PresenceEvent:
    at = event.at + timedelta(seconds=after_s)
    return replace(event, connected=False, at=at, cause=cause)


async def test_presence_follows_connections(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        listener = await sessions.start_listener(tx, "door")
        first = came(tx, device)
        await sessions.record(tx, listener, [first])
        seen, (connection,) = await sessions.presence_of(tx, town.admin, device.id)
        assert seen.connectivity is Connectivity.CONNECTED
        assert (connection.version, connection.address, connection.tls) == ("5", "10.0.0.9", True)

        await sessions.record(tx, listener, [went(first, "keep-alive")])
        seen, (connection,) = await sessions.presence_of(tx, town.admin, device.id)
        assert seen.connectivity is Connectivity.SEEN
        assert (connection.connected, connection.cause) == (False, "keep-alive")


async def test_a_late_goodbye_does_not_end_a_newer_connection(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        listener = await sessions.start_listener(tx, "door")
        first = came(tx, device)
        second = replace(first, at=first.at + timedelta(seconds=5))
        events = [first, second, went(first, "taken-over", 6), went(first, "lost", 2)]
        await sessions.record(tx, listener, events)
        seen, (connection,) = await sessions.presence_of(tx, town.admin, device.id)
        assert seen.connectivity is Connectivity.CONNECTED
        assert connection.connected_at == second.at


async def test_a_device_is_connected_while_any_of_its_clients_is(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        listener = await sessions.start_listener(tx, "door")
        one, two = came(tx, device, "one"), came(tx, device, "two")
        await sessions.record(tx, listener, [one, two, went(one, "client")])
        found = await devices.get(tx, town.admin, device.id)
        assert found.connectivity is Connectivity.CONNECTED
        await sessions.record(tx, listener, [went(two, "client")])
        found = await devices.get(tx, town.admin, device.id)
        assert found.connectivity is not Connectivity.CONNECTED


async def test_a_new_life_of_a_listener_ends_what_the_old_one_left(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        old = await sessions.start_listener(tx, "door")
        await sessions.record(tx, old, [came(tx, device)])
        new = await sessions.start_listener(tx, "door")
        assert new != old
        seen, (connection,) = await sessions.presence_of(tx, town.admin, device.id)
        assert seen.connectivity is not Connectivity.CONNECTED
        assert connection.cause == "listener-lost"


async def test_a_listener_that_beats_no_more_is_taken_for_dead(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        living = await sessions.start_listener(tx, "living")
        dead = await sessions.start_listener(tx, "dead")
        await sessions.record(tx, living, [came(tx, device, "a")])
        await sessions.record(tx, dead, [came(tx, device, "b")])
        tx.now += timedelta(minutes=1)
        await sessions.beat(tx, living)
        await service.end_lost(tx)  # It is doubted, and has some time to beat.
        assert len(await sessions.list_listeners(tx)) == 2
        tx.now += timedelta(seconds=5)
        await sessions.beat(tx, living)
        await service.end_lost(tx)
        _, connections = await sessions.presence_of(tx, town.admin, device.id)
        assert {c.client_id: c.connected for c in connections} == {"a": True, "b": False}
        found = await devices.get(tx, town.admin, device.id)
        assert found.connectivity is Connectivity.CONNECTED


async def test_events_of_removed_devices_do_no_harm(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        listener = await sessions.start_listener(tx, "door")
        await devices.remove(tx, town.admin, device.id)
        await sessions.record(tx, listener, [came(tx, device)])


async def test_presence_does_not_cross_the_border(database: Database) -> None:
    async with database.begin() as tx:
        town, other = await a_town(tx), await a_town(tx, "Odense")
        device = await devices.enrol(tx, town.admin, a_device(town))
        listener = await sessions.start_listener(tx, "door")
        await sessions.record(tx, listener, [came(tx, device)])
        asked = PageRequest(), PresenceFilter(connected=True)
        assert len((await sessions.list_presence(tx, town.admin, *asked)).items) == 1
        assert (await sessions.list_presence(tx, other.admin, *asked)).items == []


async def test_old_connections_are_forgotten(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        device = await devices.enrol(tx, town.admin, a_device(town))
        listener = await sessions.start_listener(tx, "door")
        events = [came(tx, device, f"c{n}") for n in range(15)]
        await sessions.record(tx, listener, [*events, *(went(e, "lost") for e in events[1:])])
        await service.trim(tx)
        _, connections = await sessions.presence_of(tx, town.admin, device.id)
        assert len(connections) == 1 + service.KEEP_PER_DEVICE
