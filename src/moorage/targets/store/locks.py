"""The locks by which workers share targets; they end with the connection that holds them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import psycopg

from moorage.kit.db import Database, DatabaseUnavailable


class Locks:
    """Locks on targets, held by one connection."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    async def take(self, target_id: UUID) -> bool:
        """Lock a target; False if somebody else holds it."""
        return await self._ask("SELECT pg_try_advisory_lock(%s, hashtext(%s))", target_id)

    async def release(self, target_id: UUID) -> None:
        """Let a target go."""
        await self._ask("SELECT pg_advisory_unlock(%s, hashtext(%s))", target_id)

    async def check(self) -> None:
        """Find out whether the locks still hold. Raises DatabaseUnavailable."""
        try:
            await self._connection.execute("SELECT 1")
        except (psycopg.Error, OSError) as lost:
            raise DatabaseUnavailable from lost

    async def _ask(self, statement: Any, target_id: UUID) -> bool:
        try:
            cursor = await self._connection.execute(statement, (_SPACE, target_id.hex))
            row = await cursor.fetchone()
        except (psycopg.Error, OSError) as lost:
            raise DatabaseUnavailable from lost
        return bool(row and row[0])


# The first half of the advisory locks' keys: "targ" in ASCII.
_SPACE = 0x74617267


@contextlib.asynccontextmanager
async def locks(database: Database) -> AsyncIterator[Locks]:
    """Open a connection that can hold locks. Raises DatabaseUnavailable."""
    try:
        connection = await database.connect(name="moorage-targets")
    except (psycopg.Error, OSError) as lost:
        raise DatabaseUnavailable from lost
    try:
        yield Locks(connection)
    finally:
        await connection.close()
