"""What devices find again at a door: their sessions and retained messages, written in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

import structlog

from moorage import sessions
from moorage.kit.db import Database, DatabaseUnavailable

from ..ports import Done, Found

log = structlog.get_logger()

_TRY_AGAIN_S = 0.5


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
        self._listener: UUID | None = None
        self._homes: dict[int, int] = {}  # The devices at home here, with their epochs.
        self._sessions: list[sessions.KeptSession] = []
        self._retained: list[sessions.RetainedMessage] = []
        self._done: list[Done] = []
        self._leaving: set[int] = set()
        self._asked: dict[int, asyncio.Future[Found]] = {}
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
        done: Done,
    ) -> None:
        """Write; `done` follows the commit."""
        self._sessions += kept
        self._retained += retained
        self._done.append(done)
        self._wake.set()

    def leave(self, device: int) -> None:
        """Let a device be at home elsewhere, once all that was asked for before is written."""
        self._leaving.add(device)
        self._wake.set()

    async def find_again(self, device: int) -> Found:
        """Be the home of a device, and read what it finds again. Raises DatabaseUnavailable."""
        asked = self._asked.get(device)
        if asked is None:
            asked = self._asked[device] = asyncio.get_running_loop().create_future()
            self._wake.set()
        return await asyncio.shield(asked)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            kept, self._sessions = self._sessions, []
            retained, self._retained = self._retained, []
            done, self._done = self._done, []
            leaving, self._leaving = self._leaving, set()
            asked, self._asked = self._asked, {}
            found: dict[int, Found] | Exception
            while True:
                try:
                    found = await self._turn(kept, retained, leaving, list(asked))
                except DatabaseUnavailable as failed:
                    if not done and not leaving:
                        found = failed
                        break
                    # What is to be kept waits, and its devices with it; who asks is told at once.
                    _answer(asked, failed)
                    asked = {}
                    await asyncio.sleep(_TRY_AGAIN_S)
                    continue
                except Exception as failed:
                    log.error("sessions_not_kept", exc_info=failed)
                    found = failed
                break
            error = found if isinstance(found, Exception) else None
            for one in done:
                one(error)
            _answer(asked, found)

    async def _turn(
        self,
        kept: Sequence[sessions.KeptSession],
        retained: Sequence[sessions.RetainedMessage],
        leaving: set[int],
        asked: Sequence[int],
    ) -> dict[int, Found]:
        listener = self._listener
        if listener is None:
            raise DatabaseUnavailable
        lost: set[int] = set()
        found: dict[int, Found] = {}
        claimed: dict[int, int] = {}
        async with self._database.begin() as tx:
            if kept or retained:
                lost = await sessions.keep(tx, listener, self._homes, kept, retained)
            else:
                # Who is at home where may be forgotten in a crash: nothing can be written then for
                # a device that had moved.
                await tx.execute("SET LOCAL synchronous_commit TO off")
            if leaving:
                await sessions.release(tx, listener, list(leaving))
            if asked:
                claimed, elsewhere = await sessions.claim(tx, listener, asked)
                found = {number: Found([], [], where) for number, where in elsewhere.items()}
                found |= _by_device(asked, *await sessions.kept_of(tx, list(claimed)), found)
        if listener != self._listener:
            raise DatabaseUnavailable  # It was given up for dead meanwhile.
        for device in leaving | lost:
            self._homes.pop(device, None)
        self._homes |= claimed
        if lost:
            self._lost(list(lost))
        return found


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


def _answer(asked: dict[int, asyncio.Future[Found]], found: dict[int, Found] | Exception) -> None:
    for device, future in asked.items():
        if future.done():
            continue
        if isinstance(found, DatabaseUnavailable):
            future.set_exception(found)
        elif isinstance(found, Exception):
            unknown = DatabaseUnavailable()
            unknown.__cause__ = found
            future.set_exception(unknown)
        else:
            future.set_result(found[device])
            continue
        future.exception()  # Whoever asked may be gone.
