"""Sessions and retained messages on their way to the database and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from fleet import a_device, a_town
from moorage import devices
from moorage.ingest.service.keeping import Keeping
from moorage.kit.db import Database, DatabaseUnavailable
from moorage.sessions import KeptSession, RetainedMessage


@pytest.fixture
async def number(database: Database) -> int:
    async with database.begin() as tx:
        town = await a_town(tx)
        return (await devices.enrol(tx, town.admin, a_device(town))).number


@pytest.fixture
async def keeping(database: Database) -> AsyncIterator[Keeping]:
    made = Keeping(database)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()


async def test_who_asks_sees_all_that_was_to_be_kept_before(keeping: Keeping, number: int) -> None:
    told: list[Exception | None] = []
    session = KeptSession(number, "c", b"1", 60, None)
    message = RetainedMessage(number, "t", b"m", None)
    keeping.keep([session], [], told.append)
    keeping.keep([], [message], told.append)
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
    keeping.keep([KeptSession(number, "c\0", b"1", 60, None)], [], told.append)
    async with asyncio.timeout(10):
        while not told:
            await asyncio.sleep(0.01)
    assert isinstance(told[0], Exception)
    good = KeptSession(number, "c", b"1", 60, None)
    keeping.keep([good], [], told.append)
    assert (await keeping.find_again(number)).sessions == [good]
    assert told[1:] == [None]


async def test_who_asks_while_the_database_is_away_is_told() -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none", pool_size=1)
    keeping = Keeping(nowhere)
    running = asyncio.create_task(keeping.run())
    with pytest.raises(DatabaseUnavailable):
        await keeping.find_again(1)
    told: list[Exception | None] = []
    keeping.keep([KeptSession(1, "c", b"1", 60, None)], [], told.append)
    with pytest.raises(DatabaseUnavailable):
        await keeping.find_again(1)
    assert told == []  # It waits.
    running.cancel()
    await nowhere.close()
