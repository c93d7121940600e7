"""Locks by which processes share things; they end with the connection that holds them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import psycopg

from moorage.kit.db import Database, DatabaseUnavailable

# Those who share hold key 0 of the space together, where things are held by one each.
_OTHERS = """
SELECT pid, count(*) FILTER (WHERE mode = 'ExclusiveLock') FROM pg_locks
WHERE locktype = 'advisory' AND granted AND classid = %s AND objsubid = 2
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND pid <> pg_backend_pid()
GROUP BY pid HAVING bool_or(mode = 'ShareLock' AND objid = 0)
"""


class Locks:
    """Locks on things of one sort, held by one connection (PostgreSQL, "Advisory Locks").

    Args:
        connection: holds them.
        space: first half of their keys, of its own for each sort of thing.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any], space: int) -> None:
        self._connection = connection
        self._space = space

    async def take(self, thing: UUID) -> bool:
        """Lock a thing; False if somebody else holds it. Raises DatabaseUnavailable."""
        return await self._ask("SELECT pg_try_advisory_lock(%s, hashtext(%s))", thing)

    async def release(self, thing: UUID) -> None:
        """Let a thing go. Raises DatabaseUnavailable."""
        await self._ask("SELECT pg_advisory_unlock(%s, hashtext(%s))", thing)

    async def attend(self) -> None:
        """Be counted among those who share these things. Raises DatabaseUnavailable."""
        await self._rows("SELECT pg_advisory_lock_shared(%s, 0)", self._space)

    async def others(self) -> dict[int, int]:
        """Tell how much each of the others who attend holds. Raises DatabaseUnavailable."""
        return dict(await self._rows(_OTHERS, self._space))

    async def check(self) -> None:
        """Find out whether the locks still hold. Raises DatabaseUnavailable."""
        try:
            await self._connection.execute("SELECT 1")
        except (psycopg.Error, OSError) as lost:
            raise DatabaseUnavailable from lost

    async def _ask(self, statement: Any, thing: UUID) -> bool:
        rows = await self._rows(statement, self._space, thing.hex)
        return bool(rows and rows[0][0])

    async def _rows(self, statement: Any, *given: Any) -> list[Any]:
        try:
            cursor = await self._connection.execute(statement, given)
            return await cursor.fetchall()
        except (psycopg.Error, OSError) as lost:
            raise DatabaseUnavailable from lost


@contextlib.asynccontextmanager
async def locks(database: Database, sort: str) -> AsyncIterator[Locks]:
    """Open a connection that can hold locks.

    Args:
        database: where they are held.
        sort: what is locked, such as `targets`; its first four letters (ASCII) make the space.

    Raises:
        DatabaseUnavailable.
    """
    try:
        connection = await database.connect(name=f"moorage-{sort}")
    except (psycopg.Error, OSError) as lost:
        raise DatabaseUnavailable from lost
    try:
        yield Locks(connection, int.from_bytes(sort[:4].encode("ascii"), "big"))
    finally:
        await connection.close()
