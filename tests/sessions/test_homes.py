"""Where devices are at home, against a model: listeners claim, release, write, die, come again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID, uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from fleet import a_device, a_town
from moorage import devices, sessions
from moorage.kit.db import Database, Tx
from moorage.sessions import KeptSession

T = TypeVar("T")
LISTENERS, DEVICES = 3, 3
listeners = st.integers(0, LISTENERS - 1)
numbers = st.integers(0, DEVICES - 1)


@dataclass
class Process:
    """A listener: what it believes. `homes` are the epochs it remembers."""

    name: str
    id: UUID
    homes: dict[int, int] = field(default_factory=dict)


@dataclass
class Home:
    """What is true of a device."""

    at: UUID | None = None
    epoch: int = 0
    state: bytes | None = None


class Homes(RuleBasedStateMachine):
    """Every transaction commits; a listener that was buried does not learn of it by itself."""

    def __init__(self, database_url: str) -> None:
        super().__init__()
        self._url = database_url
        self._runner = asyncio.Runner()
        self._database = self._runner.run(self._open())
        self._finder = sessions.Finder(self._database)
        self._count = 0

        async def found(tx: Tx) -> list[int]:
            town = await a_town(tx, f"Town {uuid4()}")
            made = [await devices.enrol(tx, town.admin, a_device(town)) for _ in range(DEVICES)]
            return [one.number for one in made]

        self.homes = {number: Home() for number in self._do(found)}
        self.living: set[UUID] = set()
        self.processes = []
        for at in range(LISTENERS):
            name = f"{next(iter(self.homes))}:{at}"
            self.processes.append(Process(name, self._start(name)))

    def _do(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        async def run() -> T:
            async with self._database.begin() as tx:
                return await work(tx)

        return self._runner.run(run())

    async def _open(self) -> Database:
        return Database(self._url, pool_size=1)

    def _start(self, name: str) -> UUID:
        made = self._do(lambda tx: sessions.start_listener(tx, name, "127.0.0.1:1"))
        self.living.add(made)
        return made

    def _gone(self, listener_id: UUID) -> None:
        self.living.discard(listener_id)
        for home in self.homes.values():
            if home.at == listener_id:
                home.at = None

    def _device(self, at: int) -> int:
        return list(self.homes)[at]

    @rule(at=listeners, device=numbers)
    def claim(self, at: int, device: int) -> None:
        one, number = self.processes[at], self._device(device)
        home = self.homes[number]
        own, elsewhere = self._do(lambda tx: sessions.claim(tx, one.id, [number]))
        if one.id in self.living and home.at in (None, one.id):
            home.epoch += home.at is None
            home.at = one.id
            assert own == {number: home.epoch}
            one.homes |= own
        else:
            assert own == {}
        found = elsewhere.get(number)
        assert (found and found.id) == (home.at if home.at != one.id else None)

    @rule(at=listeners, device=numbers, hears=st.booleans())
    def come_home(self, at: int, device: int, hears: bool) -> None:
        """As `claim`, the way doors bring devices home; a listener may not hear what came of it."""
        one, number = self.processes[at], self._device(device)
        home = self.homes[number]
        came = self._runner.run(self._finder.find(one.id, [number]))
        if one.id in self.living and home.at in (None, one.id):
            home.epoch += home.at is None
            home.at = one.id
            assert came.homes == {number: home.epoch}
            assert [kept.state for kept in came.kept] == (
                [] if home.state is None else [home.state]
            )
            if hears:
                one.homes |= came.homes
        else:
            assert (came.homes, came.kept) == ({}, [])
        found = came.elsewhere.get(number)
        assert (found and found.id) == (home.at if home.at != one.id else None)

    @rule(at=listeners, device=numbers)
    def release(self, at: int, device: int) -> None:
        one, number = self.processes[at], self._device(device)
        self._do(lambda tx: sessions.release(tx, one.id, [number]))
        one.homes.pop(number, None)
        if self.homes[number].at == one.id:
            self.homes[number].at = None

    @rule(at=listeners, device=numbers)
    def write(self, at: int, device: int) -> None:
        one, number = self.processes[at], self._device(device)
        self._count += 1
        state = b"%d" % self._count
        kept = KeptSession(number, "c", state, 60, None)
        lost = self._do(lambda tx: sessions.keep(tx, one.id, one.homes, [kept], []))
        home = self.homes[number]
        may = home.at == one.id and one.homes.get(number) == home.epoch
        assert lost == (set() if may else {number})
        if may:
            home.state = state
        else:
            one.homes.pop(number, None)  # As a listener does that is told so.

    @rule(at=listeners)
    def bury(self, at: int) -> None:
        """Another one finds it dead; it may live on behind a partition, and does not know."""
        one = self.processes[at]
        by = one.name.rpartition(":")[0] + ":9"
        assert self._do(lambda tx: sessions.bury(tx, one.id, by=by, refused=True))
        self._gone(one.id)

    @rule(at=listeners)
    def come_again(self, at: int) -> None:
        """It beats; if it was given up, or is a new process, it begins another life."""
        one = self.processes[at]
        if self._do(lambda tx: sessions.beat(tx, one.id)):
            assert one.id in self.living
            self._gone(one.id)
        self.processes[at] = Process(one.name, self._start(one.name))

    @invariant()
    def the_table_says_what_is_true(self) -> None:
        found, _ = self._do(lambda tx: sessions.kept_of(tx, list(self.homes)))
        assert {one.number: one.state for one in found} == {
            number: home.state for number, home in self.homes.items() if home.state is not None
        }
        unknown = UUID(int=0)
        _, where = self._do(lambda tx: sessions.claim(tx, unknown, list(self.homes)))
        assert {number: one.id for number, one in where.items()} == {
            number: home.at for number, home in self.homes.items() if home.at is not None
        }

    def teardown(self) -> None:
        self._runner.run(self._finder.close())
        self._runner.run(self._database.close())
        self._runner.close()


@pytest.mark.search
def test_a_device_is_at_home_where_the_model_says_and_only_its_home_writes(
    database_url: str,
) -> None:
    examples = settings.default.max_examples // 10
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: Homes(database_url),
        settings=settings(max_examples=examples, stateful_step_count=30),
    )
