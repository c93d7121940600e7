"""Which database this installation uses."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from moorage.entry import postgres, state
from moorage.entry.lifeline import Lifeline
from moorage.entry.settings import Settings
from moorage.kit.db import Database, DatabaseUnavailable
from moorage.kit.errors import Kind, MoorageError


class DatabaseNotRunning(MoorageError):
    """No outside database is set and the embedded one does not run."""

    kind = Kind.UNAVAILABLE
    code = "database.not_running"
    message = (
        "The database in {directory} is not running. Start it with `moorage run`, or set "
        "MOORAGE_DATABASE_URL to a PostgreSQL 15 or newer."
    )


def url_of(settings: Settings) -> str:
    """Give the outside database, or the embedded one while `moorage run` keeps it running.

    Raises:
        DatabaseNotRunning: there is neither.
    """
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    url = postgres.url_of(settings.data_dir)
    if url is None or state.read(settings.data_dir) is None:
        raise DatabaseNotRunning(directory=str(settings.data_dir))
    return url


def directory_of(settings: Settings) -> Path | None:
    """Give the directory of the embedded database; None with an outside one."""
    embedded = postgres.url_of(settings.data_dir)
    outside = settings.database_url
    if embedded is None or (outside is not None and outside.get_secret_value() != embedded):
        return None
    return settings.data_dir / "postgres"


class Probe:
    """Asks the database whether it answers, one question at a time.

    Whoever asks meanwhile waits for the same answer. A question to a server that hangs cannot be
    given up quickly, since its connection is rolled back first; so it is left to itself.
    """

    def __init__(self) -> None:
        self._asking: asyncio.Task[None] | None = None

    async def answers(self, database: Database, within_s: float) -> bool:
        """Tell whether the database answers within so many seconds."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(_ask(database))
        done, _ = await asyncio.wait({self._asking}, timeout=within_s)
        return bool(done) and not self._asking.cancelled() and self._asking.exception() is None

    def stop(self) -> None:
        """Give up a question that is still open."""
        if self._asking is not None:
            self._asking.cancel()


async def _ask(database: Database) -> None:
    async with database.begin() as tx:
        await tx.execute("SELECT 1")


async def await_answer(database: Database, line: Lifeline) -> bool:
    """Wait until the database answers; False if told to stop before."""
    while not line.stop.is_set():
        with contextlib.suppress(DatabaseUnavailable):
            await _ask(database)
            return True
        line.waiting("database")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(line.stop.wait(), 0.5)
    return False
