"""Closed days lie in blocks, and every message is found where it lies."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from fleet import ROOT, Town, a_device, a_town
from moorage import devices, groups, ledger
from moorage.kit.db import Database
from moorage.ledger import jobs
from moorage.ledger.service import blocks
from past import DAY, TODAY, a_message, consume, put, seal, where

SEALER = Path(__file__).with_name("sealing_process.py")


class Fleet:
    """Two devices of two applications, and what they sent."""

    def __init__(self, database: Database, devices: list[devices.Device], towns: list[Town]):
        self.database = database
        self.devices = devices
        self.numbers = [device.number for device in devices]
        self.towns = towns
        self.sent: dict[int, list[tuple[int, ledger.RawMessage]]] = {n: [] for n in self.numbers}

    async def send(self, days_ago: int, count: int = 3) -> None:
        day = TODAY - days_ago * DAY
        messages = [
            a_message(number, f"{days_ago}-{i}", day) for i in range(count)
            for number in self.numbers
        ]  # fmt: skip
        first = await put(self.database, day, *messages)
        for n, message in enumerate(messages, first):
            self.sent[message.device].append((n, message))

    async def consume(self) -> None:
        async with self.database.begin() as tx:
            await consume(tx)

    async def read(self, *numbers: int, limit: int = 2) -> list[tuple[int, ledger.RawMessage]]:
        """Walk all that devices sent, step by step."""
        found = []
        at = ledger.Position(1, ledger.FIRST_DAY)
        while True:
            async with self.database.begin() as tx:
                some, now = await ledger.read_of(tx, numbers, 0, at, TODAY, limit)
            found += some
            if now == at:
                return found
            at = now

    async def agrees(self) -> None:
        """Hold every way to read against what was sent."""
        for number, sent in self.sent.items():
            assert await self.read(number) == sent
            async with self.database.begin() as tx:
                wanted = {(0, n): number for n, _message in sent}
                assert await ledger.get_many(tx, wanted) == {(0, n): m for n, m in sent}
        assert await self.read(*self.numbers) == sorted(
            (entry for sent in self.sent.values() for entry in sent), key=lambda entry: entry[0]
        )


@pytest.fixture
async def fleet(database: Database) -> Fleet:
    async with database.begin(ROOT) as tx:
        await ledger.open_log(tx, 1)
        towns = [await a_town(tx, name) for name in ("Aarhus", "Odense")]
        made = [await devices.enrol(tx, ROOT, a_device(town)) for town in towns]
    return Fleet(database, made, towns)


async def test_closed_days_become_a_block_a_device_and_are_read_alike(fleet: Fleet) -> None:
    for days_ago in (5, 5, 3, 0):
        await fleet.send(days_ago)
    await fleet.consume()
    await fleet.agrees()

    assert await seal(fleet.database) == 18

    assert await where(fleet.database) == (6, 4)
    await fleet.agrees()
    assert await seal(fleet.database) == 0


async def test_what_a_consumer_still_needs_stays(fleet: Fleet) -> None:
    await fleet.send(5)
    assert await seal(fleet.database) == 0
    await fleet.consume()
    await fleet.send(5)

    assert await seal(fleet.database) == 6

    assert await where(fleet.database) == (6, 2)
    await fleet.agrees()


async def test_days_that_take_turns_around_midnight_keep_their_order(fleet: Fleet) -> None:
    for days_ago in (3, 2, 3, 2, 1, 0, 1):
        await fleet.send(days_ago)
    await fleet.consume()
    await fleet.agrees()

    # The last ones of yesterday stand behind one of today, and wait for it.
    assert 24 <= await seal(fleet.database) <= 30

    await fleet.agrees()


async def test_a_consumer_passes_nothing_around_midnight(fleet: Fleet) -> None:
    for days_ago in (1, 0, 1, 0):
        await fleet.send(days_ago)
    at = ledger.Position(1, ledger.FIRST_DAY)
    found = []
    while True:
        async with fleet.database.begin() as tx:
            envelopes = await ledger.read(tx, ledger.LogName.RAW, 0, at, 1)
        if not envelopes:
            break
        (envelope,) = envelopes
        found.append(envelope.first)
        at = ledger.Position(envelope.first + envelope.count, envelope.day)
    assert found == [1, 7, 13, 19]


async def test_large_days_are_rewritten_in_stretches(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "STRETCH_BYTES", 1_000)
    for _ in range(40):
        await fleet.send(4)
    await fleet.consume()
    async with fleet.database.begin() as tx:
        first = await ledger.seal(tx)
    assert 6 <= first < 72
    await fleet.agrees()

    await seal(fleet.database)

    envelopes, made = await where(fleet.database)
    assert envelopes == 0
    assert made >= 4
    await fleet.agrees()


async def test_a_broken_off_rewrite_leaves_what_was_and_is_done_again(fleet: Fleet) -> None:
    await fleet.send(4)
    await fleet.send(3)
    await fleet.consume()

    with pytest.raises(RuntimeError, match="stopped"):
        async with fleet.database.begin() as tx:
            await ledger.seal(tx)
            raise RuntimeError("the machine stopped")

    assert await where(fleet.database) == (12, 0)
    await fleet.agrees()
    async with fleet.database.begin() as tx:
        await ledger.seal(tx)
    await fleet.agrees()
    assert await seal(fleet.database) == 6
    await fleet.agrees()


async def test_a_rewrite_killed_within_a_transaction_loses_and_doubles_nothing(
    fleet: Fleet,
) -> None:
    for days_ago in (6, 5):
        for _ in range(40):
            await fleet.send(days_ago, 1)
    await fleet.consume()
    left = [160]
    for _ in range(2):
        worker = await asyncio.create_subprocess_exec(
            sys.executable, str(SEALER), fleet.database.url,
            env={**os.environ, "PYTHONPATH": str(SEALER.parents[1])},
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert worker.stdout is not None
        assert await worker.stdout.readline() == b"inside\n"
        worker.send_signal(signal.SIGKILL)
        await worker.wait()
        left.append((await where(fleet.database))[0])
        await fleet.agrees()

    assert await seal(fleet.database) == left[-1]

    assert left[0] > left[1] > left[2] > 0
    assert (await where(fleet.database))[0] == 0
    await fleet.agrees()


async def test_readers_see_every_message_once_while_days_are_rewritten(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "STRETCH_BYTES", 500)
    for days_ago in (6, 5, 4, 3, 2):
        for _ in range(4):
            await fleet.send(days_ago)
    await fleet.send(0)
    await fleet.consume()
    rewriting = asyncio.create_task(seal(fleet.database))

    while not rewriting.done():
        await fleet.agrees()

    assert await rewriting == 120
    await fleet.agrees()


async def test_messages_go_when_their_application_says(fleet: Fleet) -> None:
    short, usual = fleet.numbers
    async with fleet.database.begin(ROOT) as tx:
        changes = {"keep_messages": timedelta(days=7)}
        await groups.change(tx, ROOT, fleet.towns[0].application_id, changes)
    for days_ago in (100, 30, 6, 0):
        await fleet.send(days_ago, 1)
    await fleet.consume()
    await seal(fleet.database)

    async with fleet.database.begin() as tx:
        await jobs.drop_old(tx)

    fleet.sent[short] = fleet.sent[short][2:]
    fleet.sent[usual] = fleet.sent[usual][1:]
    await fleet.agrees()
    async with fleet.database.begin() as tx:
        with pytest.raises(ledger.PositionGone):
            await ledger.get(tx, short, 0, 1)


async def test_the_tables_of_rewritten_days_go(fleet: Fleet) -> None:
    await fleet.send(5)
    await fleet.consume()
    await fleet.send(4)
    await seal(fleet.database)

    async with fleet.database.begin() as tx:
        await jobs.drop_old(tx)
        left = await ledger.day_tables(tx, "ledger_raw")

    assert TODAY - 5 * DAY not in left
    assert {TODAY - 4 * DAY, TODAY} <= left.keys()
    await fleet.agrees()


async def test_a_removed_devices_bytes_go_with_it(fleet: Fleet) -> None:
    removed, kept = fleet.devices
    await fleet.send(5)
    await fleet.send(4)
    await fleet.consume()
    async with fleet.database.begin() as tx:
        await ledger.seal(tx)

    async with fleet.database.begin(ROOT) as tx:
        await devices.remove(tx, ROOT, removed.id)

    # At once from blocks; what lies in envelopes yet is left out when they are rewritten.
    assert await where(fleet.database) == (6, 1)
    await seal(fleet.database)
    assert await where(fleet.database) == (0, 2)
    assert await fleet.read(removed.number) == []
    assert await fleet.read(kept.number) == fleet.sent[kept.number]


async def test_a_message_is_not_given_as_another_devices(fleet: Fleet) -> None:
    one, other = fleet.numbers
    await fleet.send(3)
    await fleet.consume()
    for _ in range(2):
        async with fleet.database.begin() as tx:
            with pytest.raises(ledger.PositionGone):
                await ledger.get(tx, other, 0, fleet.sent[one][0][0])
        await seal(fleet.database)
