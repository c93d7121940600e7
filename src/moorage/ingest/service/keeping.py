"""What devices find again at a door: their sessions and retained messages, written in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from moorage import sessions
from moorage.kit.db import Database, DatabaseUnavailable

from ..ports import Done, Found

log = structlog.get_logger()

_TRY_AGAIN_S = 0.5


class Keeping:
    """Writes and reads in turns: what comes in during one turn makes the next.

    A read sees every write that was asked for before it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sessions: list[sessions.KeptSession] = []
        self._retained: list[sessions.RetainedMessage] = []
        self._done: list[Done] = []
        self._asked: dict[int, asyncio.Future[Found]] = {}
        self._wake = asyncio.Event()

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

    async def find_again(self, device: int) -> Found:
        """Read what a device finds again. Raises DatabaseUnavailable."""
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
            asked, self._asked = self._asked, {}
            found: Found | Exception
            while True:
                try:
                    found = await self._turn(kept, retained, list(asked))
                except DatabaseUnavailable as failed:
                    if not done:
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
        asked: Sequence[int],
    ) -> Found:
        async with self._database.begin() as tx:
            if kept or retained:
                await sessions.keep(tx, kept, retained)
            return Found(*await sessions.kept_of(tx, asked)) if asked else Found([], [])


def _answer(asked: dict[int, asyncio.Future[Found]], found: Found | Exception) -> None:
    for device, future in asked.items():
        if future.done():
            continue
        if isinstance(found, Exception):
            future.set_exception(found)
            future.exception()  # Whoever asked may be gone.
        else:
            future.set_result(
                Found(
                    [one for one in found.sessions if one.number == device],
                    [one for one in found.retained if one.number == device],
                )
            )
