"""Locks by which processes share things; they end with the connection that holds them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import psycopg

from moorage.kit.db import Database, DatabaseUnavailable


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

    async def check(self) -> None:
        """Find out whether the locks still hold. Raises DatabaseUnavailable."""
        try:
            await self._connection.execute("SELECT 1")
        except (psycopg.Error, OSError) as lost:
            raise DatabaseUnavailable from lost

    async def _ask(self, statement: Any, thing: UUID) -> bool:
        try:
            cursor = await self._connection.execute(statement, (self._space, thing.hex))
            row = await cursor.fetchone()
        except (psycopg.Error, OSError) as lost:
            raise DatabaseUnavailable from lost
        return bool(row and row[0])


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
