"""Sessions and retained messages on their way to the database and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from fleet import a_device, a_town
from moorage import devices, sessions
from moorage.ingest.service.keeping import Keeping
from moorage.kit.db import Database, DatabaseUnavailable
from moorage.kit.ids import uuid7
from moorage.sessions import KeptSession, RetainedMessage


@pytest.fixture
async def number(database: Database) -> int:
    async with database.begin() as tx:
        town = await a_town(tx)
        return (await devices.enrol(tx, town.admin, a_device(town))).number


@pytest.fixture
async def keeping(database: Database) -> AsyncIterator[Keeping]:
    made = Keeping(database, lambda _numbers: None)
    async with database.begin() as tx:
        made.begin(await sessions.start_listener(tx, "door"))
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()


async def test_who_asks_sees_all_that_was_to_be_kept_before(keeping: Keeping, number: int) -> None:
    told: list[Exception | None] = []
    await keeping.find_again(number)
    session = KeptSession(number, "c", b"1", 60, None)
    message = RetainedMessage(number, "t", b"m", None)
    keeping.keep([session], [], [], told.append)
    keeping.keep([], [message], [], told.append)
    for _ in range(2):
        mine, nobodys = await asyncio.gather(
            keeping.find_again(number), keeping.find_again(number + 1)
        )
        assert (mine.sessions, mine.retained) == ([session], [message])
        assert (nobodys.sessions, nobodys.retained) == ([], [])
    assert told == [None, None]


async def test_a_batch_that_cannot_be_written_is_told_so_and_the_next_is_written(
    keeping: Keeping, number: int
) -> None:
    told: list[Exception | None] = []
    await keeping.find_again(number)
    keeping.keep([KeptSession(number, "c\0", b"1", 60, None)], [], [], told.append)
    async with asyncio.timeout(10):
        while not told:
            await asyncio.sleep(0.01)
    assert isinstance(told[0], Exception)
    good = KeptSession(number, "c", b"1", 60, None)
    keeping.keep([good], [], [], told.append)
    assert (await keeping.find_again(number)).sessions == [good]
    assert told[1:] == [None]


async def test_who_asks_while_the_database_is_away_is_told() -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none", pool_size=1)
    keeping = Keeping(nowhere, lambda _numbers: None)
    keeping.begin(uuid7())
    running = asyncio.create_task(keeping.run())
    with pytest.raises(DatabaseUnavailable):
        await keeping.find_again(1)
    told: list[Exception | None] = []
    keeping.keep([KeptSession(1, "c", b"1", 60, None)], [], [], told.append)
    with pytest.raises(DatabaseUnavailable):
        await keeping.find_again(1)
    assert told == []  # It waits.
    running.cancel()
    await nowhere.close()


async def test_a_device_that_is_at_home_elsewhere_is_written_for_no_more(
    database: Database, number: int
) -> None:
    lost: list[int] = []
    keeping = Keeping(database, lost.extend)
    async with database.begin() as tx:
        one = await sessions.start_listener(tx, "one")
        other = await sessions.start_listener(tx, "other")
    keeping.begin(one)
    running = asyncio.create_task(keeping.run())
    assert (await keeping.find_again(number)).elsewhere is None
    async with database.begin() as tx:
        await sessions.stop_listener(tx, one)
        await sessions.claim(tx, other, [number])
    written: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    keeping.keep([KeptSession(number, "c", b"1", 60, None)], [], [], written.set_result)
    await written
    assert lost == [number]
    async with database.begin() as tx:
        assert await sessions.kept_of(tx, [number]) == ([], [])
    running.cancel()
