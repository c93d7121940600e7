"""The life of a process as a listener: it beats, and learns of the others that do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from uuid import UUID

import structlog

from moorage import sessions
from moorage.kit.db import Database, DatabaseUnavailable

log = structlog.get_logger()

BEAT_EVERY_S = 2.0
# Between two looks, in beats, whether somebody is at home nowhere whom others may send something;
# beside those when a listener has come or gone.
LOOK_EVERY = 15
_TRY_AGAIN_S = 1.0


class Living:
    """A life in the table of listeners, and those of others there.

    Args:
        database: where the table is.
        name: by which it lives, such as `host:1883`; None where it is no listener.
        address: where other listeners reach it, as `host:port`.
        version: of the platform.
        began: is given the id of each life that begins.
        due: is given devices that this listener is to take up.
        met: is given the others that live, at each beat, and whether nobody was found to take up;
            gives how many of them are followed.
    """

    def __init__(
        self,
        database: Database,
        name: str | None,
        address: str | None,
        version: str,
        *,
        began: Callable[[UUID], None],
        due: Callable[[Sequence[int]], None],
        met: Callable[[Sequence[sessions.Listener], bool], int],
    ) -> None:
        self._database = database
        self.name, self._address, self._version = name, address, version
        self._began, self._due, self._met = began, due, met
        self.id: UUID | None = None
        self._others: list[UUID] | None = None
        self._beats = 0
        self._is_complete = False
        self._follows = 0
        self._soon = asyncio.Event()

    def begin(self, listener_id: UUID) -> None:
        """Begin a life."""
        if self.id is not None:
            log.error("listener_given_up", listener_id=self.id)
        self.id = listener_id
        self._others = None
        self._began(listener_id)

    async def run(self, name: str) -> None:
        """End what a predecessor of this name left connected, then beat until cancelled."""
        while True:
            self._soon.clear()
            try:
                await self._beat(name)
            except DatabaseUnavailable:
                await asyncio.sleep(_TRY_AGAIN_S)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_EVERY_S):
                    await self._soon.wait()

    async def _beat(self, name: str) -> None:
        async with self._database.begin() as tx:
            own = self.id
            if own is None or not await sessions.beat(tx, own, self._follows):
                own = await sessions.start_listener(tx, name, self._address, self._version)
        if own != self.id:
            self.begin(own)
        async with self._database.begin() as tx:
            others = [one for one in await sessions.living(tx) if one.id != own]
            due = await sessions.due_wills(tx, own)
            if [one.id for one in others] != self._others or not self._beats % LOOK_EVERY:
                unhearing = await sessions.unhearing(tx)
                # There may be more of them.
                self._beats, self._is_complete = (0, False) if unhearing else (1, True)
                due += unhearing
            else:
                self._beats += 1
        self._others = [one.id for one in others]
        self._follows = self._met(others, self._is_complete)
        if due:
            self._due(due)

    def meet(self) -> None:
        """Beat at once, and so learn of who else lives."""
        self._soon.set()

    async def stop(self) -> None:
        """Say that nobody is at home here any more."""
        if self.id is not None:
            with suppress(DatabaseUnavailable):  # Then the others find out.
                async with self._database.begin() as tx:
                    await sessions.stop_listener(tx, self.id)

    async def bury(self, listener_id: UUID, *, refused: bool) -> bool:
        """Give up another listener that could not be reached, if it is dead; tell whether it is.

        Raises:
            DatabaseUnavailable: it cannot be told just now.
        """
        async with self._database.begin() as tx:
            dead = await sessions.bury(tx, listener_id, by=self.name or "", refused=refused)
        if dead:
            log.warning("listener_buried", listener_id=listener_id)
            self.meet()
        return dead
