"""What an append to the ledger costs the process that makes it, against psycopg's cursor.

Both run the same prepared statement with the same envelope of four messages, one after the other
in turns; what counts is the CPU time of this process (user and system), not PostgreSQL's.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable

import uvloop

from bench.installation import directory, running
from moorage.kit.db import Database
from moorage.kit.statement import Statement

_RUNS, _ROUNDS = 2_000, 5
_BYTEA = 17
_KEEP = b"INSERT INTO bench_envelopes (body) VALUES ($1) RETURNING first"
_KEEP_NAMED = b"INSERT INTO bench_envelopes (body) VALUES (%(body)s) RETURNING first"
_BODY = bytes(400)


def main() -> None:
    """Measure and print."""
    with directory() as made, running(made) as platform:
        uvloop.run(_measure(Database(platform.url, pool_size=1, name="bench")))


async def _measure(database: Database) -> None:
    async with database.begin() as tx:
        await tx.execute(
            "CREATE UNLOGGED TABLE bench_envelopes "
            "(first bigint GENERATED ALWAYS AS IDENTITY, body bytea NOT NULL)"
        )
    statement = await Statement.prepare(await database.connect(name="bench"), _KEEP, [_BYTEA])
    cursors = await database.connect(name="bench")

    async def ours() -> None:
        await statement.run([_BODY])

    async def rival() -> None:
        cursor = await cursors.execute(_KEEP_NAMED, {"body": _BODY}, prepare=True, binary=True)
        await cursor.fetchone()

    spent: dict[str, list[float]] = {"Statement": [], "psycopg's cursor": []}
    for _ in range(_ROUNDS):
        for name, run in zip(spent, (ours, rival), strict=True):
            spent[name].append(await _cpu_us(run))
    medians = {name: statistics.median(times) for name, times in spent.items()}
    print(f"  {_ROUNDS} rounds of {_RUNS:,} in turns; CPU time of the process that appends")
    for name, median in medians.items():
        print(f"  {name:<18} {median:7.1f} µs an append (median)")
    ours_us, rival_us = medians.values()
    print(f"  ratio {rival_us / ours_us:.2f}")
    await statement.close()
    await cursors.close()
    await database.close()


async def _cpu_us(run: Callable[[], Awaitable[None]]) -> float:
    began = time.process_time()
    for _ in range(_RUNS):
        await run()
    return (time.process_time() - began) / _RUNS * 1e6
