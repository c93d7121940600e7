"""Transactions: what is kept together, what is kept at once, and a server that goes away."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy.exc import ProgrammingError

from moorage.kit.db import Database, DatabaseUnavailable

KEPT = "SELECT count(*) FROM kept"


async def count(database: Database) -> int:
    """Count what is kept."""
    async with database.begin() as tx:
        return int((await tx.execute(KEPT)).scalar_one())


async def test_a_transaction_keeps_all_or_nothing_and_single_statements_each_their_own(
    database: Database,
) -> None:
    """A failure takes back the whole of a transaction, and only itself outside of one."""
    async with database.begin() as tx:
        await tx.execute("CREATE TABLE kept (n integer)")
    with pytest.raises(ProgrammingError):
        async with database.begin() as tx:
            await tx.execute("INSERT INTO kept VALUES (1)")
            await tx.execute("SELECT nothing")
    assert await count(database) == 0

    with pytest.raises(ProgrammingError):
        async with database.each() as tx:
            await tx.execute("INSERT INTO kept VALUES (1)")
            await tx.execute("SELECT nothing")
    assert await count(database) == 1

    # The connection that ran them is an ordinary one again.
    with pytest.raises(ProgrammingError):
        async with database.begin() as tx:
            await tx.execute("INSERT INTO kept VALUES (2)")
            await tx.execute("SELECT nothing")
    assert await count(database) == 1


async def test_connections_that_the_server_closed_are_renewed_before_they_are_used(
    database: Database, database_url: str
) -> None:
    """Who asks next notices nothing; who was in the middle is told."""
    async with database.begin() as tx, database.begin() as other:
        # Two connections lie in the pool after this.
        await tx.execute("SELECT 1")
        await other.execute("SELECT 1")
    with psycopg.connect(database_url, autocommit=True) as administrator:
        end_others = (
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        administrator.execute(end_others)
        for _ in range(3):
            async with database.begin() as tx:
                assert (await tx.execute("SELECT 1")).scalar_one() == 1
            async with database.each() as tx:
                assert (await tx.execute("SELECT 1")).scalar_one() == 1
        with pytest.raises(DatabaseUnavailable):
            async with database.begin() as tx:
                await tx.execute("SELECT 1")
                administrator.execute(end_others)
                await tx.execute("SELECT 1")
        async with database.begin() as tx:
            assert (await tx.execute("SELECT 1")).scalar_one() == 1
