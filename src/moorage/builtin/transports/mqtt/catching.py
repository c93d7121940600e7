"""How a session hears what was shared before its filters were known everywhere.

A session is behind while it has been taken up from another listener, while it subscribes to what
devices share, and while another listener is not reached. What comes for it meanwhile waits, until
what was written down has been read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from moorage.plugin import MoorageError, PassedMessage, Shared
from moorage_mqtt import Publish

from .frozen import thaw_publish
from .sessions import Kept, Mark

if TYPE_CHECKING:
    from .door import Door

Retained = list[tuple[UUID, Publish]]
"""Retained messages, with the applications whose topics they are about."""

_ASK_AGAIN_S = 0.5


@dataclass(eq=False)
class _Behind:
    """What a session has to do to catch up.

    Attributes:
        misses: it may have missed what was written down.
        then: called with what is retained, before what waits is sent.
    """

    misses: bool = False
    then: list[Callable[[Retained], None]] = field(default_factory=list)


class Catching:
    """Has sessions catch up, all together that are behind."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._behind: dict[Kept, _Behind] = {}
        self._running = False
        self._woken = asyncio.Event()

    @property
    def is_busy(self) -> bool:
        """Whether any session is behind, or being taken up."""
        return self._running or self._door.keeper.is_loading

    def wake(self) -> None:
        """Look again whether others are reached."""
        self._woken.set()

    def take_up(self, kept: Kept) -> None:
        """Have a session catch up that was found again."""
        self._begin(kept).misses = True

    def subscribe(self, kept: Kept, then: Callable[[Retained], None]) -> None:
        """Call once all others know what the session subscribes to, with what is retained."""
        self.bring_up(kept)
        one = self._begin(kept)
        one.then.append(then)
        one.misses = one.misses or not self._door.routes.reaches_all

    def all_behind(self) -> None:
        """Have all sessions catch up: another listener may have sent what did not come."""
        for kept in self._door.broker.members():
            if kept.elsewhere:
                self.bring_up(kept)
                self._begin(kept).misses = True

    def bring_up(self, kept: Kept) -> None:
        """Note for a session that is not behind how far it has heard the others."""
        if kept.behind is None:
            for listener_id, place in self._door.routes.own_heard().items():
                kept.heard[listener_id] = max(place, kept.heard.get(listener_id, 0))

    def _begin(self, kept: Kept) -> _Behind:
        if kept.behind is None:
            kept.behind = []
        if not self._running:
            self._running = True
            self._door.spawn(self._run())
        return self._behind.setdefault(kept, _Behind())

    async def _run(self) -> None:
        door = self._door
        try:
            while self._behind and not door.is_closing:
                while door.routes.is_doubtful:
                    self._woken.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_ASK_AGAIN_S):
                            await self._woken.wait()
                batch, self._behind = self._behind, {}
                await door.routes.known()
                if door.routes.is_doubtful:
                    self._put_back(batch)
                    continue
                places = dict(door.routes.own_heard())
                try:
                    shared = await self._read(batch, places)
                except MoorageError:
                    self._put_back(batch)
                    await asyncio.sleep(_ASK_AGAIN_S)
                    continue
                passed = [(one, thaw_publish(one.message)) for one in shared.passed]
                retained = [(space, thaw_publish(message)) for space, message in shared.retained]
                for kept, behind in batch.items():
                    self._catch_up(kept, behind, passed, retained, places)
                door.send_later()
        finally:
            self._running = False

    def _put_back(self, batch: dict[Kept, _Behind]) -> None:
        """Try again with those, and with who is behind since."""
        for kept, since in self._behind.items():
            one = batch.setdefault(kept, since)
            if one is not since:
                one.misses = one.misses or since.misses
                one.then += since.then
        self._behind = batch

    async def _read(self, batch: Iterable[Kept], places: dict[UUID, int]) -> Shared:
        """Read from the place on that all of them have heard."""
        applications: set[UUID] = set()
        heard = dict(places)
        for kept in batch:
            applications.update(kept.elsewhere.values())
            for listener_id in list(heard):
                if listener_id not in kept.heard:
                    del heard[listener_id]
                else:
                    heard[listener_id] = min(heard[listener_id], kept.heard[listener_id])
        return await self._door.host.shared_since(applications, heard)

    def _catch_up(
        self,
        kept: Kept,
        behind: _Behind,
        passed: Sequence[tuple[PassedMessage, Publish]],
        retained: Retained,
        places: dict[UUID, int],
    ) -> None:
        broker, now = self._door.broker, self._door.time()
        if broker.find(kept.number, kept.client_id) is not kept:
            return  # It has ended, or its device is at home elsewhere by now.
        waiting, kept.behind = kept.behind or [], None
        for call in behind.then:
            call(retained)
        spaces = set(kept.elsewhere.values())
        last: dict[UUID, int] = {}
        for one, publish in passed:
            mark = Mark(one.listener_id, one.place)
            if behind.misses and one.application_id in spaces:
                broker.replay(kept, one.application_id, publish, now, mark)
            if behind.misses or one.listener_id not in places:
                last[one.listener_id] = one.place
        for listener_id, place in (*last.items(), *places.items()):
            kept.heard[listener_id] = max(place, kept.heard.get(listener_id, 0))
        for listener_id in kept.heard.keys() - places.keys() - last.keys():
            del kept.heard[listener_id]  # Nothing is left of what it has said.
        for message, waited in waiting:
            broker.deliver(kept, message, now, waited)
        if kept in self._behind:
            kept.behind = []
