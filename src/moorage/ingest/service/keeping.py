"""What devices find again at a door: their sessions and retained messages, written in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

import structlog

from moorage import sessions
from moorage.kit.db import Database, DatabaseUnavailable

from ..ports import Done, Found, Shared

log = structlog.get_logger()

_TRY_AGAIN_S = 0.5
T = TypeVar("T")


@dataclass(eq=False)
class _Asked:
    """What is to be read of what devices share, for all that ask in one turn."""

    answer: asyncio.Future[Shared]
    applications: set[UUID] = field(default_factory=set)
    heard: dict[UUID, int] = field(default_factory=dict)
    askers: int = 0

    def add(self, applications: Collection[UUID], heard: Mapping[UUID, int]) -> None:
        """Read for one more, from where the one begins that has heard least."""
        if self.askers:
            both = self.heard.keys() & heard.keys()
            self.heard = {one: min(self.heard[one], heard[one]) for one in both}
        else:
            self.heard = dict(heard)
        self.applications.update(applications)
        self.askers += 1


@dataclass(eq=False)
class _Turn:
    """What came in during one turn."""

    kept: list[sessions.KeptSession] = field(default_factory=list)
    retained: list[sessions.RetainedMessage] = field(default_factory=list)
    shared: list[sessions.SharedMessage] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    leaving: set[int] = field(default_factory=set)
    asked: dict[int, asyncio.Future[Found]] = field(default_factory=dict)
    asked_shared: _Asked | None = None

    @property
    def writes(self) -> bool:
        """Whether there is something to keep."""
        return bool(self.kept or self.retained or self.shared)


class Keeping:
    """Writes and reads in turns: what comes in during one turn makes the next.

    A read sees every write that was asked for before it. A device that is read is at home at this
    listener from then on, until it leaves; nothing is written for one that is not.

    Args:
        database: where to.
        lost: is given devices for which nothing was written, since they are at home elsewhere.
    """

    def __init__(self, database: Database, lost: Callable[[Sequence[int]], None]) -> None:
        self._database = database
        self._lost = lost
        self._finder = sessions.Finder(database)
        self._listener: UUID | None = None
        self._homes: dict[int, int] = {}  # The devices at home here, with their epochs.
        self._next = _Turn()
        self._wake = asyncio.Event()

    def begin(self, listener_id: UUID) -> None:
        """Begin the life of a listener; none of the devices is at home here now."""
        self._listener = listener_id
        homes, self._homes = self._homes, {}
        if homes:
            self._lost(list(homes))

    def keep(
        self,
        kept: Sequence[sessions.KeptSession],
        retained: Sequence[sessions.RetainedMessage],
        shared: Sequence[sessions.SharedMessage],
        done: Done,
    ) -> None:
        """Write; `done` follows the commit."""
        self._next.kept += kept
        self._next.retained += retained
        self._next.shared += shared
        self._next.done.append(done)
        self._wake.set()

    def leave(self, device: int) -> None:
        """Let a device be at home elsewhere, once all that was asked for before is written."""
        self._next.leaving.add(device)
        self._wake.set()

    async def find_again(self, device: int) -> Found:
        """Be the home of a device, and read what it finds again. Raises DatabaseUnavailable."""
        asked = self._next.asked.get(device)
        if asked is None:
            asked = self._next.asked[device] = asyncio.get_running_loop().create_future()
            self._wake.set()
        return await asyncio.shield(asked)

    async def shared_since(
        self, applications: Collection[UUID], heard: Mapping[UUID, int]
    ) -> Shared:
        """Read what devices shared lately, and perhaps more. Raises DatabaseUnavailable."""
        asked = self._next.asked_shared
        if asked is None:
            asked = self._next.asked_shared = _Asked(asyncio.get_running_loop().create_future())
            self._wake.set()
        asked.add(applications, heard)
        return await asyncio.shield(asked.answer)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                turn, self._next = self._next, _Turn()
                error, shared = await self._kept(turn)
                for one in turn.done:
                    one(error)
                _answer(turn, error or await self._found(turn), shared)
        finally:
            await self._finder.close()

    async def _kept(self, turn: _Turn) -> tuple[Exception | None, Shared | Exception]:
        """Write what came in, until it is kept or cannot be; read what devices share after that."""
        while turn.writes or turn.leaving or turn.asked_shared is not None:
            try:
                return None, await self._write(turn)
            except DatabaseUnavailable as failed:
                if not turn.done and not turn.leaving:
                    return failed, failed
                # What is to be kept waits, and its devices with it; who asks is told at once.
                _answer(turn, failed, failed)
                turn.asked, turn.asked_shared = {}, None
                await asyncio.sleep(_TRY_AGAIN_S)
            except Exception as failed:
                log.error("sessions_not_kept", exc_info=failed)
                return failed, failed
        return None, Shared((), ())

    async def _write(self, turn: _Turn) -> Shared:
        listener = self._living()
        lost: set[int] = set()
        shared = Shared((), ())
        async with self._database.begin() as tx:
            if turn.writes:
                lost = await sessions.keep(
                    tx, listener, self._homes, turn.kept, turn.retained, turn.shared
                )
            else:
                # Who is at home where may be forgotten in a crash: nothing can be written then for
                # a device that had moved.
                await tx.execute("SET LOCAL synchronous_commit TO off")
            if turn.leaving:
                await sessions.release(tx, listener, list(turn.leaving))
            if (asked := turn.asked_shared) is not None:
                read = await sessions.shared_since(tx, asked.applications, asked.heard)
                shared = Shared(*read)
        self._require(listener)
        for device in turn.leaving | lost:
            self._homes.pop(device, None)
        if lost:
            self._lost(list(lost))
        return shared

    async def _found(self, turn: _Turn) -> dict[int, Found] | Exception:
        """Bring home who has asked, and read what is kept of him."""
        if not turn.asked:
            return {}
        try:
            listener = self._living()
            came = await self._finder.find(listener, list(turn.asked))
            self._require(listener)
        except DatabaseUnavailable as failed:
            return failed
        except Exception as failed:
            log.error("sessions_not_found", exc_info=failed)
            return failed
        self._homes |= came.homes
        found = {number: Found([], [], where) for number, where in came.elsewhere.items()}
        return found | _by_device(list(turn.asked), came.kept, came.retained, found)

    def _living(self) -> UUID:
        if self._listener is None:
            raise DatabaseUnavailable
        return self._listener

    def _require(self, listener: UUID) -> None:
        """Have a listener live on that was not given up for dead meanwhile."""
        if listener != self._listener:
            raise DatabaseUnavailable


def _by_device(
    asked: Sequence[int],
    kept: Sequence[sessions.KeptSession],
    retained: Sequence[sessions.RetainedMessage],
    beside: dict[int, Found],
) -> dict[int, Found]:
    found: dict[int, tuple[list[sessions.KeptSession], list[sessions.RetainedMessage]]]
    found = {number: ([], []) for number in asked if number not in beside}
    for one in kept:
        found[one.number][0].append(one)
    for message in retained:
        found[message.number][1].append(message)
    return {number: Found(*own) for number, own in found.items()}


def _answer(turn: _Turn, found: dict[int, Found] | Exception, shared: Shared | Exception) -> None:
    for device, future in turn.asked.items():
        _settle(future, found if isinstance(found, Exception) else found[device])
    if turn.asked_shared is not None:
        _settle(turn.asked_shared.answer, shared)


def _settle(future: asyncio.Future[T], answer: T | Exception) -> None:
    if future.done():
        return
    if not isinstance(answer, Exception):
        future.set_result(answer)
        return
    if isinstance(answer, DatabaseUnavailable):
        future.set_exception(answer)
    else:
        unknown = DatabaseUnavailable()
        unknown.__cause__ = answer
        future.set_exception(unknown)
    future.exception()  # Whoever asked may be gone.
