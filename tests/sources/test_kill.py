"""Whoever dies, nothing the broker had taken is lost and nothing is stored twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from moorage import devices, sources
from moorage.kit.db import DatabaseUnavailable
from sources.world import Broker, World, each_once, fetching

HOLDER = Path(__file__).with_name("holder_process.py")


@contextlib.asynccontextmanager
async def holder(world: World) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HOLDER), world.database.url,
        env={**os.environ, "PYTHONPATH": str(HOLDER.parents[1])},
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def check(world: World, pumps: list[devices.Device], count: int) -> None:
    """Check that each pump's numbers are there once, and in order."""
    for pump in pumps:
        payloads = await world.payloads(pump)
        assert each_once(payloads, count), (len(payloads), len(set(payloads)))
        assert payloads == sorted(payloads, key=int)


@pytest.mark.parametrize(
    ("version", "qos"),
    [
        (sources.Version.V5, 2),
        pytest.param(sources.Version.V311, 2, marks=pytest.mark.long),
        pytest.param(sources.Version.V5, 1, marks=pytest.mark.long),
        pytest.param(sources.Version.V311, 1, marks=pytest.mark.long),
    ],
)
async def test_a_holder_that_is_killed_loses_nothing_and_repeats_nothing(
    world: World, broker: Broker, version: sources.Version, qos: int
) -> None:
    chance = random.Random(qos)
    pumps = [await world.a_device(f"Pump {n}") for n in range(4)]
    source = await world.a_source(broker.url, "p/{device}", version=version, qos=qos)
    # The first holder makes the session, so that the broker keeps what comes from now on.
    async with fetching(world):
        await world.until_connected(source)
    total, sent = 1_500, 0
    for _ in range(5):
        async with holder(world):
            sending = []
            for pump in pumps:
                texts = [str(n) for n in range(sent, sent + total // 5)]
                sending.append(broker.publish(f"p/{pump.name}", *texts, qos=qos))
            sent += total // 5
            before = len(await world.stored())
            await asyncio.gather(*sending)
            await world.until_stored(before + chance.randrange(50, 800))
    async with holder(world):
        await world.until_stored(total * len(pumps))
        await asyncio.sleep(1.5)
    await check(world, pumps, total)


@pytest.mark.parametrize("version", list(sources.Version))
async def test_a_broker_that_is_started_again_is_followed(
    world: World, broker: Broker, version: sources.Version
) -> None:
    pumps = [await world.a_device(f"Pump {n}") for n in range(2)]
    source = await world.a_source(broker.url, "p/{device}", version=version)
    async with fetching(world, device_burst=100_000):
        await world.until_connected(source)
        for turn in range(3):
            for pump in pumps:
                texts = [str(n) for n in range(turn * 400, turn * 400 + 400)]
                await broker.publish(f"p/{pump.name}", *texts)
            await broker.stop()
            await world.until_failing(source)
            await broker.start()
            await world.until_connected(source)
        await world.until_stored(2 * 1_200)
    await check(world, pumps, 1_200)


async def test_a_dead_holder_is_followed_by_another(world: World, broker: Broker) -> None:
    pumps = [await world.a_device("Pump")]
    source = await world.a_source(broker.url, "p/{device}")
    async with holder(world) as first, holder(world):
        await world.until_connected(source)
        connected_at = (await world.get(source)).health.connected_at
        await broker.publish("p/pump", *(str(n) for n in range(100)))
        await world.until_stored(100)
        async with fetching(world):
            first.send_signal(signal.SIGKILL)
            await broker.publish("p/pump", *(str(n) for n in range(100, 200)))
            await world.until_stored(200)
    assert connected_at is not None
    await check(world, pumps, 200)


async def test_a_database_that_cuts_everybody_off_costs_a_reconnect_only(
    world: World, broker: Broker
) -> None:
    pumps = [await world.a_device(f"Pump {n}") for n in range(3)]
    source = await world.a_source(broker.url, "p/{device}")
    async with (
        fetching(world, device_burst=100_000),
        await world.database.connect(name="axe") as axe,
    ):
        await world.until_connected(source)
        for turn in range(3):
            texts = [str(n) for n in range(turn * 300, turn * 300 + 300)]
            sending = [broker.publish(f"p/{pump.name}", *texts) for pump in pumps]
            sent = asyncio.gather(*sending)
            await axe.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await sent
        await world.until(lambda: _holds(world, 3 * 900), 60)
    await check(world, pumps, 900)


async def _holds(world: World, count: int) -> bool:
    with contextlib.suppress(DatabaseUnavailable):
        return len(await world.stored()) >= count
    return False
