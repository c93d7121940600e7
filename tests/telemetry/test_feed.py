"""The live feed: who is followed, what a client that comes back has missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fleet import a_device, a_town
from history import derive
from moorage import devices, ledger, telemetry
from moorage.kit.db import Database
from moorage.kit.doorbell import Doorbells
from moorage.telemetry.service import read_id, write_id


@asynccontextmanager
async def a_feed(database: Database) -> AsyncIterator[telemetry.Feed]:
    doorbells = Doorbells(database)
    feed = telemetry.Feed(database, doorbells)
    tasks = [asyncio.create_task(work) for work in (doorbells.run(), feed.run())]
    try:
        yield feed
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def taken(follower: telemetry.Follower, count: int) -> list[tuple[str, int]]:
    """Take entries until there are so many; give their places and devices."""
    found: list[tuple[str, int]] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            found += [(str(place), entry.device) for place, entry in await follower.take(0.1)]
    return found


async def test_a_follower_may_follow_others_from_now_on(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        await ledger.open_log(tx, 1)
        first = await devices.enrol(tx, town.admin, a_device(town, "First"))
    async with a_feed(database) as feed:
        with feed.follow({first.number: first.id}) as follower:
            while not follower.shown:
                await asyncio.sleep(0.01)
            async with database.begin() as tx:
                second = await devices.enrol(tx, town.admin, a_device(town, "Second"))
                await derive(tx, 0, second, 1)
                await derive(tx, 0, first, 2)
            assert await taken(follower, 1) == [("0:2", first.number)]
            feed.follow_others(follower, {second.number: second.id})
            async with database.begin() as tx:
                await derive(tx, 0, first, 3)
                await derive(tx, 0, second, 4)
            assert await taken(follower, 1) == [("0:4", second.number)]
        # Nobody is left: what comes now is kept for no one.
        async with database.begin() as tx:
            await derive(tx, 0, second, 5)
        with feed.follow({second.number: second.id}) as again:
            while not again.shown:
                await asyncio.sleep(0.01)
            async with database.begin() as tx:
                await derive(tx, 0, second, 6)
            assert (await taken(again, 1))[-1] == ("0:6", second.number)


async def test_who_comes_back_misses_nothing_of_any_partition(database: Database) -> None:
    async with database.begin() as tx:
        town = await a_town(tx)
        await ledger.open_log(tx, 2)
        device = await devices.enrol(tx, town.admin, a_device(town))
        await derive(tx, 0, device, 1, 2)
    followed = {device.number: device.id}
    async with a_feed(database) as feed:
        with feed.follow(followed) as follower:
            while len(follower.shown) < 2:
                await asyncio.sleep(0.01)
            kept = write_id(follower.shown)
        async with database.begin() as tx:
            await derive(tx, 1, device, 3)
            await derive(tx, 0, device, 4, 5)
        missed = await feed.missed(followed, read_id(kept))
        assert [str(place) for place, _entry in missed] == ["0:3", "0:4", "1:1"]


@pytest.mark.parametrize("text", [None, "", "x", "1", "1:", ":1", "a:b", "9" * 5_000, "1:-2"])
def test_ids_of_elsewhere_resume_nothing(text: str | None) -> None:
    assert read_id(text) == {}


def test_ids_name_every_partition() -> None:
    assert read_id(write_id({0: 12, 3: 4_000_000_000})) == {0: 12, 3: 4_000_000_000}
