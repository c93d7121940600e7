"""Which database this installation uses."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from moorage import ingest
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


def room_of(settings: Settings) -> ingest.Room:
    """Watch the disk that the embedded database grows on."""
    return ingest.Room(directory_of(settings), **shares_of(settings))


def shares_of(settings: Settings) -> dict[str, float]:
    """Give the used shares of the disk at which something happens."""
    return {"warn_share": settings.disk.warn_share, "refuse_share": settings.disk.refuse_share}


async def await_answer(database: Database, line: Lifeline) -> bool:
    """Wait until the database answers; False if told to stop before."""
    while not line.stop.is_set():
        with contextlib.suppress(DatabaseUnavailable):
            async with database.begin() as tx:
                await tx.execute("SELECT 1")
            return True
        line.waiting("database")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(line.stop.wait(), 0.5)
    return False
