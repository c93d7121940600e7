"""The pen of a log: one writer's durable appends over a connection of its own."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Any

import psycopg

from moorage.kit import trace
from moorage.kit.db import Database
from moorage.kit.ids import uuid7
from moorage.kit.statement import Statement

from ..errors import DayMissing, LedgerUnavailable
from ..model import CHANNEL, Appended, Frame, LogName, pack
from .log import TABLE

# One statement, so one round trip and one short lock: fence the writer, take positions, keep.
_APPEND = """
WITH fence AS (
    INSERT INTO ledger_writers AS w (writer, log, partition, seq, at)
    VALUES ($1, $2, $3, $4, now())
    ON CONFLICT (writer, log, partition) DO UPDATE SET seq = EXCLUDED.seq, at = now()
    WHERE w.seq = EXCLUDED.seq - 1
    RETURNING seq
), place AS (
    UPDATE ledger_partitions SET next = next + $5
    WHERE log = $2 AND partition = $3 AND (SELECT count(*) FROM fence) = 1
    RETURNING next - $5 AS first
), kept AS (
    INSERT INTO {table} (day, partition, first, count, at, body)
    SELECT (now() AT TIME ZONE 'utc')::date, $3, first, $5, now(), $6
    FROM place
    RETURNING first
)
SELECT first, pg_notify($7, '') FROM kept
"""
_APPENDS = {log: _APPEND.format(table=table.name).encode() for log, table in TABLE.items()}
# Of the parameters: uuid, smallint twice, bigint twice, bytea, text (pg_type.oid).
_TYPES = (2950, 21, 21, 20, 20, 17, 25)
_SMALLINT, _BIGINT = Struct("!h"), Struct("!q")


class Pen:
    """Appends envelopes to one partition, each once.

    Every envelope has a sequence number of this pen, which the database checks. After a lost
    answer `append` is simply called again with the same frames: what was committed is not kept
    twice, even if the first attempt is still under way.
    """

    def __init__(self, database: Database, log: LogName, partition: int) -> None:
        self._database = database
        self._log = log
        self._partition = partition
        self._id = uuid7()
        self._seq = 0
        self._fixed = self._id.bytes, _SMALLINT.pack(log), _SMALLINT.pack(partition)
        self._channel = CHANNEL[log].encode()
        self._append: Statement | None = None

    async def append(self, frames: Sequence[Frame]) -> Appended:
        """Keep frames together; those whose key is known are left out.

        To be called again with the same frames after an error.

        Raises:
            DayMissing: there is no partition for today.
            LedgerUnavailable: nothing of it is known to be kept.
        """
        try:
            with trace.span("ledger.append", log=self._log.name.lower(), entries=len(frames)):
                statement = await self._prepared()
                if any(frame.key is not None for frame in frames):
                    return await self._append_keyed(statement, frames)
                first = await self._place(statement, [frame.body for frame in frames])
        except psycopg.errors.CheckViolation as missing:
            raise DayMissing from missing
        except (psycopg.Error, OSError) as failed:
            await self.close()
            raise LedgerUnavailable(reason=str(failed).partition("\n")[0]) from failed
        self._seq += 1
        return Appended(first)

    async def close(self) -> None:
        """Give the connection back."""
        if self._append is not None:
            await self._append.close()
            self._append = None

    async def _append_keyed(self, statement: Statement, frames: Sequence[Frame]) -> Appended:
        connection = statement.connection
        first: int | None = None
        repeats: set[int] = set()
        kept: list[bytes] = []
        async with connection.transaction():
            if not await self._committed(connection):
                wanted = [frame.key for frame in frames if frame.key is not None]
                new = set(await _add_keys(connection, wanted))
                for index, frame in enumerate(frames):
                    if frame.key is not None:
                        if frame.key not in new:
                            repeats.add(index)
                            continue
                        new.discard(frame.key)
                    kept.append(frame.body)
                if not kept:
                    # The sequence number was not used; the next envelope takes it.
                    return Appended(None, frozenset(repeats))
                first = await self._place(statement, kept)
        self._seq += 1
        return Appended(first, frozenset(repeats))

    async def _place(self, statement: Statement, bodies: Sequence[bytes]) -> int | None:
        """Keep an envelope; None if this sequence number was committed before."""
        seq, count = _BIGINT.pack(self._seq + 1), _BIGINT.pack(len(bodies))
        row = await statement.run((*self._fixed, seq, count, pack(bodies), self._channel))
        return None if row is None else int.from_bytes(row[0])

    async def _committed(self, connection: psycopg.AsyncConnection[Any]) -> bool:
        """Tell whether the next envelope is there already, waiting for an attempt in doubt.

        Also for this writer's very first attempt, of which there is no row to wait for yet.
        """
        cursor = await connection.execute(
            "INSERT INTO ledger_writers AS w (writer, log, partition, seq, at) "
            "VALUES (%s, %s, %s, %s, now()) "
            "ON CONFLICT (writer, log, partition) DO UPDATE SET at = now() RETURNING seq",
            (self._id, int(self._log), self._partition, self._seq),
        )
        row = await cursor.fetchone()
        return row is not None and row[0] > self._seq

    async def _prepared(self) -> Statement:
        if self._append is None or self._append.connection.closed:
            connection = await self._database.connect(name="moorage-ledger")
            self._append = await Statement.prepare(connection, _APPENDS[self._log], _TYPES)
        return self._append


async def _add_keys(
    connection: psycopg.AsyncConnection[Any], wanted: Sequence[bytes]
) -> frozenset[bytes]:
    """Remember keys; give those that were new. Sorted, so that two pens cannot deadlock."""
    cursor = await connection.execute(
        "INSERT INTO ledger_keys (key, at) SELECT k, now() FROM unnest(%s::bytea[]) AS k "
        "ORDER BY k ON CONFLICT DO NOTHING RETURNING key",
        (sorted(set(wanted)),),
        binary=True,
    )
    return frozenset(bytes(row[0]) for row in await cursor.fetchall())
