"""A broker in front whose messages several connections share, each held by any process."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator

import pytest

from moorage import brokers, devices, sources
from moorage.brokers import service
from moorage.brokers.model import Connection
from sources.test_kill import holder
from sources.world import ROOT, Broker, World, each_once, fetching

FEW = {"device_rate": 100_000, "device_burst": 100_000}


async def a_front(world: World, broker: Broker, connections: int) -> sources.Source:
    """Have a Mosquitto in front of the organisation fetched from."""
    new = brokers.NewBroker(world.organization.id, "Front", sources.BrokerKind.MOSQUITTO)
    how = Connection(broker.url, None, "", "moorage", 60, None, None, connections, {})
    async with world.database.begin(ROOT) as tx:
        made = await brokers.add(tx, ROOT, new, world.sealer)
        return await service.connect(tx, ROOT, made.broker.id, how, world.sealer)


def up(device: devices.Device) -> str:
    return f"v1/devices/{device.id}/up"


async def held(world: World) -> dict[int, int]:
    """Count the locks of each process that shares sources."""
    query = (
        "SELECT pid, count(*) FILTER (WHERE mode = 'ExclusiveLock') AS number FROM pg_locks"
        " WHERE locktype = 'advisory' AND classid = :space AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY pid"
    )
    async with world.database.begin() as tx:
        rows = await tx.execute(query, {"space": int.from_bytes(b"sour", "big")})
        return {row.pid: row.number for row in rows}


async def until_held(world: World, *numbers: int) -> None:
    async def holds() -> bool:
        return sorted((await held(world)).values()) == sorted(numbers)

    await world.until(holds)


async def sessions(world: World) -> dict[int, int]:
    """Give for each connection the messages it brought, where the broker keeps a session for it."""
    async with world.database.begin() as tx:
        rows = await tx.execute(
            "SELECT connection, taken FROM source_states WHERE session_number <> 0"
        )
        return {row.connection: row.taken for row in rows}


@contextlib.asynccontextmanager
async def sending(
    broker: Broker, pumps: list[devices.Device], numbers: range
) -> AsyncIterator[None]:
    """Publish each number by each device, meanwhile."""
    texts = [str(n) for n in numbers]
    sent = asyncio.gather(*(broker.publish(up(pump), *texts) for pump in pumps))
    yield
    await sent


@pytest.mark.long
async def test_several_processes_share_what_comes_and_any_of_them_may_be_killed(
    world: World, broker: Broker
) -> None:
    chance = random.Random(7)
    pumps = [await world.a_device(f"Pump {n}") for n in range(4)]
    await a_front(world, broker, 4)
    async with contextlib.AsyncExitStack() as stack:
        started = [await stack.enter_async_context(holder(world)) for _ in range(3)]
        await until_held(world, 1, 1, 2)
        await world.until(lambda: _kept(world, 4))
        for turn in range(3):
            async with sending(broker, pumps, range(turn * 500, turn * 500 + 500)):
                await world.until_stored(turn * 2_000 + chance.randrange(100, 1_500))
                started[turn].send_signal(signal.SIGKILL)
                if turn < 2:
                    started.append(await stack.enter_async_context(holder(world)))
        started.append(await stack.enter_async_context(holder(world)))
        await world.until_stored(6_000)
        await asyncio.sleep(1.5)
    for pump in pumps:
        assert each_once(await world.payloads(pump), 1_500)
    brought = await sessions(world)
    assert len(brought) == 4


async def _kept(world: World, count: int) -> bool:
    return len(await sessions(world)) == count


async def test_connections_that_are_given_up_are_emptied_first(
    world: World, broker: Broker
) -> None:
    pump = await world.a_device("Pump")
    source = await a_front(world, broker, 3)
    async with fetching(world, **FEW):
        await world.until(lambda: _kept(world, 3))
        await world.until_connected(source)
    # With nobody there the broker shares them out among three sessions.
    await broker.publish(up(pump), *(str(n) for n in range(300)))
    await world.change(source, connections=1)
    async with fetching(world, **FEW):
        await world.until(lambda: _kept(world, 1))
        await broker.publish(up(pump), *(str(n) for n in range(300, 400)))
        await world.until_stored(400)
        assert each_once(await world.payloads(pump), 400)
    health = (await world.get(source)).health
    assert health.taken == 400


async def test_processes_share_sources_evenly(world: World, broker: Broker) -> None:
    for n in range(5):
        await world.a_source(broker.url, f"{n}/{{device}}")
    async with fetching(world):
        await until_held(world, 5)
        async with holder(world) as second:
            await until_held(world, 2, 3)
            second.send_signal(signal.SIGKILL)
            await until_held(world, 5)
