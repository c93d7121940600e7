"""Questions asked together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from moorage.ingest.service.gathering import Gathering
from moorage.kit.db import DatabaseUnavailable


async def test_what_is_asked_while_a_batch_is_answered_makes_the_next() -> None:
    batches: list[list[int]] = []

    async def double(asked: Sequence[int]) -> list[int]:
        batches.append(list(asked))
        await asyncio.sleep(0)
        return [2 * one for one in asked]

    gathering = Gathering(double, 60.0)
    first = asyncio.create_task(gathering.ask(0))
    while not batches:
        await asyncio.sleep(0)
    rest = [asyncio.create_task(gathering.ask(one)) for one in range(1, 300)]
    assert await asyncio.gather(first, *rest) == [2 * one for one in range(300)]
    assert batches == [[0], list(range(1, 201)), list(range(201, 300))]
    assert await gathering.ask(300) == 600


async def test_a_question_that_cannot_be_answered_keeps_nobody_from_his_answer() -> None:
    async def invert(asked: Sequence[int]) -> list[float]:
        return [1 / one for one in asked]

    gathering = Gathering(invert, 60.0)
    answers = [gathering.ask(one) for one in (1, 0, 2)]
    one, none, two = await asyncio.gather(*answers, return_exceptions=True)
    assert (one, two) == (1.0, 0.5)
    assert isinstance(none, ZeroDivisionError)


async def test_who_asks_a_database_that_is_away_is_told_at_once() -> None:
    asked_for: list[int] = []

    async def fail(asked: Sequence[int]) -> list[int]:
        asked_for.append(len(asked))
        raise DatabaseUnavailable

    gathering = Gathering(fail, 60.0)
    answers = await asyncio.gather(*map(gathering.ask, range(5)), return_exceptions=True)
    assert [type(one) for one in answers] == [DatabaseUnavailable] * 5
    assert asked_for == [5]


async def test_a_batch_that_hangs_is_left_behind_and_the_next_is_asked() -> None:
    never = asyncio.Event()

    async def hang_at_first(asked: Sequence[int]) -> list[int]:
        if 0 in asked:
            await never.wait()
        return list(asked)

    gathering = Gathering(hang_at_first, 0.01)
    with pytest.raises(DatabaseUnavailable):
        await gathering.ask(0)
    assert await gathering.ask(1) == 1
    never.set()


async def test_who_gives_up_asking_disturbs_nobody() -> None:
    go = asyncio.Event()

    async def wait(asked: Sequence[int]) -> list[int]:
        await go.wait()
        return list(asked)

    gathering = Gathering(wait, 60.0)
    gone, stays = (asyncio.create_task(gathering.ask(one)) for one in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    go.set()
    assert await stays == 1
